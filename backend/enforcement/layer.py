"""The one layer around the finished application: identity of the request, admission, header fields, the last resort.

It wraps the whole stack, the part that renders 500s included, so that every answer carries its fields whatever the
endpoint returned, streamed or raised.
"""

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.clock import Clock
from backend.core.errors import PlatformError, Unavailable
from backend.core.ids import uuid7
from backend.core.metrics import REQUESTS, SECONDS
from backend.core.problem.document import problem_bytes
from backend.core.problem.media import MEDIA_TYPE
from backend.core.settings import Settings
from backend.db.session import is_unavailable
from backend.enforcement.address import Address, client_address, is_in
from backend.enforcement.admission import Admission, TooMany
from backend.enforcement.errors import AddressDenied, HeadersTooLarge
from backend.enforcement.headers import Rated, fields

_MAX_HEADER_BYTES = 16 * 1024
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_REFUSED_BY_CREDENTIAL = 401
_LOWEST_ERROR = 400
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger("requests")


class _InternalError(PlatformError):
    code = "internal_error"
    status = 500
    title = "The server failed"


class EnforcementLayer:
    """Wraps `app`. Routes below /v1/ are admitted first; system routes are neither counted nor looked up."""

    def __init__(self, app: ASGIApp, *, admission: Admission, settings: Settings, clock: Clock) -> None:
        self._app = app
        self._admission = admission
        self._settings = settings
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send, now=self._clock.now(), errors_url=self._settings.api_base_url)
        structlog.contextvars.bind_contextvars(request_id=answer.request_id)
        try:
            await self._admit(scope, answer)
            await self._app(scope, receive, answer.send)
        except PlatformError as error:
            await answer.refuse(error)
        except Exception as error:  # the last resort: whatever it is, the caller gets an answer
            await self._fail(answer, error)
        if answer.status == _REFUSED_BY_CREDENTIAL:
            await self._admission.note_refusal(answer.address)
        answer.log()

    async def _admit(self, scope: Scope, answer: "_Answer") -> None:
        headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
        peer = scope["client"][0] if scope.get("client") else None
        forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        answer.address = client_address(peer, forwarded, self._settings.trusted_proxies)
        state = scope.setdefault("state", {})
        state.update(
            request_id=answer.request_id,
            now=answer.now,
            client_address=answer.address,
            principal=None,
            entitlements=None,
            rates={},
            metered=answer.metered,
        )
        if sum(len(name) + len(value) for name, value in headers) > _MAX_HEADER_BYTES:
            raise HeadersTooLarge(f"The header fields are over {_MAX_HEADER_BYTES:,} bytes together.")
        if is_in(answer.address, self._settings.rate_limit_denylist):
            raise AddressDenied("This address is on the deny list; ask the operator.")
        if not scope["path"].startswith("/v1/"):
            return
        try:
            admitted = await self._admission.admit(
                _field(headers, b"authorization"),
                account=_field(headers, b"feature-account") or None,
                address=answer.address,
                now=answer.now,
            )
        except TooMany as error:
            answer.rated = error.rated
            raise
        answer.rated = admitted.rated
        rates = {} if admitted.rated is None else {admitted.rated.scope: admitted.rated.verdict}
        state.update(principal=admitted.principal, entitlements=admitted.entitlements, rates=rates)

    async def _fail(self, answer: "_Answer", error: Exception) -> None:
        if answer.is_complete:  # it was answered and logged where it was raised, and is only passing through
            return
        if answer.status is not None:
            raise error  # cut off in the middle: the connection must break, or the answer would look whole
        if is_unavailable(error):
            await answer.refuse(
                Unavailable("The database does not answer; nothing was changed.", headers={"Retry-After": "1"})
            )
            return
        log.error("request_failed", exc_info=error)
        await answer.refuse(_InternalError("This is our fault and is logged under the request id."))


class _Answer:
    """The answer of one request, on its way out."""

    def __init__(self, scope: Scope, send: Send, *, now: datetime, errors_url: str) -> None:
        self._scope = scope
        self._send = send
        self._errors_url = errors_url
        self._began = time.perf_counter()
        self.now = now
        self.request_id = _request_id(scope)
        self.address: Address = client_address(None, (), ())
        self.rated: Rated | None = None
        self.metered: list[Any] = []
        self.status: int | None = None
        self.is_complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", []), *self._fields(message)]}
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_complete = True
        await self._send(message)

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
        milliseconds = (time.perf_counter() - self._began) * 1_000
        route = self._scope.get("route")
        path = getattr(route, "path", None) or self._scope["path"][:200]
        method, known = self._scope["method"], "other" if route is None else path
        REQUESTS.labels(method if method in _METHODS else "other", known, self.status).inc()
        SECONDS.labels(known).observe(milliseconds / 1_000)
        # Probes ask every few seconds; only what they find amiss is news.
        is_probe = not self._scope["path"].startswith("/v1/") and (self.status or 500) < _LOWEST_ERROR
        write = log.debug if is_probe else log.info
        write("request", method=method, path=path, status=self.status, milliseconds=round(milliseconds, 1))

    def _fields(self, message: Message) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in message.get("headers", [])}
        added = [(b"x-request-id", self.request_id.encode()), (b"x-content-type-options", b"nosniff")]
        if self._scope["path"].startswith("/v1/"):
            added.append((b"cache-control", b"no-store"))
        added += fields(self.rated, self.metered, now=self.now)
        return [(name, value) for name, value in added if name not in present]


def _field(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for field, value in headers if field == name), None)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return bytes(value).decode()
    return f"req_{uuid7().hex}"
