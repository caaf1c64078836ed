"""All who look on in this process, and the one look a second at the database for them all.

A look reads what may be new of every account that is watched, and tells those who watch it what they have not been
told. Nobody who looks on holds a connection, and how many they are costs the database nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from feature_platform.core.decision import remaining_of

from backend.catalog.service import Catalogs
from backend.core.clock import Clock
from backend.core.errors import Unavailable
from backend.core.ids import AccountId
from backend.db.session import Database, ReadSession
from backend.enforcement.errors import TooManyStreams
from backend.enforcement.looking import Looking
from backend.enforcement.streams import AccountStream, Frame, frames_of, meters
from backend.subscription.entitlements import Entitlements, resolve
from backend.usage.live import Look, Recent, look
from backend.usage.model import Window

# Of an account all together; of an operator who acts as users, wherever that is.
MOST_OF_ACCOUNT, MOST_OF_OPERATOR, MOST_OF_PROCESS = 5, 5, 200
# So many new rows of an account in one look; one with more has a gap.
_MOST_ROWS = 1_000
# Limits change with the account's version, or when it was known that they would. The catalog changes by itself.
_TERMS_FOR = timedelta(seconds=15)


@dataclass(slots=True, eq=False)
class Watched:
    """One account that somebody watches, and what they were told of it."""

    account_id: AccountId
    streams: set[AccountStream] = field(default_factory=set)
    told: dict[str, int] | None = None
    """Which rows, with their amounts or counts, as far back as the next look goes; None before the first one."""
    terms: Entitlements | None = None
    read_at: datetime | None = None
    meters: list[dict[str, Any]] | None = None
    frame: bytes = b""


class Live:
    """One for a process; its task lives while somebody looks on."""

    def __init__(self, database: Database, catalogs: Catalogs, clock: Clock) -> None:
        self._database = database
        self._catalogs = catalogs
        self._clock = clock
        self._accounts: dict[AccountId, Watched] = {}
        self._versions: dict[AccountId, int] = {}
        self._looking = Looking("live", lambda: self._look(), lambda: bool(self._accounts))
        self._is_ending = False

    @property
    def streams(self) -> list[AccountStream]:
        return [stream for watched in self._accounts.values() for stream in watched.streams]

    async def join(self, stream: AccountStream) -> None:
        """From now on the stream is told what is new. Raises TooManyStreams, Unavailable."""
        if self._is_ending or len(self.streams) >= MOST_OF_PROCESS:
            raise Unavailable(
                "As many live views are open here as there may be. Try again.", headers={"Retry-After": "5"}
            )
        self._ensure_room(stream)
        watched = self._accounts.setdefault(stream.account_id, Watched(stream.account_id))
        watched.streams.add(stream)
        try:
            if watched.told is None:
                await self._looking.looked()
        except BaseException:
            self.leave(stream)
            raise
        if watched.frame:
            stream.put_meters(watched.frame)

    def _ensure_room(self, stream: AccountStream) -> None:
        """An operator who acts as a user takes no place of the account's. Raises TooManyStreams."""
        alike = [other for other in self.streams if other.operator_id == stream.operator_id]
        most, whose = MOST_OF_OPERATOR, "are open to you as a user"
        if stream.operator_id is None:
            alike = [other for other in alike if other.account_id == stream.account_id]
            most, whose = MOST_OF_ACCOUNT, "of this account are open"
        if len(alike) >= most:
            raise TooManyStreams(
                f"{most} live views {whose}, as many as there may be. Close one.",
                headers={"Retry-After": "5"},
                limit=most,
                retryable=True,
            )

    def leave(self, stream: AccountStream) -> None:
        """Nothing more is told to it."""
        watched = self._accounts.get(stream.account_id)
        if watched is not None:
            watched.streams.discard(stream)
            if not watched.streams:
                del self._accounts[stream.account_id]

    def end(self) -> None:
        """All streams end, and no new ones begin: the process is about to."""
        self._is_ending = True
        for stream in self.streams:
            stream.end()

    async def close(self) -> None:
        self.end()
        await self._looking.close()

    async def _look(self) -> None:
        now, accounts = self._clock.now(), list(self._accounts.values())
        streams = self.streams
        async with self._database.read() as session:
            for watched in accounts:
                await self._renew(session, watched, now)
            found = await look(
                session,
                {watched.account_id: _windows(watched.terms) for watched in accounts},
                versions={account_id for stream in streams for account_id in stream.accounts},
                keys={stream.key_id for stream in streams if stream.key_id is not None},
                now=now,
                most=_MOST_ROWS,
            )
        self._doubt(streams, found)
        for watched in accounts:
            _tell(watched, found.recent[watched.account_id])
            self._tell_meters(watched, found, now)

    async def _renew(self, session: ReadSession, watched: Watched, now: datetime) -> None:
        """The limits, where they may have changed."""
        is_known = watched.read_at is not None and now - watched.read_at < _TERMS_FOR
        if is_known and (watched.terms is None or now < watched.terms.good_until):
            return
        watched.terms = await resolve(session, account_id=watched.account_id, catalogs=self._catalogs, now=now)
        watched.read_at = now
        if watched.terms is None or watched.terms.account.status != "active":
            for stream in watched.streams:
                stream.end()

    def _doubt(self, streams: list[AccountStream], found: Look) -> None:
        """Who acts by something that has changed, or is gone, is looked at again."""
        changed = {each for each, version in found.versions.items() if self._versions.get(each) != version}
        self._versions = dict(found.versions)
        for stream in streams:
            is_gone = stream.key_id is not None and stream.key_id not in found.keys
            if is_gone or not changed.isdisjoint(stream.accounts):
                stream.doubt()
        for account_id in changed & self._accounts.keys():
            self._accounts[account_id].read_at = None

    def _tell_meters(self, watched: Watched, found: Look, now: datetime) -> None:
        if watched.terms is None:
            return
        snapshot = _snapshot(watched.terms, found, watched.account_id)
        if snapshot == watched.meters:
            return
        as_of = now + watched.terms.account.clock_offset
        watched.meters = snapshot
        watched.frame = meters({"as_of": as_of.isoformat(), "meters": snapshot})
        for stream in watched.streams:
            stream.put_meters(watched.frame)


