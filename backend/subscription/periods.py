"""The one calendar of billing, quota resets and windows. Pure: moments are parameters, aware, and come back in UTC.

Boundary n is the anchor's wall time in the billing zone plus n intervals, counted from the anchor itself and never
from the boundary before it: Jan 31, Feb 28, Mar 31. A wall time becomes a moment by one rule, `first_moment`, which
never decreases when the wall time increases; so periods neither overlap nor leave a gap, whatever the clocks do.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from backend.usage.model import Window

Unit = Literal["day", "week", "month", "year"]

_DAYS: dict[str, int] = {"day": 1, "week": 7}
_MONTHS: dict[str, int] = {"month": 1, "year": 12}
_SECOND = timedelta(seconds=1)
_ONE_DAY = timedelta(days=1)


class CalendarOutOfRange(ValueError):
    """A boundary lies outside the years 1 to 9999."""


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a period is on the calendar: `count` times `unit`, `count` at least 1."""

    unit: Unit
    count: int = 1

    def __post_init__(self) -> None:
        if self.unit not in _DAYS and self.unit not in _MONTHS:
            raise ValueError(f"an interval is of days, weeks, months or years, not of {self.unit!r}")
        if self.count < 1:
            raise ValueError(f"an interval has at least one {self.unit}, not {self.count}")


@dataclass(frozen=True, slots=True)
class Period:
    """Half-open: [start, end). `number` counts intervals from the anchor; the first is 0, earlier ones are negative."""

    number: int
    start: datetime
    end: datetime


def add_months(anchor_local: datetime, months: int) -> datetime:
    """The anchor's wall time `months` later (or earlier); a day that the month lacks becomes its last.

    `anchor_local` is naive. Raises CalendarOutOfRange.
    """
    year, month = divmod(anchor_local.year * 12 + anchor_local.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise CalendarOutOfRange(f"{months} months from {anchor_local:%Y-%m-%d} is outside the calendar")
    day = anchor_local.day
    if day > 28:
        day = min(day, monthrange(year, month + 1)[1])
    return anchor_local.replace(year=year, month=month + 1, day=day)


def wall_boundary(anchor_local: datetime, n: int, interval: Interval) -> datetime:
    """The anchor's wall time plus n intervals, as naive wall time. Strictly increasing in n."""
    months = _MONTHS.get(interval.unit)
    if months is not None:
        return add_months(anchor_local, n * interval.count * months)
    try:
        return anchor_local + timedelta(days=n * interval.count * _DAYS[interval.unit])
    except OverflowError as error:
        raise CalendarOutOfRange(f"boundary {n} is outside the calendar") from error


def first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which the clocks of the zone read `wall` or later.

    So a wall time that happens twice is its first occurrence, and one that is skipped is the moment after the gap.
    `wall` is naive; the answer is in UTC. Raises CalendarOutOfRange.
    """
    try:
        moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
            return moment
        return _end_of_gap(wall, zone)
    except OverflowError as error:
        raise CalendarOutOfRange(f"{wall} in {zone.key} is outside the calendar") from error


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment of the transition that skips `wall`, to the second, as transitions are."""
    # PEP 495: inside a gap, fold=1 reads the offset after it (a moment before the transition), fold=0 the one before.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC).replace(microsecond=0)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC).replace(microsecond=0) + _SECOND
    seconds = int((after - before).total_seconds())
    low, high = 0, seconds
    while low < high:
        middle = (low + high) // 2
        reading = (before + timedelta(seconds=middle)).astimezone(zone).replace(tzinfo=None)
        if reading >= wall:
            high = middle
        else:
            low = middle + 1
    return before + timedelta(seconds=low)


def boundary(anchor: datetime, n: int, interval: Interval, zone: ZoneInfo) -> datetime:
    """Boundary n of the periods that run from `anchor`. Boundary 0 is the anchor. Never decreases in n.

    Two boundaries are equal only where the zone skipped the whole day between them (Pacific/Apia, 30 December 2011).
    Raises ValueError for a naive anchor, CalendarOutOfRange outside the calendar.
    """
    return _boundary(_utc(anchor), _wall(anchor, zone), n, interval, zone)


def period_containing(anchor: datetime, now: datetime, interval: Interval, zone: ZoneInfo) -> Period:
    """The period with start <= now < end, also for a `now` before the anchor. Never empty.

    Raises ValueError for naive times, CalendarOutOfRange where its end is outside the calendar.
    """
    anchor, now = _utc(anchor), _utc(now)
    local = _wall(anchor, zone)
    number = _guess(local, _wall(now, zone), interval)
    start = _boundary(anchor, local, number, interval, zone)
    # The wall clock guesses the number within a step: days of other months, clocks that were moved, skipped days.
    while start > now:
        number -= 1
        start = _boundary(anchor, local, number, interval, zone)
    end = _boundary(anchor, local, number + 1, interval, zone)
    while end <= now:
        number, start = number + 1, end
        end = _boundary(anchor, local, number + 1, interval, zone)
    return Period(number, start, end)


def period_window(anchor: datetime, now: datetime, interval: Interval, zone: ZoneInfo) -> Window:
    """The window of a quota that resets with the period."""
    period = period_containing(anchor, now, interval, zone)
    return Window(period.start, period.end)


def day_window(now: datetime, zone: ZoneInfo) -> Window:
    """The calendar day of the zone that contains `now`: 23, 24 or 25 hours, from the first moment of the date.

    Where clocks are set back over midnight, a date begins at its first 00:00, and the repeated minutes of the date
    before belong to the new one: a window, once ended, does not come back.
    """
    now = _utc(now)
    date = _wall(now, zone).date()
    start = first_moment(datetime.combine(date, time.min), zone)
    try:
        end = first_moment(datetime.combine(date + _ONE_DAY, time.min), zone)
        while end <= now:
            date += _ONE_DAY
            start, end = end, first_moment(datetime.combine(date + _ONE_DAY, time.min), zone)
    except OverflowError as error:
        raise CalendarOutOfRange(f"the day after {date} is outside the calendar") from error
    return Window(start, end)


def _boundary(anchor: datetime, anchor_local: datetime, n: int, interval: Interval, zone: ZoneInfo) -> datetime:
    # The anchor may be the second of two equal wall times; the rule would give the first.
    return first_moment(wall_boundary(anchor_local, n, interval), zone) if n else anchor


def _guess(anchor_local: datetime, now_local: datetime, interval: Interval) -> int:
    months = _MONTHS.get(interval.unit)
    if months is None:
        return (now_local - anchor_local).days // (interval.count * _DAYS[interval.unit])
    apart = (now_local.year - anchor_local.year) * 12 + now_local.month - anchor_local.month
    number = apart // (interval.count * months)
    return number - 1 if wall_boundary(anchor_local, number, interval) > now_local else number


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment has a time zone; this one has none")
    try:
        return moment.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError as error:
        raise CalendarOutOfRange(f"{moment} in {zone.key} is outside the calendar") from error


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment has a time zone; this one has none")
    return moment.astimezone(UTC)
