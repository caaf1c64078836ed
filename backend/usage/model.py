"""The words of counting: window, counter, cost, identity."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from backend.core.ids import AccountId, UserId

API_CALLS, JOBS, STORAGE, COMPUTE = "api_calls", "jobs", "storage", "compute"

# The level of open reservations on `jobs`: a counter like the others, so that it is locked and checked with them.
JOBS_IN_FLIGHT = "jobs_in_flight"

# Where the one window of a level begins; it has no end.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The largest amount of one request, and the largest a counter may reach: no sum of the two leaves a bigint.
MAX_AMOUNT = 10**15
MAX_COUNTER = 9 * 10**18

BYTES_PER_MB = 10**6
SECONDS_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open: [start, end). A level never ends."""

    start: datetime
    end: datetime | None


LEVEL = Window(EPOCH, None)

# Made once: `json.dumps` makes an encoder for each call that wants another than the usual one.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def content_hash(content: Mapping[str, Any]) -> bytes:
    """Of what was asked, in one way of writing it."""
    return sha256(_canonical(content).encode()).digest()


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter as it stands, in base units."""

    meter: str
    window: Window
    used: int = 0
    held: int = 0
    forfeited: int = 0

    @property
    def taken(self) -> int:
        """What is not free: used, held and forfeited."""
        return self.used + self.held + self.forfeited


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request wants of one counter. `limit` in base units; None is unlimited, 0 is nothing."""

    meter: str
    window: Window
    amount: int
    limit: int | None

    def fits(self, counter: Counter) -> bool:
        """The grant rule: used + held + forfeited + amount <= limit. Giving back always fits."""
        if self.amount <= 0:
            return True
        if counter.taken > MAX_COUNTER - self.amount:
            return False
        return self.limit is None or counter.taken + self.amount <= self.limit


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose usage it is, and the period whose record it enters."""

    account_id: AccountId
    owner_user_id: UserId | None
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """Who spent, and what the spender says of it."""

    key_id: UUID | None = None
    subject: str | None = None
    properties: Mapping[str, Any] | None = None


class Identity(NamedTuple):
    """A caller's own id of one spend: unique per account for 400 days."""

    digest: bytes
    content_hash: bytes
    external_id: str

    @classmethod
    def of(cls, account_id: AccountId, external_id: str, content: Mapping[str, Any]) -> "Identity":
        """`content` is what must be the same in a repetition; the time is not part of it."""
        return cls.named(account_id, external_id, content_hash(content))

    @classmethod
    def named(cls, account_id: AccountId, external_id: str, hashed: bytes) -> "Identity":
        """The same, of content that was hashed already."""
        return cls(sha256(account_id.bytes + external_id.encode()).digest(), hashed, external_id)

    def is_same(self, other: "Identity") -> bool:
        """Whether the two are repetitions of one spend, and not two things under one id."""
        return self.content_hash == other.content_hash


@dataclass(frozen=True, slots=True)
class FirstResult:
    """What the first spend under an identity answered."""

    content_hash: bytes
    result: Mapping[str, Any]
