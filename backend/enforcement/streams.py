"""One who looks on, and what is sent to them: server-sent events (WHATWG HTML, section 9.2), each with its own id."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from typing import Any
from uuid import UUID

from backend.core.ids import AccountId, UserId
from backend.usage.live import Recent, to_json

# What may wait for one who does not read; then the oldest is dropped, and they are told.
MOST_WAITING = 1_000
HEARTBEAT = 15.0
# How long a credential is taken for good without a look, where nothing says that it has changed.
_GOOD_FOR = 60.0
_RETRY_MILLISECONDS = 2_000

_STILL_HERE = b": still here\n\n"
_BYE = b": bye\n\n"

Frame = tuple[str, bytes]


class Stream:
    """What is on its way to one who looks on. `accounts` are those whose changes may end it."""

    def __init__(self, accounts: Collection[AccountId]) -> None:
        self.accounts = accounts
        self.is_doubted = True
        """Something has changed since the credential was looked at, or may have."""
        self.known: set[str] = set()
        """The names of what was sent before the rest began."""
        self._waiting: deque[Frame] = deque()
        self._meters: bytes | None = None
        self._is_behind = False
        self._is_over = False
        self._wake = asyncio.Event()

    def put(self, frames: list[Frame]) -> None:
        """In order. What was sent already is not sent again."""
        for frame in frames:
            if frame[0] in self.known:
                continue
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                self._is_behind = True
            self._waiting.append(frame)
        self._wake.set()

    def put_meters(self, frame: bytes) -> None:
        """Only the newest matters."""
        self._meters = frame
        self._wake.set()

    def fall_behind(self) -> None:
        """Something is missing that will not come any more."""
        self._is_behind = True
        self._wake.set()

    def doubt(self) -> None:
        """The credential is to be looked at before anything more is sent."""
        self.is_doubted = True
        self._wake.set()

    def end(self) -> None:
        self._is_over = True
        self._wake.set()

    async def take(self, seconds: float) -> bytes:
        """What has come, or comes within so many seconds; nothing where nothing does."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return b""
        self._wake.clear()
        if self.is_doubted or self._is_over:
            return b""
        parts = [gap("too_slow")] if self._is_behind else []
        parts += [frame for _, frame in self._waiting]
        parts += [self._meters] if self._meters is not None else []
        self._waiting.clear()
        self._meters, self._is_behind = None, False
        return b"".join(parts)

    async def read(
        self, first: bytes, is_in_force: Callable[[], Awaitable[bool]], seconds: float
    ) -> AsyncIterator[bytes]:
        """All that is sent: what was before it began, then whatever comes, until it ends or may go on no longer."""
        clock = asyncio.get_running_loop().time
        ends, look_at = clock() + seconds, 0.0
        yield b"retry: %d\n\n" % _RETRY_MILLISECONDS
        while not self._is_over and clock() < ends:
            if self.is_doubted or clock() >= look_at:
                self.is_doubted, look_at = False, clock() + _GOOD_FOR
                if not await is_in_force():
                    break
                self._wake.set()  # what came meanwhile was left
                if first:
                    yield first
                    first = b""
            came = await self.take(min(HEARTBEAT, max(0.0, ends - clock())))
            if came or not self.is_doubted:
                yield came or _STILL_HERE
        yield _BYE


class AccountStream(Stream):
    """To one who looks on at an account, by a key of a host application where `key_id` names one, or as one of its
    users where `operator_id` names an operator."""

    def __init__(
        self,
        account_id: AccountId,
        accounts: Collection[AccountId],
        *,
        key_id: UUID | None,
        operator_id: UserId | None,
    ) -> None:
        super().__init__(accounts)
        self.account_id = account_id
        self.key_id = key_id
        self.operator_id = operator_id


def frames_of(recent: Recent) -> Iterator[Frame]:
    """In the order of their ids. The name of an event that may grow says how far it has."""
    rows = [("usage", f"{row['id']}.{row['amount']}", row) for row in recent.usage]
    rows += [("denial", row["id"], row) for row in recent.denials]
    for kind, name, row in sorted(rows, key=lambda each: each[1]):
        yield name, event(kind, to_json(row), name)


def meters(snapshot: dict[str, Any]) -> bytes:
    """The counters as they stand; it has no id, for only the newest matters."""
    return event("meters", json.dumps(snapshot, separators=(",", ":")))


def gap(reason: str) -> bytes:
    """Something was left out: what follows begins anew."""
    return event("gap", json.dumps({"reason": reason}))


def event(kind: str, data: str, name: str | None = None) -> bytes:
    """One event. JSON has no line breaks of its own."""
    said = f"id: {name}\n" if name is not None else ""
    return f"event: {kind}\n{said}data: {data}\n\n".encode()
