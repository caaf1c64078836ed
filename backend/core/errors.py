"""The root of all errors that a caller is meant to see."""

from collections.abc import Mapping
from typing import Any, ClassVar


class PlatformError(Exception):
    """An error with an answer: a stable code, a status and a sentence that says what to do.

    `detail` is for people. `fields` become members of the problem document (RFC 9457, section 3.2) and must be
    plain JSON values. With `keeps_writes` the transaction is committed before the error is rendered, for failures
    that must leave a trace (a counted attempt, a revoked family); otherwise it is rolled back.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request cannot be answered"
    keeps_writes: ClassVar[bool] = False

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.fields = fields


class InvalidInput(PlatformError):
    """The request is well-formed but a value in it is not acceptable."""

    code = "invalid_input"
    status = 422
    title = "A value is not acceptable"


class MalformedBody(PlatformError):
    """The body is not the JSON this API reads."""

    code = "malformed_body"
    status = 400
    title = "The body is not acceptable JSON"


class BodyTooLarge(PlatformError):
    """The body is over the limit of its route."""

    code = "body_too_large"
    status = 413
    title = "The body is too large"


class UnsupportedMedia(PlatformError):
    """The body has a content type or encoding that is not read here."""

    code = "unsupported_media_type"
    status = 415
    title = "Send application/json"


class NotFound(PlatformError):
    """Nothing is there, or it is not yours: the two answers are the same."""

    code = "not_found"
    status = 404
    title = "Not found"


class Unavailable(PlatformError):
    """A part that is needed does not answer; nothing was changed."""

    code = "temporarily_unavailable"
    status = 503
    title = "Temporarily unavailable"
