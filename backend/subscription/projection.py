"""Where usage is heading: the pace of the last 28 days, carried on to the end of the window. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.usage.series import Pace

TRAILING = timedelta(days=28)
_LEAST = timedelta(days=1)
_TICK = timedelta(microseconds=1)
# What is still to come is not known better than this, in percent.
_UNCERTAIN = 10


@dataclass(frozen=True, slots=True)
class Projection:
    """Between `low` and `high` at the end of the window; `limit_at` is when the limit then in force would be reached
    before."""

    low: int
    high: int
    at: datetime
    limit_at: datetime | None


def project(
    *,
    used: int,
    limit: int | None,
    ahead: Sequence[tuple[datetime, int | None]] = (),
    end: datetime,
    pace: Pace | None,
    now: datetime,
) -> Projection | None:
    """None where less than a day is known, where nothing was used, or where the window is over.

    `ahead`: the moments from which on another limit is in force, in order, each with that limit.
    """
    if pace is None or pace.amount <= 0 or end <= now:
        return None
    seen = min(now - pace.first, TRAILING)
    if seen < _LEAST:
        return None
    to_come = pace.amount * ((end - now) // _TICK)  # times `seen`
    low = used + to_come * (100 - _UNCERTAIN) // (100 * (seen // _TICK))
    high = used - -to_come * (100 + _UNCERTAIN) // (100 * (seen // _TICK))
    limit_at = None
    if limit is None or used < limit:
        changes = [(now, limit), *((at, then) for at, then in ahead if at < end)]
        untils = [*(at for at, _ in changes[1:]), end + _TICK]
        for (since, then), until in zip(changes, untils, strict=True):
            to_go = None if then is None else max(0, then - used)
            if to_go is None or to_go * (seen // _TICK) > to_come:
                continue
            reached_at = max(since, now + seen * to_go / pace.amount)
            if reached_at < until:
                limit_at = reached_at
                break
    return Projection(max(used, _rounded(low)), -_rounded(-high), end, limit_at)


def _rounded(value: int) -> int:
    """Down to two digits: more would look like knowledge."""
    unit: int = 10 ** max(0, len(str(abs(value))) - 2)
    return value // unit * unit
