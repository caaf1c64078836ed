"""Verified credentials and accounts, remembered for less than a second since the database last confirmed them.

Every change that matters (plan, override, key, session, role, status) raises the account's version in its own
transaction. The versions of the accounts in use are read again four times a second; what has changed, or was not
confirmed in the last nine tenths of a second, is not used: the request then reads everything anew.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from feature_platform.core.gcra import RateLimit

from backend.auth.principal import Principal
from backend.catalog.repository import StateKey
from backend.catalog.service import Catalogs
from backend.core.ids import AccountId
from backend.enforcement.allowances import Lot
from backend.enforcement.decide import Ask
from backend.enforcement.journal import boot_nanoseconds
from backend.enforcement.key_limit import own_take
from backend.enforcement.spend_store import Tab
from backend.ratelimit.model import Bucket, Take
from backend.subscription.entitlements import Entitlements
from backend.usage.model import Source

# Nanoseconds for which a confirmation counts, from before it was asked for.
FRESH = 900_000_000
# What was not used for so long is not confirmed any more, and after a minute forgotten.
_WATCHED = 10_000_000_000
_FORGOTTEN = 60_000_000_000
# That a key is used is noted so often, and never of who has none.
_NOTED, _NEVER = 60_000_000_000, 2**63
MOST_SEATS = 200_000


class Wording(NamedTuple):
    """What an answer says of its limits, as far as it is the same for every request of a pass and a metering."""

    policy: tuple[bytes, bytes]
    limit: tuple[bytes, bytes]
    state: bytes
    """The value of `RateLimit`, with places for as many numbers as its kind has."""
    lines: bytes
    """All fields as they go over the wire, with places for the request's id and the numbers."""
    decision: bytes
    """The decision as JSON, with places for its limit, used, held and remaining."""
    has_quota: bool
    has_end: bool


class Strict:
    """What a strict spend of a pass is decided by; its account's version says whether that is still so."""

    __slots__ = ("ask", "by", "entitlements", "tab", "window_ends_at")

    def __init__(self, entitlements: Entitlements, ask: Ask, by: Source, window_ends_at: int | None) -> None:
        self.entitlements = entitlements
        self.ask = ask
        self.by = by
        self.window_ends_at = window_ends_at
        """In seconds since 1970 by the clock of the system."""
        self.tab: Tab | None = None
        """From where the last one was taken."""


class Seat:
    """An account as this process knows it. Moments are nanoseconds of the boot clock."""

    __slots__ = ("entitlements", "fresh_until", "is_used", "passes", "used_at")

    def __init__(self, entitlements: Entitlements, asked_at: int) -> None:
        self.entitlements = entitlements
        self.fresh_until = asked_at + FRESH
        self.is_used = True
        self.used_at = asked_at
        self.passes: list[bytes] = []


class Pass:
    """A credential as this process knows it, with what its hot path needs."""

    __slots__ = (
        "good_until",
        "is_limited_itself",
        "lots",
        "names",
        "noted_until",
        "principal",
        "rate",
        "rate_key",
        "seat",
        "strict",
        "takes",
        "wordings",
    )

    def __init__(self, principal: Principal, seat: Seat, bucket: Bucket, rate: RateLimit, good_until: datetime) -> None:
        self.principal = principal
        self.seat = seat
        self.rate_key = bucket.key
        self.rate = rate
        own = own_take(principal)
        self.takes = (Take(bucket, rate),) if own is None else (Take(bucket, rate), own)
        """The rate limits that count its requests: the account's, and the key's own."""
        self.is_limited_itself = own is not None
        self.noted_until = _NEVER
        """Its use need not be noted before this moment of the boot clock."""
        self.good_until = good_until
        """By the clock of the system: when the credential ends, or the account's plan, override, period or day."""
        self.lots: dict[str, Lot] = {}
        """By the name of the metering, whose feature the account has."""
        self.strict: dict[tuple[str, int], Strict] = {}
        """The same of meters whose spends are durable before they are answered, by metering and amount."""
        self.wordings: dict[str, Wording] = {}
        self.names = b""
        """Who it is, for an application behind a proxy: header fields, put here by who tells it."""

    @property
    def is_fresh(self) -> bool:
        """Whether the database has confirmed it lately: asked again after something was waited for."""
        return boot_nanoseconds() < self.seat.fresh_until


