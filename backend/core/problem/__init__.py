"""Errors as application/problem+json (RFC 9457), and the route class that reads bodies strictly."""

from backend.core.problem.document import problem_bytes
from backend.core.problem.handlers import install_handlers, render
from backend.core.problem.media import MEDIA_TYPE
from backend.core.problem.responses import PROBLEM_SCHEMA, problem_responses
from backend.core.problem.strict_route import StrictRoute, strict_body

__all__ = [
    "MEDIA_TYPE",
    "PROBLEM_SCHEMA",
    "StrictRoute",
    "install_handlers",
    "problem_bytes",
    "problem_responses",
    "render",
    "strict_body",
]
