"""Refusals for proxies that cannot pass them on.

nginx's `auth_request` knows 2xx, 401 and 403, and makes 500 of everything else. So with `deny=403` a refusal is a 403
that carries the true answer, sealed, in a header field; the proxy fetches the answer from `/v1/gateway/denials/` and
its client sees status, fields and body as they are.
"""

import json
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.types import Message, Send

from backend.security.encryption import Encryption
from backend.security.errors import SecretUnreadable

DENIALS = "/v1/gateway/denials/"
STATUS_FIELD, DECISION_FIELD = b"x-feature-status", b"x-feature-decision"
# A proxy asks at once. Afterwards the numbers are no longer true.
LIFETIME = timedelta(minutes=1)

_ABOUT = "gateway denial"
_LOWEST_ERROR = 400
_FORBIDDEN = 403
_UNAUTHENTICATED = 401
# These are the connection's or the layer's own; all others are part of the answer.
_NOT_KEPT = frozenset({b"content-length", b"x-content-type-options", b"cache-control"})


@dataclass(frozen=True, slots=True)
class Denial:
    """An answer as it was: header fields by their names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: str


class Sealer:
    """Seals denials and opens them again: nobody else can make one, and it opens for a minute."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    def seal(self, denial: Denial, *, now: datetime) -> str:
        content = json.dumps([int(now.timestamp()), denial.status, denial.fields, denial.body])
        return self._encryption.encrypt(zlib.compress(content.encode(), 9).decode("latin-1"), about=_ABOUT)

    def open(self, sealed: str, *, now: datetime) -> Denial | None:
        """None for what is no denial of ours, or is over."""
        try:
            content = self._encryption.decrypt(sealed, about=_ABOUT)
        except SecretUnreadable:
            return None
        made_at, status, fields, body = json.loads(zlib.decompress(content.encode("latin-1")))
        if not 0 <= now.timestamp() - made_at <= LIFETIME.total_seconds():
            return None
        return Denial(status, tuple((name, value) for name, value in fields), body)


class Denying:
    """Sends an answer on; a refusal becomes a 403 with the sealed answer (401 stays, for proxies know it)."""

    def __init__(self, send: Send, sealer: Sealer, *, now: datetime) -> None:
        self._send = send
        self._sealer = sealer
        self._now = now
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= _LOWEST_ERROR:
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._deny(self._start)
        else:
            await self._send(message)

    async def _deny(self, start: Message) -> None:
        status, headers = start["status"], list(start["headers"])
        kept = tuple((name.decode(), value.decode("latin-1")) for name, value in headers if name not in _NOT_KEPT)
        sealed = self._sealer.seal(Denial(status, kept, self._body.decode()), now=self._now)
        headers += [(STATUS_FIELD, b"%d" % status), (DECISION_FIELD, sealed.encode())]
        answered = status if status == _UNAUTHENTICATED else _FORBIDDEN
        await self._send({**start, "status": answered, "headers": headers})
        await self._send({"type": "http.response.body", "body": self._body})
