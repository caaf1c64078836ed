"""Leases: a process withdraws some units of a shared bucket at once, and lets requests pass by them in memory.

A lease lasts a second. It is at most an eighth of the burst, and at most what the rate gives back in a second, so
that limits for people have none and stay exact; all leases of a bucket together are at most a quarter of its burst.
That is how much more than burst + rate * t may pass in a stretch of t seconds: units withdrawn just before it and
spent within it. What is left of a lease goes back with the next one.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from feature_platform.core import gcra
from feature_platform.core.gcra import MICROSECONDS, RateLimit, Verdict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from backend.ratelimit.memory import monotonic_microseconds
from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take, key_prefix, rate_verdict
from backend.ratelimit.store import RateStore, RateStoreUnavailable, translated

LEASE = MICROSECONDS

_LOCK = text("""
    SELECT tat, leased, leased_until, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now
    FROM rate_limit_states WHERE key = :key FOR UPDATE
""")
_WRITE = text("""
    UPDATE rate_limit_states
    SET tat = :tat, leased = :leased, leased_until = :leased_until, updated_at = clock_timestamp() WHERE key = :key
""")
_ENSURE = text("INSERT INTO rate_limit_states (key, tat) VALUES (:key, 0) ON CONFLICT (key) DO NOTHING")

_MOST_KEPT = 50_000

OpenSession = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@dataclass(slots=True)
class _Lease:
    """Units in the hand of this process, and the bucket as it was when they were withdrawn (this process's clock)."""

    left: int
    size: int
    until: int
    tat: int


def largest(limit: RateLimit) -> int:
    """The most units that one lease withdraws beside the one that is spent at once."""
    return min(limit.burst // 8, limit.requests // limit.per_seconds)


def extra(limit: RateLimit, *, wish: int, remaining: int, outstanding: int) -> int:
    """How many units a lease gets of a bucket in which so many remain and so many are leased."""
    return max(0, min(wish, largest(limit), remaining, limit.burst // 4 - outstanding))


class LeasedRateStore:
    """A shared store whose large limits are spent in memory. `open_session` is as in PostgresRateStore."""

    def __init__(
        self, shared: RateStore, open_session: OpenSession, *, clock: Callable[[], int] = monotonic_microseconds
    ) -> None:
        self._shared = shared
        self._open = open_session
        self._clock = clock
        self._leases: dict[str, _Lease] = {}

    def take_now(self, key: str, limit: RateLimit) -> Verdict | None:
        """One unit from a lease, without waiting; None where there is none."""
        lease = self._leases.get(key)
        if lease is None or lease.left <= 0:
            return None
        now = self._clock()
        if now >= lease.until:
            return None
        lease.left -= 1
        reset_after = max(0, lease.tat - now - lease.left * limit.interval)
        remaining = (limit.capacity - reset_after) // limit.interval
        return Verdict(allowed=True, tat=lease.tat, remaining=remaining, retry_after=0, reset_after=reset_after)

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        if cost != 1 or largest(limit) < 1:
            return await self._shared.take(bucket, limit, cost)
        found = self.take_now(bucket.key, limit)
        if found is None:
            found = await self._withdraw(bucket.key, limit)
        return rate_verdict(limit, found) if found is not None else await self._shared.take(bucket, limit, cost)

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        return await self._shared.take_all(takes)

    async def clear(self, subject: Subject) -> int:
        for key in [key for key in self._leases if key.startswith(key_prefix(subject))]:
            del self._leases[key]
        return await self._shared.clear(subject)

    async def _withdraw(self, key: str, limit: RateLimit) -> Verdict | None:
        """One unit to spend at once, and a lease. None: the shared store is to be asked, which knows what to do."""
        last = self._leases.pop(key, None)
        wish, returned = _wish(last), last.left if last else 0
        try:
            with translated():
                async with self._open() as session:
                    row = (await session.execute(_LOCK, {"key": key})).one_or_none()
                    if row is None:
                        await session.execute(_ENSURE, {"key": key})
                        return None
                    outstanding = max(0, row.leased - returned) if row.leased_until > row.now else 0
                    verdict = gcra.check(row.tat - returned * limit.interval, row.now, limit)
                    more = extra(limit, wish=wish, remaining=verdict.remaining, outstanding=outstanding)
                    taken = gcra.check(verdict.tat, row.now, limit, more) if verdict.allowed and more else verdict
                    await session.execute(
                        _WRITE,
                        {
                            "key": key,
                            "tat": taken.tat,
                            "leased": outstanding + (more if verdict.allowed else 0),
                            "leased_until": row.now + LEASE if more and verdict.allowed else row.leased_until,
                        },
                    )
        except RateStoreUnavailable:
            # The lease that went back is lost, which only makes the limit tighter for a moment.
            return None
        if verdict.allowed:
            self._keep(key, _Lease(more, max(1, more), self._clock() + LEASE, self._clock() + taken.reset_after))
        return verdict

    def _keep(self, key: str, lease: _Lease) -> None:
        if len(self._leases) >= _MOST_KEPT:
            for old in list(self._leases)[: _MOST_KEPT // 8]:
                del self._leases[old]
        self._leases[key] = lease


def _wish(last: _Lease | None) -> int:
    """Twice the last lease where that was used up; else one unit."""
    if last is None or last.left:
        return 1
    return last.size * 2
