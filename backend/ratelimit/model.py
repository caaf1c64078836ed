"""The words of rate limits: subject, bucket, take, verdict."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import NewType
from uuid import UUID

from feature_platform.core import gcra
from feature_platform.core.gcra import RateLimit

from backend.core.ids import AccountId

Subject = NewType("Subject", str)
Address = IPv4Address | IPv6Address

_SCOPE = re.compile(r"[a-z][a-z0-9_]*")
_SEPARATOR = "|"


def account_subject(account_id: AccountId) -> Subject:
    """An account is one subject, whichever of its users and keys calls."""
    return Subject(f"account:{account_id}")


def key_subject(key_id: UUID) -> Subject:
    """An API key, beside its account."""
    return Subject(f"key:{key_id}")


def address_subject(address: Address) -> Subject:
    """Where an anonymous caller comes from: an IPv4 address, or the /64 of an IPv6 one, which a single caller has."""
    if isinstance(address, IPv4Address):
        return Subject(f"address:{address}")
    if address.ipv4_mapped is not None:
        return Subject(f"address:{address.ipv4_mapped}")
    return Subject(f"address:{IPv6Network((int(address), 64), strict=False)}")


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one limit counts: one subject in one scope (`api`, ...). Raises ValueError for a scope that is no word."""

    scope: str
    subject: Subject

    def __post_init__(self) -> None:
        if not _SCOPE.fullmatch(self.scope):
            raise ValueError(f"a scope is a lower-case word, not {self.scope!r}")
        if _SEPARATOR in self.subject:
            raise ValueError(f"a subject has no {_SEPARATOR!r}: {self.subject!r}")

    @property
    def key(self) -> str:
        """The name under which stores keep it. The subject comes first, so that all its buckets share a prefix."""
        return f"{self.subject}{_SEPARATOR}{self.scope}"


def key_prefix(subject: Subject) -> str:
    """What the keys of all buckets of a subject begin with, and no others."""
    return f"{subject}{_SEPARATOR}"


@dataclass(frozen=True, slots=True)
class Take:
    """One wish: `cost` units of a bucket under a limit. A cost of 0 only looks."""

    bucket: Bucket
    limit: RateLimit
    cost: int = 1


@dataclass(frozen=True, slots=True)
class RateVerdict:
    """What a store answers. Times are microseconds from the moment of the answer.

    `retry_after` is 0 when allowed and None when the cost is above the burst and can never pass. `degraded`: the
    shared store did not answer, and `limit` is the share of one process.
    """

    allowed: bool
    limit: RateLimit
    remaining: int
    retry_after: int | None
    reset_after: int
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Rated:
    """A rate limit that counted a request."""

    scope: str
    verdict: RateVerdict


def checked(takes: Sequence[Take]) -> Sequence[Take]:
    """The takes, if each names another bucket and none has a negative cost. Raises ValueError."""
    if len({take.bucket for take in takes}) != len(takes):
        raise ValueError("a bucket can be named once in a request")
    if any(take.cost < 0 for take in takes):
        raise ValueError("a rate limit gives nothing back")
    return takes


def decide(
    takes: Sequence[Take], tats: Sequence[int | None], now: int
) -> tuple[tuple[RateVerdict, ...], tuple[int | None, ...]]:
    """All or nothing: a verdict for each take, and what each bucket becomes; None leaves it as it is.

    With a refusal the takes that would have passed by themselves are allowed, and show their bucket untouched. A
    state further ahead than an empty bucket (a clock set back, a limit lowered) is corrected whatever the verdict:
    else it would stay as far ahead, and the wait that was told would not be enough.
    """
    found = [gcra.check(tat, now, take.limit, take.cost) for take, tat in zip(takes, tats, strict=True)]
    taken = all(verdict.allowed for verdict in found)
    if not taken:
        found = [
            gcra.check(tat, now, take.limit, 0) if verdict.allowed else verdict
            for take, tat, verdict in zip(takes, tats, found, strict=True)
        ]
    states = tuple(
        verdict.tat if (taken and take.cost) or (tat is not None and tat > verdict.tat) else None
        for take, tat, verdict in zip(takes, tats, found, strict=True)
    )
    return tuple(rate_verdict(take.limit, verdict) for take, verdict in zip(takes, found, strict=True)), states


def rate_verdict(limit: RateLimit, verdict: gcra.Verdict) -> RateVerdict:
    """A verdict with its limit, without the state."""
    return RateVerdict(verdict.allowed, limit, verdict.remaining, verdict.retry_after, verdict.reset_after)
