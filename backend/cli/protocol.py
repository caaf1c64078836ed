"""HTTP as `feature serve` speaks it: uvicorn's protocol on httptools, with less work for each answer.

A proxy's question that memory answers is answered as soon as its head is read: no scope is completed, no task made.
Every other answer whose length is known leaves in one piece, its fields checked together. And one timer looks after
an idle connection, instead of one for every request. What is not as nearly all requests are is uvicorn's.
"""

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from starlette.types import Scope
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from backend.enforcement.answer import CARRIER
from backend.enforcement.gate import Passage
from backend.enforcement.headers import beside, is_free_for_lines, passage_lines
from backend.gateway.front import Front, lines_of
from backend.gateway.question import AUTHORIZE

# What the name of a field consists of (RFC 9110, section 5.6.2), and what may stand nowhere in a head.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROLS = bytes({*range(32), 127} - set(b"\t\r\n"))
# How the lines of fields start, by the name that was given: those that came before.
_STARTS: dict[bytes, bytes] = {}
_MOST_NAMES = 1_000
# Longer ones are refused by uvicorn.
_LONGEST_URL = 0xFFFF
_BODILESS = frozenset({204, 304})
# Fields that say how the connection goes on; uvicorn reads them.
_OF_THE_CONNECTION = frozenset({b"connection", b"transfer-encoding"})

Fields = Sequence[tuple[bytes, bytes]]


class Cycle(RequestResponseCycle):
    """One request and its answer. It is the `Carrier` of a passage."""

    passage: Passage | None = None
    status: int | None = None
    _start: "_Start | None" = None

    async def send(self, message: ASGISendEvent) -> None:
        """As uvicorn's; but the head of an answer with a known length waits for the body, which is under way."""
        start, self._start = self._start, None
        if start is None:
            if message["type"] == "http.response.start":
                begun = self._begun(message)
                if begun.has_length and self._may_wait(begun.status):
                    self._start = begun
                    return
                message = begun.listed()
            await super().send(message)
            return
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            body = message.get("body", b"")
            self.response_started = True  # whatever is wrong with it
            head = self._head(start, len(body))
            if head is not None:
                self.transport.write(head + body)
                self.response_complete = True
                self.message_event.set()
                self.on_response()
                return
            self.response_started = False
        await super().send(start.listed())
        await super().send(message)

    async def send_500_response(self) -> None:
        """Not for an answer whose head waits: that goes, and the connection breaks, as it does without waiting."""
        start, self._start = self._start, None
        if start is None:
            await super().send_500_response()
            return
        try:
            await super().send(start.listed())
        finally:
            self.transport.close()

    def _begun(self, message: Any) -> "_Start":
        """The head, with what a passage says. A copy: fields may be such as can be read once."""
        fields, lines, passage = [*message.get("headers", ())], b"", self.passage
        names = [name for name, _ in fields]
        self.status = message["status"]
        if passage is not None:
            if is_free_for_lines(names):
                lines = passage_lines(passage)
            else:
                fields = beside(fields, passage)
        return _Start(message["status"], fields, lines, b"content-length" in names)

    def _may_wait(self, status: int) -> bool:
        """Not where the sender of the request may be waiting for the head before it sends the rest."""
        return (
            not self.response_started
            and not self.more_body
            and status not in _BODILESS
            and self.scope["method"] != "HEAD"
            and not self.waiting_for_100_continue
        )

    def _head(self, start: "_Start", length: int) -> bytes | None:
        """None where there is more to it: a connection that ends or is slow, or another length than was said."""
        if self.disconnected or not self.keep_alive or self.flow.write_paused:
            return None
        head = _head(start.status, [*self.default_headers, *start.fields], length)
        return None if head is None else b"%b%b\r\n" % (head, start.lines)


