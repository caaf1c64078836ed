"""Buckets that several processes share, with as few questions to the database as exactness allows.

All that are asked for while a question is under way share the next one. And a process withdraws some units of a large
bucket at once, and lets requests pass by them in memory: a lease. It is at most an eighth of the burst, and at most
what the rate gives back in a second; limits for people have none and stay exact. Leases end with the second of the
database's clock in which they were taken, so that whatever became of their process, nobody holds any of an earlier
one. What is left of a lease goes back with the next one, if that is taken in the second after, or nobody has taken
any since: what came back later could come on top of a bucket that has filled again. All leases of a second together
are at most an eighth of the burst; so at no time more than a quarter of it is out and can be spent or come back. That
is how much more than burst + rate * t may pass in a stretch of t seconds: units withdrawn before it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from feature_platform.core import gcra
from feature_platform.core.gcra import MICROSECONDS, RateLimit, Verdict

from backend.db.batches import Batches
from backend.ratelimit.memory import monotonic_microseconds
from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take, key_prefix, rate_verdict
from backend.ratelimit.store import RateStore, RateStoreUnavailable, translated
from backend.ratelimit.withdrawals import Shared, WithdrawalConnection

LEASE = MICROSECONDS
# Below so many units a lease saves nothing, and would keep them from others.
LEAST = 8

_MOST_KEPT = 50_000
_MOST_IN_A_BATCH = 512


@dataclass(slots=True)
class _Lease:
    """Units in the hand of this process, and the bucket as it was when they were withdrawn (this process's clock)."""

    limit: RateLimit
    left: int
    size: int
    """What the bucket counts as leased to this process, or less; not below `left`."""
    until: int
    tat: int
    ends_at: int
    """The same moment as `until`, by the database's clock."""
    is_wanted: bool = False


@dataclass(slots=True, eq=False)
class _Want:
    """One unit to spend at once; or none, where only the lease is to be renewed."""

    key: str
    limit: RateLimit
    cost: int
    answer: "asyncio.Future[Verdict]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, verdict: Verdict) -> None:
        if not self.answer.done():
            self.answer.set_result(verdict)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # there may be nobody who waits for it


def largest(limit: RateLimit) -> int:
    """The most units that a process may have in its hand; none of a small limit."""
    most = min(limit.burst // 8, limit.requests // limit.per_seconds)
    return most if most >= LEAST else 0


def extra(limit: RateLimit, *, wish: int, remaining: int, outstanding: int, in_hand: int = 0) -> int:
    """How many units a process gets beside those in its hand; `outstanding` are with others, `remaining` in all."""
    return max(0, min(min(wish, largest(limit), limit.burst // 8 - outstanding) - in_hand, remaining))


class _Withdrawal:
    """What one bucket gives to those who want of it, decided under its lock. `asked_at` is of this process's clock."""

    def __init__(self, shared: Shared, wants: Sequence[_Want], last: _Lease | None, now: int, asked_at: int) -> None:
        limit = wants[-1].limit
        tat, in_hand, mine, is_live = shared.tat, 0, 0, False
        wish = _wish(last)
        if last is not None:
            # By the database's clock: once its second is over, others may have all that may be out.
            is_live = last.limit == limit and now < last.ends_at
            is_latest = last.ends_at == shared.leased_until
            if is_latest:
                mine = last.size
            if is_live:
                in_hand = last.left
            else:
                if is_latest or now < last.ends_at + LEASE:
                    tat -= last.left * last.limit.interval
                last.left = 0  # given back once, whether or not it is heard that this was written
        outstanding = max(0, shared.leased - mine) if shared.leased_until > now else 0
        self.verdicts = []
        for want in wants:
            verdict = gcra.check(tat, now, want.limit, want.cost)
            tat = verdict.tat
            self.verdicts.append((want, verdict))
        more = extra(limit, wish=wish, remaining=verdict.remaining, outstanding=outstanding, in_hand=in_hand)
        taken = gcra.check(tat, now, limit, more)
        if last is not None:
            last.size = min(last.size, in_hand + more)  # it may be written and not heard of
        ends_at = (now // LEASE + 1) * LEASE
        self.after = Shared(shared.key, taken.tat, outstanding + in_hand + more, ends_at)
        self.last = last if is_live else None
        self.lease = _Lease(
            limit=limit,
            left=more,
            size=in_hand + more,
            until=asked_at + ends_at - now,
            tat=asked_at + taken.reset_after,
            ends_at=ends_at,
        )

    def settle(self) -> _Lease:
        """It is written: everybody has an answer. What is left in the hand by now goes on with the new lease."""
        for want, verdict in self.verdicts:
            want.settle(verdict)
        if self.last is not None:
            self.lease.left += self.last.left
            self.last.left = 0
        return self.lease


class LeasedRateStore:
    """One for a process, with a connection of its own. `shared` answers what is not one unit of one bucket."""

    def __init__(self, shared: RateStore, url: str, *, clock: Callable[[], int] = monotonic_microseconds) -> None:
        self._shared = shared
        self._url = url
        self._clock = clock
        self._leases: dict[str, _Lease] = {}
        self._batches = Batches(self._write, name="rate limits", most=_MOST_IN_A_BATCH)
        self._connection: WithdrawalConnection | None = None

    async def close(self) -> None:
        await self._batches.close()
        if self._connection is not None:
            await self._connection.close()

    def take_now(self, key: str, limit: RateLimit) -> Verdict | None:
        """One unit from a lease, without waiting; None where there is none."""
        lease = self._leases.get(key)
        if lease is None or lease.left <= 0 or (lease.limit is not limit and lease.limit != limit):
            return None
        now = self._clock()
        if now >= lease.until:
            return None
        lease.left -= 1
        if lease.left * 4 < lease.size and not lease.is_wanted:
            lease.is_wanted = True
            self._batches.add(_Want(key, limit, 0))
        reset_after = max(0, lease.tat - now - lease.left * limit.interval)
        remaining = (limit.capacity - reset_after) // limit.interval
        return Verdict(allowed=True, tat=lease.tat, remaining=remaining, retry_after=0, reset_after=reset_after)

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        if cost != 1:
            return await self._shared.take(bucket, limit, cost)
        found = self.take_now(bucket.key, limit)
        if found is None:
            want = _Want(bucket.key, limit, 1)
            self._batches.add(want)
            found = await want.answer
        return rate_verdict(limit, found)

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        if len(takes) == 1:
            return (await self.take(takes[0].bucket, takes[0].limit, takes[0].cost),)
        return await self._shared.take_all(takes)

    async def clear(self, subject: Subject) -> int:
        for key in [key for key in self._leases if key.startswith(key_prefix(subject))]:
            del self._leases[key]
        return await self._shared.clear(subject)

    async def _write(self, wants: list[_Want]) -> None:
        by_key: dict[str, list[_Want]] = {}
        for want in wants:
            if not self._is_settled(want):
                by_key.setdefault(want.key, []).append(want)
        if not by_key:
            return
        keys = sorted(by_key)
        with translated():
            connection, found, now, asked_at = await self._lock(keys)
            async with connection.transaction():
                if len(found) < len(keys):
                    raise RateStoreUnavailable("the buckets vanish as soon as they are made")
                withdrawals = [
                    _Withdrawal(found[key], by_key[key], self._leases.get(key), now, asked_at) for key in keys
                ]
                await connection.write([one.after for one in withdrawals])
        for one in withdrawals:
            lease, key = one.settle(), one.after.key
            if one.last is None or self._leases.get(key) is one.last:  # else it was cleared meanwhile
                self._keep(key, lease)

    def _is_settled(self, want: _Want) -> bool:
        """Nobody waits for it any more; or there is a unit for it, since others of its bucket were served."""
        if want.cost and not want.answer.done():
            verdict = self.take_now(want.key, want.limit)
            if verdict is not None:
                want.settle(verdict)
        return want.answer.done()

    async def _lock(self, keys: Sequence[str]) -> tuple[WithdrawalConnection, dict[str, Shared], int, int]:
        """Once more on a new connection where the old one turns out to have died: nothing was taken yet."""
        for is_last in (self._connection is None, True):
            connection, asked_at = await self._ready(), self._clock()
            try:
                async with connection.transaction():
                    found, now = await connection.lock(keys)
                    return connection, found, now, asked_at
            except psycopg.OperationalError:
                if is_last or not connection.is_broken:
                    raise
        raise AssertionError("unreachable")

    async def _ready(self) -> WithdrawalConnection:
        if self._connection is None or self._connection.is_broken:
            if self._connection is not None:
                await self._connection.close()
            self._connection = None
            self._connection = await WithdrawalConnection.open(self._url)
        return self._connection

    def _keep(self, key: str, lease: _Lease) -> None:
        """Those renewed last are the last to be forgotten; one without units says nothing."""
        self._leases.pop(key, None)
        if not lease.size:
            return
        if len(self._leases) >= _MOST_KEPT:
            for old in list(self._leases)[: _MOST_KEPT // 8]:
                del self._leases[old]
        self._leases[key] = lease


def _wish(last: _Lease | None) -> int:
    """Four times the last lease where that was used up, twice what was used of it otherwise; at least one unit."""
    if last is None:
        return 1
    return max(1, 2 * (last.size - last.left) if last.left else 4 * last.size)