class Passes:
    """One for a process. `find` is the hot path; `note` is told which keys are used, each once a minute."""

    def __init__(
        self, catalogs: Catalogs, *, most: int = MOST_SEATS, note: Callable[[UUID, datetime], None] | None = None
    ) -> None:
        self._catalogs = catalogs
        self._note = note
        self._most = most
        self._passes: dict[bytes, Pass] = {}
        self._seats: dict[AccountId, Seat] = {}
        self._in_use: dict[AccountId, Seat] = {}
        self._watched: list[Seat] = []

    def __len__(self) -> int:
        return len(self._passes)

    def find(self, name: bytes, now: datetime, at: int) -> Pass | None:
        """A pass that may be used now, and is confirmed; `at` is of the boot clock."""
        found = self._passes.get(name)
        if found is None or at >= found.seat.fresh_until or now >= found.good_until:
            return None
        found.seat.is_used = True
        if at >= found.noted_until:
            self._note_use(found, now, at)
        return found

    def remember(
        self,
        name: bytes,
        principal: Principal,
        entitlements: Entitlements,
        *,
        bucket: Bucket,
        rate: RateLimit,
        asked_at: int,
    ) -> Pass | None:
        """What was read from the database at `asked_at` or later. None: another reading has found something newer."""
        account_id = entitlements.account.id
        seat = self._seats.get(account_id)
        if seat is None or _is_older(seat.entitlements, entitlements):
            self._forget(account_id)
            seat = Seat(entitlements, asked_at)
            self._make_room()
            self._seats[account_id] = seat
        elif seat.entitlements.account.version > entitlements.account.version:
            return None
        else:
            if seat.entitlements.now <= entitlements.now:
                seat.entitlements = entitlements
            seat.fresh_until = max(seat.fresh_until, asked_at + FRESH)
            seat.is_used = True
        self._in_use[account_id] = seat
        ends = entitlements.good_until
        found = Pass(principal, seat, bucket, rate, min(ends, principal.good_until or ends))
        if principal.key_id is not None and self._note is not None:
            found.noted_until = asked_at + _NOTED  # who has read it from the database has noted it
        if name not in self._passes:
            seat.passes.append(name)
        self._passes[name] = found
        return found

    def _note_use(self, found: Pass, now: datetime, at: int) -> None:
        found.noted_until = at + _NOTED
        if self._note is not None and found.principal.key_id is not None:
            self._note(found.principal.key_id, now)

    def watched(self) -> Sequence[AccountId]:
        """The accounts in use. Others need not be looked at: what is not confirmed is read anew before it is used."""
        now = boot_nanoseconds()
        for account_id, seat in list(self._in_use.items()):
            if seat.is_used:
                seat.is_used, seat.used_at = False, now
            elif now - seat.used_at >= _WATCHED:
                del self._in_use[account_id]
        self._watched = list(self._in_use.values())
        return [seat.entitlements.account.id for seat in self._watched]

    def confirm(self, versions: Mapping[AccountId, int], catalog: StateKey | None, *, asked_at: int) -> None:
        """Keeps what is as it was; forgets what has changed, and what nobody has used for a minute."""
        remembered = self._catalogs.remembered(catalog)
        for seat in self._watched:
            account = seat.entitlements.account
            if versions.get(account.id) == account.version and seat.entitlements.catalog is remembered:
                seat.fresh_until = max(seat.fresh_until, asked_at + FRESH)
            elif seat.fresh_until <= asked_at + FRESH:  # not one that was read again in the meantime
                seat.fresh_until = 0
                self._forget(account.id)
        if self._seats:
            self._forget_idle(asked_at)

    def _forget(self, account_id: AccountId) -> None:
        seat = self._seats.pop(account_id, None)
        if seat is not None:
            self._in_use.pop(account_id, None)
            for name in seat.passes:
                self._passes.pop(name, None)

    def _forget_idle(self, now: int) -> None:
        """From the oldest on; dictionaries keep the order in which accounts came."""
        for account_id in list(self._seats)[: max(64, len(self._seats) // 64)]:
            seat = self._seats[account_id]
            if now - seat.used_at > _FORGOTTEN and not seat.is_used:
                self._forget(account_id)
            else:
                self._seats[account_id] = self._seats.pop(account_id)

    def _make_room(self) -> None:
        if len(self._seats) >= self._most:
            for account_id in list(self._seats)[: self._most // 8]:
                self._forget(account_id)


def pass_name(authorization: bytes, account: bytes) -> bytes:
    """Under what a credential is remembered: a hash, so that no credential lies in memory for longer than needed."""
    return hashlib.blake2b(authorization + b"\0" + account if account else authorization, digest_size=32).digest()


def _is_older(known: Entitlements, found: Entitlements) -> bool:
    """Whether other terms hold now: of the account, or of all, for applying a catalog raises few versions."""
    version = found.account.version
    return known.account.version < version or (known.account.version == version and known.catalog is not found.catalog)
