"""The errors of a route, for its OpenAPI description."""

from typing import Any

from backend.core.errors import BodyTooLarge, InvalidInput, MalformedBody, PlatformError, Unavailable, UnsupportedMedia
from backend.core.problem.media import MEDIA_TYPE

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
}

_BODY_ERRORS: tuple[type[PlatformError], ...] = (MalformedBody, BodyTooLarge, UnsupportedMedia)


def problem_responses(*errors: type[PlatformError], body: bool = False) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success: `errors`, 422 and 503, and with `body` those of reading one."""
    by_status: dict[int, list[type[PlatformError]]] = {}
    always: tuple[type[PlatformError], ...] = (InvalidInput, Unavailable)
    for error in errors + always + (_BODY_ERRORS if body else ()):
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": "; ".join(f"`{error.code}`: {error.title}" for error in found),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, found in sorted(by_status.items())
    }