class _Start(NamedTuple):
    """The head of an answer, as it was given, with the lines that are to be added as they are."""

    status: int
    fields: list[tuple[bytes, bytes]]
    lines: bytes
    has_length: bool

    def listed(self) -> ASGISendEvent:
        """As every server takes it."""
        added = [tuple(line.split(b": ", 1)) for line in self.lines.split(b"\r\n")[:-1]]
        return cast(
            "ASGISendEvent",
            {"type": "http.response.start", "status": self.status, "headers": [*self.fields, *added]},
        )


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._front: Front | None = getattr(self.app, "front", None)
        self._end_streams: Callable[[], None] | None = getattr(self.app, "end_streams", None)
        self._idle_since = math.inf
        self._is_ours = not self.access_log and self.limit_concurrency is None and not self.root_path

    def on_headers_complete(self) -> None:
        """Answers at once, or begins a cycle."""
        self._idle_since = math.inf  # what was answered at once may be before it, in what came together
        if not self._is_plain():
            super().on_headers_complete()
            return
        scope = self.scope
        raw_path, _, query = self.url.partition(b"?")
        method, path = self.parser.get_method(), raw_path.decode("ascii")
        if path == AUTHORIZE and method == b"GET" and self._front is not None and not self.expect_100_continue:
            try:
                passed = self._front.at_once(query, cast("Scope", scope))
            except Exception:  # the parser would answer 400; it is raised again where it is logged and answered
                passed = None
            if passed is not None:
                fields = b"".join([b"%b: %b\r\n" % field for field in self.server_state.default_headers])
                self.transport.write(b"%b%b%b\r\n" % (STATUS_LINE[200], fields, lines_of(passed)))
                self.cycle = self.cycle or _ANSWERED
                self.on_response_complete()
                return
        scope["method"], scope["query_string"], scope["raw_path"] = method.decode("ascii"), query, raw_path
        scope["path"] = unquote(path) if "%" in path else path
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        scope["extensions"] = cast("Any", {CARRIER: self.cycle})
        self._start_asgi_task(self.cycle, self.app)

    def _is_plain(self) -> bool:
        """Whether none is before it on its connection, which stays, and the server is set up as ours is."""
        parser, url = self.parser, self.url
        return (
            self._is_ours
            and (self.cycle is None or self.cycle.response_complete)
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and not parser.should_upgrade()
            and not self.flow.write_paused
            and url.startswith(b"/")
            and b"#" not in url
            and url.isascii()
            and len(url) <= _LONGEST_URL
        )

    def shutdown(self) -> None:
        """As uvicorn's; answers that would go on end themselves, so that nobody waits for them."""
        super().shutdown()
        if self._end_streams is not None:
            self._end_streams()

    def on_response_complete(self) -> None:
        """As uvicorn's, but for the timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """Called whenever something comes: the timer goes on, and finds that the connection is in use."""
        self._idle_since = math.inf

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that has been idle for long enough, or looks again when it will have been."""
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        elif left < math.inf:
            self._look_after(left)

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


class _Answered:
    """In the place of a cycle that there never was."""

    response_complete = True
    message_event = asyncio.Event()


_ANSWERED: Any = _Answered()


def _head(status: int, fields: Fields, length: int) -> bytes | None:
    """Without the empty line after it. None where uvicorn has to look at it: a field that is none, or says more than
    that the body has this length."""
    lines = [STATUS_LINE[status]]
    for name, value in fields:
        start = _STARTS.get(name) or _start_of(name)
        if not start:
            return None
        lines += (start, value, b"\r\n")
    head, ends = b"".join(lines), len(fields) + 1
    if (
        head.count(b"\r") != ends
        or head.count(b"\n") != ends
        or len(head.translate(None, _CONTROLS)) != len(head)
        or not head.partition(b"\r\ncontent-length: ")[2].startswith(b"%d\r\n" % length)
    ):
        return None
    return head


def _start_of(name: bytes) -> bytes:
    """How the line of a field starts; nothing where it cannot be one of ours."""
    start = name.lower()
    if start in _OF_THE_CONNECTION or not _NAME.fullmatch(start):
        return b""
    if len(_STARTS) < _MOST_NAMES:
        _STARTS[name] = start + b": "
    return start + b": "
