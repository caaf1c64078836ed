"""The answer of one request, on its way out: header fields are added, a refusal becomes a problem document."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Token
from datetime import datetime
from typing import Protocol

import structlog
from starlette.types import Message, Scope, Send

from backend.core.errors import PlatformError
from backend.core.log import REQUEST_ID
from backend.core.metrics import REQUESTS
from backend.core.problem.document import problem_bytes
from backend.core.problem.media import MEDIA_TYPE
from backend.enforcement.gate import Halt, Passage
from backend.enforcement.headers import NO_STORE, NOSNIFF, Metered, beside, fields
from backend.ratelimit.model import Rated

_LOWEST_ERROR = 400
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger("requests")
_LOGGER = logging.getLogger("requests")


# Where a server of ours has something that adds the fields of a passage itself, and tells the status: see `Carrier`.
CARRIER = "feature.carrier"


class InternalError(PlatformError):
    """Something failed that nobody expected."""

    code = "internal_error"
    status = 500
    title = "Something failed on our side"


class Carrier(Protocol):
    """The way of one answer, of a server that knows passages: whoever is given one need not wrap what is sent."""

    passage: Passage | None
    status: int | None
    response_complete: bool


class Answer:
    """`passage` is of a metered request of a known caller that has been paid for, `halt` of one that memory stopped.

    `give_back` is how what it has spent comes back if it fails.
    """

    rated: Sequence[Rated] = ()
    passage: Passage | None = None
    halt: Halt | None = None
    give_back: Callable[[], object] | None = None
    status: int | None = None
    is_complete = False

    def __init__(
        self,
        scope: Scope,
        send: Send,
        request_id: str,
        *,
        now: datetime,
        errors_url: str,
        began: float | None = None,
    ) -> None:
        self._scope = scope
        self._send = send
        self._errors_url = errors_url
        self._began = time.perf_counter() if began is None else began
        self.now = now
        self.request_id = request_id
        self.metered: list[Metered] = []

    @property
    def path(self) -> str:
        return str(self._scope["path"])

    @property
    def method(self) -> str:
        return str(self._scope["method"])

    def bind(self) -> "Token[str | None]":
        """Everything that is logged from here on is of this request."""
        return REQUEST_ID.set(self.request_id)

    def unbind(self, token: "Token[str | None]") -> None:
        REQUEST_ID.reset(token)

    def send(self, message: Message) -> Awaitable[None]:
        """Sends a part on, with the fields that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._with_fields([*message.get("headers", ())])}
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_complete = True
        return self._send(message)

    async def refuse(self, error: PlatformError) -> None:
        """Answers with a problem document, from outside the application."""
        body = problem_bytes(
            status=error.status,
            code=error.code,
            title=error.title,
            detail=error.detail,
            instance=self._scope["path"],
            request_id=self.request_id,
            errors_url=self._errors_url,
            fields=error.fields,
        )
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def log(self) -> None:
        """Counts and logs it. Probes, and calls that went through from memory, are news only where they fail."""
        seconds = time.perf_counter() - self._began
        route = self._scope.get("route")
        path = getattr(route, "path", None) or self._scope["path"][:200]
        method, known = self._scope["method"], "other" if route is None else path
        REQUESTS.of(method if method in _METHODS else "other", known, self.status).timed(seconds)
        is_quiet = (self.status or 500) < _LOWEST_ERROR and (
            self.passage is not None or not self._scope["path"].startswith("/v1/")
        )
        level = logging.DEBUG if is_quiet else logging.INFO
        if _LOGGER.isEnabledFor(level):
            _tell(level, method, path, self.status, seconds)

    def _with_fields(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if self.passage is not None:
            return beside(given, self.passage)
        added = [(b"x-request-id", self.request_id.encode()), NOSNIFF]
        if self._scope["path"].startswith("/v1/"):
            added.append(NO_STORE)
        added += fields(self.rated, self.metered, now=self.now)
        present = {name.lower() for name, _ in given}
        if not present.isdisjoint([name for name, _ in added]):  # what the endpoint says itself stands
            added = [field for field in added if field[0] not in present]
        return [*given, *added]


def note_passed(scope: Scope, status: int, began: float) -> None:
    """As `log`, of a metered call that was paid for, by a fixed path."""
    seconds = time.perf_counter() - began
    REQUESTS.of(scope["method"], scope["path"], status).timed(seconds)
    level = logging.DEBUG if status < _LOWEST_ERROR else logging.INFO
    if _LOGGER.isEnabledFor(level):
        _tell(level, scope["method"], scope["path"], status, seconds)


def _tell(level: int, method: str, path: str, status: int | None, seconds: float) -> None:
    log.log(level, "request", method=method, path=path, status=status, milliseconds=round(seconds * 1_000, 1))
