"""Operators who look on at the whole platform: one look a second for all of this process, and so much to each.

More may happen in a second than anybody reads: each is told of the newest, and how many were left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.admin.happenings import Happening, look, read_recent
from backend.core.clock import Clock
from backend.core.errors import Unavailable
from backend.core.ids import AccountId, UserId, uuid7
from backend.db.session import Database
from backend.enforcement.errors import TooManyStreams
from backend.enforcement.listening import position
from backend.enforcement.looking import Looking
from backend.enforcement.streams import Frame, Stream, event, gap

MOST_OF_OPERATOR, MOST_OF_PROCESS = 3, 50
# What is told to each at a look, and so many rows of each kind are read by it.
MOST_TOLD, MOST_READ = 100, 1_000
WINDOW = timedelta(minutes=15)
NEWEST = 50


@dataclass(frozen=True, slots=True)
class Interest:
    """What an operator wants to see. `shows_acts` where they may: what was done by operators and commands."""

    shows_acts: bool
    shows_denials: bool = True
    account_id: AccountId | None = None
    code: str | None = None

    def has(self, one: Happening) -> bool:
        """Whether this is among it. An act is nobody's refusal: with a code or an account, only refusals are."""
        if one.kind == "act":
            return self.shows_acts and self.code is None and self.account_id is None
        return (
            self.shows_denials
            and (self.code is None or one.data["code"] == self.code)
            and (self.account_id is None or one.data["account_id"] == str(self.account_id))
        )


class OperatorStream(Stream):
    """To one operator. `account_id` is the one for which they act: its version tells that something has changed."""

    def __init__(self, user_id: UserId, account_id: AccountId, interest: Interest) -> None:
        super().__init__({account_id})
        self.user_id = user_id
        self.interest = interest


class Watching:
    """One for a process; it looks while somebody looks on."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._streams: set[OperatorStream] = set()
        self._told: frozenset[str] | None = None
        self._versions: dict[AccountId, int] = {}
        self._looking = Looking("operators", lambda: self._look(), lambda: bool(self._streams))
        self._is_ending = False

    async def begin(self, stream: OperatorStream, last_event_id: str | None) -> bytes:
        """What is sent first; from here on the stream is told what is new. Raises TooManyStreams, Unavailable."""
        self._join(stream)
        try:
            if self._told is None:
                await self._looking.looked()
            return await self._missed(stream, last_event_id, self._clock.now())
        except BaseException:
            self.leave(stream)
            raise

    def leave(self, stream: OperatorStream) -> None:
        """Nothing more is told to it."""
        self._streams.discard(stream)
        if not self._streams:
            self._told = None

    def end(self) -> None:
        """All streams end, and no new ones begin: the process is about to."""
        self._is_ending = True
        for stream in self._streams:
            stream.end()

    async def close(self) -> None:
        self.end()
        await self._looking.close()

    def _join(self, stream: OperatorStream) -> None:
        if self._is_ending or len(self._streams) >= MOST_OF_PROCESS:
            raise Unavailable(
                "As many operators look on here as there may be. Try again.", headers={"Retry-After": "5"}
            )
        if sum(one.user_id == stream.user_id for one in self._streams) >= MOST_OF_OPERATOR:
            raise TooManyStreams(
                f"{MOST_OF_OPERATOR} live views of yours are open, as many as there may be. Close one.",
                headers={"Retry-After": "5"},
                limit=MOST_OF_OPERATOR,
                retryable=True,
            )
        self._streams.add(stream)

    async def _look(self) -> None:
        now, streams = self._clock.now(), list(self._streams)
        accounts = {account_id for stream in streams for account_id in stream.accounts}
        async with self._database.read() as session:
            found = await look(session, accounts=accounts, now=now, most=MOST_READ)
        changed = {each for each, version in found.versions.items() if self._versions.get(each) != version}
        self._versions = dict(found.versions)
        before, self._told = self._told, frozenset(one.id for one in found.happenings)
        for stream in streams:
            if not changed.isdisjoint(stream.accounts):
                stream.doubt()
        if before is None:  # who has just come reads what was before by themselves
            return
        new = [one for one in found.happenings if one.id not in before]
        is_cut = any(sum(one.kind == kind for one in new) >= MOST_READ for kind in ("denial", "act"))
        for stream in streams:
            stream.put(_told(stream.interest, new, is_cut=is_cut))

    async def _missed(self, stream: OperatorStream, last_event_id: str | None, now: datetime) -> bytes:
        """The newest of what was before; for who goes on where they were no more than they have missed."""
        at = position(last_event_id, now)
        is_known = at is not None and at >= now - WINDOW
        since = at if at is not None and is_known else now - WINDOW
        async with self._database.read() as session:
            found = await read_recent(session, since=since, most=MOST_READ)
        mine = [one for one in found if stream.interest.has(one)]
        shown = mine[-NEWEST:]
        stream.known = {one.id for one in mine}
        is_short = bool(last_event_id) and (not is_known or len(mine) > NEWEST)
        return (gap("too_much") if is_short else b"") + b"".join(_frame(one)[1] for one in shown)


def _told(interest: Interest, new: Sequence[Happening], *, is_cut: bool) -> list[Frame]:
    """The newest of what somebody wants to see, after how many older ones of it were left out."""
    mine = [one for one in new if interest.has(one)]
    frames = [_frame(one) for one in mine[-MOST_TOLD:]]
    left_out = len(mine) - len(frames)
    if left_out or is_cut:
        said = json.dumps({"count": left_out, "is_exact": not is_cut}, separators=(",", ":"))
        return [(str(uuid7()), event("left_out", said)), *frames]
    return frames


def _frame(one: Happening) -> Frame:
    return one.id, event(one.kind, json.dumps(one.data, separators=(",", ":")), one.id)