def _tell(watched: Watched, recent: Recent) -> None:
    """What those who watch have not been told. Who has just come reads what was before by themselves."""
    before, watched.told = watched.told, {row["id"]: row["amount"] for row in recent.usage}
    watched.told |= {row["id"]: row["count"] for row in recent.denials}
    if before is None:
        return
    new = Recent(
        [row for row in recent.usage if before.get(row["id"]) != row["amount"]],
        [row for row in recent.denials if row["id"] not in before],
        is_cut=False,
    )
    frames: list[Frame] = list(frames_of(new))
    # The look was too short where even the oldest that it has read is new.
    is_cut = recent.is_cut and len(new.usage) + len(new.denials) >= _MOST_ROWS
    for stream in watched.streams:
        if is_cut:
            stream.fall_behind()
        if frames:
            stream.put(frames)


def _windows(terms: Entitlements | None) -> list[tuple[str, Window]]:
    return [] if terms is None else [(meter.key, terms.window(meter)) for meter in terms.catalog.meters]


def _snapshot(terms: Entitlements, found: Look, account_id: AccountId) -> list[dict[str, Any]]:
    counters, listed = found.counters[account_id], []
    for meter in terms.catalog.meters:
        counter = counters.get(meter.key, {})
        used, held, limit = counter.get("used", 0), counter.get("held", 0), terms.quota(meter.key).limit
        remaining = remaining_of(limit, used, held, counter.get("forfeited", 0))
        listed.append({"meter": meter.key, "used": used, "held": held, "limit": limit, "remaining": remaining})
    return listed
