"""The one place where an error becomes an answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Match

from backend.core.errors import InvalidInput, PlatformError, Unavailable
from backend.core.problem.document import problem_bytes
from backend.core.problem.media import MEDIA_TYPE

_STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 431: "headers_too_large"}
_TITLES = {404: "Not found", 405: "This method is not available here", 413: "The body is too large"}

log = structlog.get_logger(__name__)


def _answer(
    request: Request,
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = problem_bytes(
        status=status,
        code=code,
        title=title,
        detail=detail,
        instance=request.url.path,
        request_id=getattr(request.state, "request_id", ""),
        errors_url=getattr(request.app.state, "errors_url", ""),
        fields=fields,
    )
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def render(request: Request, error: PlatformError) -> Response:
    """The answer for one of our own errors."""
    return _answer(
        request,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        fields=error.fields,
        headers=error.headers,
    )


def _describe(errors: Sequence[Any]) -> list[dict[str, str]]:
    """What is wrong where, without repeating the value: it may be a password or 64 kB."""
    return [
        {
            "in": str(error["loc"][0]) if error["loc"] else "body",
            "field": ".".join(str(part) for part in error["loc"][1:]),
            "message": str(error["msg"]).encode("utf-8", "replace").decode(),
        }
        for error in errors[:50]
    ]


async def _on_platform_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlatformError)
    return render(request, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = _describe(error.errors())
    first = found[0] if found else {"field": "", "message": "invalid"}
    where = f"{first['field']}: " if first["field"] else ""
    return _answer(
        request,
        status=422,
        code=InvalidInput.code,
        title=InvalidInput.title,
        detail=f"{where}{first['message']}",
        fields={"errors": found},
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _STATUS_CODES.get(error.status_code, f"http_{error.status_code}")
    detail, headers = str(error.detail), error.headers
    if error.status_code == 404:
        detail = _not_found_detail(request)
    elif error.status_code == 405:
        allowed = _allowed(request)
        detail, headers = f"{request.method[:20]} is not answered here; {allowed} may be sent.", {"Allow": allowed}
    return _answer(
        request,
        status=error.status_code,
        code=code,
        title=_TITLES.get(error.status_code, str(error.detail)),
        detail=detail,
        headers=headers,
    )


def _allowed(request: Request) -> str:
    """All methods of a path: the router names only those of the first route that has it."""
    known = iter_route_contexts(request.app.routes)
    methods = {
        method for route in known if route.matches(request.scope)[0] is not Match.NONE for method in route.methods or ()
    }
    return ", ".join(sorted(methods))


def _not_found_detail(request: Request) -> str:
    return f"Nothing answers at {request.url.path[:200]}. The routes are listed at /docs."


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, method=request.method, exc_info=error)
    return _answer(
        request,
        status=500,
        code="internal_error",
        title="Something failed on our side",
        detail="Nothing was changed. The request id leads the operator to the cause.",
    )


def install_handlers(
    app: FastAPI, *, foreign: tuple[type[Exception], ...], is_unavailable: Callable[[BaseException], bool]
) -> None:
    """Registers every handler. `foreign` are a store's errors; those that mean "it does not answer" become 503."""

    async def on_unavailable(request: Request, error: Exception) -> Response:
        if not is_unavailable(error):
            return await _on_unexpected(request, error)
        log.warning("store_unavailable", path=request.url.path, error=str(error).splitlines()[0])
        return render(
            request,
            Unavailable(
                "The database does not answer in time. Nothing was changed; try again shortly.",
                headers={"Retry-After": "2"},
                retry_after=2,
                retryable=True,
            ),
        )

    app.add_exception_handler(PlatformError, _on_platform_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)
    for kind in foreign:
        app.add_exception_handler(kind, on_unavailable)
