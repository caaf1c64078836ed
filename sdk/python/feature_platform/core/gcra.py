"""The rate limiter: the generic cell rate algorithm (ITU-T I.371) as one pure function in whole microseconds.

A bucket is one integer, its theoretical arrival time (TAT): the moment at which it is full again. Each unit moves
that moment on by one interval; a unit passes as long as the bucket is not then more than its capacity away from full.
"""

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

MICROSECONDS = 1_000_000

# An empty bucket is full again within a century: every sum then fits a 64-bit integer, as stores keep it.
_MAX_CAPACITY = 100 * 366 * 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` every `per_seconds`, of which `burst` may come at once.

    Over any stretch of t seconds at most burst + t * requests / per_seconds pass: at 100 a minute with a burst of
    100, 199 in the worst minute. The interval between units is rounded up to a whole microsecond, so the rate is
    never exceeded for it. Raises ValueError for numbers below 1, for rates above one a microsecond, and for a burst
    that takes more than a century to come back.
    """

    requests: int
    per_seconds: int
    burst: int
    interval: int = field(init=False, repr=False, compare=False)
    """Microseconds in which one unit comes back."""
    capacity: int = field(init=False, repr=False, compare=False)
    """Microseconds in which an empty bucket is full again."""

    def __post_init__(self) -> None:
        if min(self.requests, self.per_seconds, self.burst) < 1:
            raise ValueError("a rate limit lets at least one request pass, in at least one second")
        if self.requests > self.per_seconds * MICROSECONDS:
            raise ValueError("a rate limit is at most one request a microsecond")
        interval = -(-self.per_seconds * MICROSECONDS // self.requests)
        if interval * self.burst > _MAX_CAPACITY:
            raise ValueError("a rate limit gives its whole burst back within a century")
        object.__setattr__(self, "interval", interval)
        object.__setattr__(self, "capacity", interval * self.burst)

    def times(self, multiplier: Decimal) -> "RateLimit":
        """The limit of a plan with this multiplier: requests and burst alike, rounded down, at least 1."""
        return RateLimit(_scaled(self.requests, multiplier), self.per_seconds, _scaled(self.burst, multiplier))

    def share(self, processes: int) -> "RateLimit":
        """What one of several processes may let pass by itself: the rate divided exactly, the burst rounded down.

        All shares together stay within the limit, up to one unit of burst for each process.
        """
        return RateLimit(self.requests, self.per_seconds * processes, max(1, self.burst // processes))


class Verdict(NamedTuple):
    """What `check` found. Times are microseconds from `now`."""

    allowed: bool
    tat: int
    """The bucket from now on; as it was when nothing was taken."""
    remaining: int
    """Units that would pass at once, now."""
    retry_after: int | None
    """0 when allowed; None when the cost is above the burst and can never pass."""
    reset_after: int
    """Until the bucket is full again."""


def check(tat: int | None, now: int, limit: RateLimit, cost: int = 1) -> Verdict:
    """Takes `cost` units if they are there, none otherwise; a cost of 0 only looks.

    `tat` and `now` are microseconds of one clock; None is a bucket never used, which is a full one. After exactly
    `retry_after` the same call passes, if nobody else takes from the bucket; one microsecond earlier it does not.
    A clock that is set back, or a limit that is lowered, empties the bucket at most: nobody waits longer than for a
    full one. Raises ValueError for a negative cost.
    """
    if cost < 0:
        raise ValueError("a rate limit gives nothing back")
    capacity, interval = limit.capacity, limit.interval
    full_at = now if tat is None or tat < now else min(tat, now + capacity)
    after = full_at + cost * interval
    excess = after - now - capacity
    if excess <= 0:
        return Verdict(True, after, -excess // interval, 0, after - now)  # noqa: FBT003 - by position, which takes half as long
    return Verdict(
        allowed=False,
        tat=full_at,
        remaining=(now + capacity - full_at) // interval,
        retry_after=excess if cost <= limit.burst else None,
        reset_after=full_at - now,
    )


def _scaled(amount: int, multiplier: Decimal) -> int:
    return max(1, int((amount * multiplier).to_integral_value(ROUND_FLOOR)))
