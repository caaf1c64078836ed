"""Errors as application/problem+json (RFC 9457), and the route class that reads bodies strictly."""

from backend.core.problem.handlers import install_handlers, problem_bytes, render
from backend.core.problem.strict_route import StrictRoute

__all__ = ["StrictRoute", "install_handlers", "problem_bytes", "render"]
