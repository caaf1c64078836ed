"""What stands below the enforcement layer: FastAPI's stack, with a short way to routes whose path is fixed.

FastAPI tries one route after the other. A path without parameters has one route for each method, which is known before:
it is found by one look, whichever of the routes it is.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send


class Stack:
    """Without what the layer does itself (an answer to what nobody expected) and what nobody asks for (telemetry, one
    limit for all bodies)."""

    def __init__(self, app: FastAPI) -> None:
        handlers = {kind: handler for kind, handler in app.exception_handlers.items() if kind not in (500, Exception)}
        self._router = app.router
        self._any: ASGIApp = ExceptionMiddleware(AsyncExitStackMiddleware(app.router), handlers=handlers)
        self._handlers = _handlers(handlers)
        self._fixed = _fixed(app.router.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http" and not scope.get("root_path"):
            route = self._fixed.get((scope["method"], scope["path"]))
        if route is None:
            await self._any(scope, receive, send)
            return
        # What the frameworks find out on the long way. Errors are handled where the route's own function is called.
        scope["starlette.exception_handlers"] = self._handlers
        scope["router"], scope["route"] = self._router, route
        scope["endpoint"], scope["path_params"] = route.endpoint, {}
        async with AsyncExitStack() as stack:
            scope["fastapi_middleware_astack"] = stack
            await route.app(scope, receive, send)


def _handlers(given: dict[Any, Callable[..., Any]]) -> tuple[dict[Any, Any], dict[int, Any]]:
    """By the kind of exception, and by status."""
    kinds = {kind: handler for kind, handler in given.items() if not isinstance(kind, int)}
    return kinds, {status: handler for status, handler in given.items() if isinstance(status, int)}


def _fixed(routes: Sequence[BaseRoute]) -> dict[tuple[str, str], APIRoute]:
    """The routes that are found for their own path, by method and path."""
    found = {}
    for route in routes:
        if isinstance(route, APIRoute) and "{" not in route.path:
            for method in route.methods or ():
                asked = {"type": "http", "method": method, "path": route.path, "root_path": ""}
                if next(one for one in routes if one.matches(asked)[0] is Match.FULL) is route:
                    found[method, route.path] = route
    return found
