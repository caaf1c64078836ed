"""The calendar: the whole sweep, properties, and the days on which clocks do odd things."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.subscription.periods import (
    CalendarOutOfRange,
    Interval,
    add_months,
    boundary,
    day_window,
    first_moment,
    period_containing,
    period_window,
    wall_boundary,
)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Asia/Kolkata",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
)
DAY, WEEK, MONTH, QUARTER, HALF, YEAR = (
    Interval("day"),
    Interval("week"),
    Interval("month"),
    Interval("month", 3),
    Interval("month", 6),
    Interval("year"),
)
INTERVALS = (DAY, WEEK, MONTH, QUARTER, HALF, YEAR)
MONTHS = {MONTH: 1, QUARTER: 3, HALF: 6, YEAR: 12}
MICROSECOND = timedelta(microseconds=1)
FIRST, STARTS = date(2008, 1, 1), 3_653
START_DATES = [FIRST + timedelta(days=n) for n in range(STARTS)]
TIMES = (
    time(0),
    time(0, 30),
    time(1, 30),
    time(2, 30),
    time(3),
    time(12),
    time(23, 59, 59, 999_999),
)


def wall(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A naive wall time."""
    return datetime.combine(date(year, month, day), time(hour, minute))


def at(zone: str, year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return wall(year, month, day, hour, minute).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return wall(year, month, day, hour, minute).replace(tzinfo=UTC)


class TestSweep:
    """Every start date of 10 years x {day, week, 1, 3, 6, 12 months} x 12 time zones.

    A boundary is `first_moment(wall_boundary(...))`, and a period ends where the next one starts. So the sweep shows
    (1) for every start date, interval and number within ten years, which no zone takes part in: wall times are in
    the month they should be, on the anchor's day or the month's last; (2) for every date of the twenty years that
    those can reach, at seven times of day, in every zone: moments never decrease, and read the wall time unless it was
    skipped; (3) for every start date, interval and zone: the public functions are that composition, and find the
    period again. By (1) and (2) that holds for all 160 million periods, not only for those asked in (3).
    """

    @pytest.mark.parametrize("interval", MONTHS, ids=str)
    def test_wall_times_of_months_increase_and_return_to_the_anchor_day(self, interval: Interval) -> None:
        step = MONTHS[interval]
        last_day = {(y, m): monthrange(y, m)[1] for y in range(2008, 2029) for m in range(1, 13)}
        for start in START_DATES:
            anchor = datetime.combine(start, time(10, 30))
            for n in range(1, 120 // step + 1):
                local = wall_boundary(anchor, n, interval)
                year, month = divmod(start.year * 12 + start.month - 1 + n * step, 12)
                day = min(start.day, last_day[year, month + 1])
                assert (local.year, local.month, local.day, local.hour) == (year, month + 1, day, 10)

    @pytest.mark.parametrize(("interval", "days"), [(DAY, 1), (WEEK, 7)], ids=str)
    def test_wall_times_of_days_are_equidistant(self, interval: Interval, days: int) -> None:
        for start in START_DATES:
            anchor = datetime.combine(start, time(10, 30))
            for n in (1, 2, 3, 51, 52, 365, 366, 3_650 // days):
                assert wall_boundary(anchor, n, interval) - wall_boundary(anchor, n - 1, interval) == timedelta(days)
                assert wall_boundary(anchor, n, interval).date() == start + timedelta(days * n)

    @pytest.mark.parametrize("name", ZONES)
    def test_moments_never_decrease_and_read_the_wall_time_unless_it_was_skipped(self, name: str) -> None:
        check_moments(ZoneInfo(name))

    @pytest.mark.parametrize("name", ZONES)
    def test_every_start_finds_its_periods_again(self, name: str) -> None:
        check_starts(ZoneInfo(name))

    @pytest.mark.prove
    def test_both_in_all_time_zones(self) -> None:
        for name in sorted(available_timezones() - set(ZONES)):
            check_moments(ZoneInfo(name))
            check_starts(ZoneInfo(name))


def check_moments(zone: ZoneInfo) -> None:
    before = first_moment(wall(2007, 12, 31), zone)
    skipped = 0
    for n in range(2 * STARTS):
        day = FIRST + timedelta(days=n)
        for clock in TIMES:
            local = datetime.combine(day, clock)
            moment = first_moment(local, zone)
            assert moment >= before, zone
            before = moment
            reading = moment.astimezone(zone).replace(tzinfo=None)
            if reading != local:
                skipped += 1
                assert reading > local, zone
                assert (moment - MICROSECOND).astimezone(zone).replace(tzinfo=None) < local, zone
    assert skipped < 200, zone


def check_starts(zone: ZoneInfo) -> None:
    for index, start in enumerate(START_DATES):
        anchor = first_moment(datetime.combine(start, TIMES[index % len(TIMES)]), zone)
        local = anchor.astimezone(zone).replace(tzinfo=None)
        n = index % 119 + 1
        for interval in INTERVALS:
            expected = first_moment(wall_boundary(local, n, interval), zone)
            period = period_containing(anchor, expected, interval, zone)
            assert period.start == expected, zone
            assert period.end == first_moment(wall_boundary(local, period.number + 1, interval), zone), zone
            if period.number != n:
                # A day that the zone skipped as a whole is the one case in which a number has no period.
                assert first_moment(wall_boundary(local, n + 1, interval), zone) == expected, zone
                assert interval is DAY


aware = st.datetimes(wall(1950, 1, 1), wall(2080, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(ZONES).map(ZoneInfo)
intervals = st.builds(Interval, st.sampled_from(["day", "week", "month", "year"]), st.integers(1, 24))


@given(aware, aware, intervals, zones)
def test_the_period_contains_now_and_borders_on_its_neighbours(
    anchor: datetime, now: datetime, interval: Interval, zone: ZoneInfo
) -> None:
    period = period_containing(anchor, now, interval, zone)
    assert period.start <= now < period.end
    assert period_containing(anchor, period.start, interval, zone) == period
    assert period_containing(anchor, period.end - MICROSECOND, interval, zone) == period
    assert period_containing(anchor, period.end, interval, zone).start == period.end
    assert period_containing(anchor, period.start - MICROSECOND, interval, zone).end == period.start
    window = period_window(anchor, now, interval, zone)
    assert (window.start, window.end) == (period.start, period.end)


@given(aware, st.integers(-300, 300), intervals, zones)
def test_boundaries_never_decrease_and_the_anchor_is_boundary_zero(
    anchor: datetime, n: int, interval: Interval, zone: ZoneInfo
) -> None:
    assert boundary(anchor, 0, interval, zone) == anchor
    try:
        assert boundary(anchor, n, interval, zone) <= boundary(anchor, n + 1, interval, zone)
    except CalendarOutOfRange:
        assert interval.unit == "year"


@given(aware, zones)
def test_days_contain_now_and_border_on_each_other(now: datetime, zone: ZoneInfo) -> None:
    day = day_window(now, zone)
    assert day.end is not None
    assert day.start <= now < day.end
    assert day_window(day.start, zone) == day
    assert day_window(day.end - MICROSECOND, zone) == day
    assert day_window(day.end, zone).start == day.end
    assert day_window(day.start - MICROSECOND, zone).end == day.start


@given(st.datetimes(wall(1900, 1, 1), wall(2100, 1, 1)), st.integers(-1_200, 1_200))
def test_months_forth_and_back_keep_the_day_up_to_the_clamp(local: datetime, months: int) -> None:
    there = add_months(local, months)
    back = add_months(there, -months)
    assert (back.year, back.month) == (local.year, local.month)
    assert there.day == min(local.day, monthrange(there.year, there.month)[1])
    assert there.time() == local.time()


def local_starts(zone: str, anchor: datetime, interval: Interval, numbers: range) -> list[str]:
    moments = (boundary(anchor, n, interval, ZoneInfo(zone)) for n in numbers)
    return [f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" for moment in moments]


def test_a_month_end_returns_to_its_day() -> None:
    anchor = utc(2026, 1, 31, 8)
    starts = local_starts("UTC", anchor, MONTH, range(5))
    assert [start[:10] for start in starts] == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


def test_a_leap_day_returns_every_fourth_year() -> None:
    starts = local_starts("UTC", utc(2024, 2, 29), YEAR, range(6))
    assert [start[:10] for start in starts] == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
        "2029-02-28",
    ]
    assert boundary(utc(2096, 2, 29), 4, YEAR, ZoneInfo("UTC")) == utc(2100, 2, 28)


def test_berlin_keeps_its_wall_time_over_both_changes() -> None:
    anchor = at("Europe/Berlin", 2026, 3, 1, 2, 30)
    days = local_starts("Europe/Berlin", anchor, DAY, range(27, 30))
    assert days == ["2026-03-28 02:30", "2026-03-29 03:00", "2026-03-30 02:30"]
    autumn = boundary(at("Europe/Berlin", 2026, 10, 1, 2, 30), 24, DAY, ZoneInfo("Europe/Berlin"))
    assert autumn == utc(2026, 10, 25, 0, 30), "the first of the two 02:30"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("UTC", date(2026, 3, 29), 24),
    ],
)
def test_a_day_has_the_hours_that_the_zone_gives_it(zone: str, day: date, hours: float) -> None:
    noon = datetime.combine(day, time(12), ZoneInfo(zone))
    window = day_window(noon.astimezone(UTC), ZoneInfo(zone))
    assert window.end is not None
    assert window.end - window.start == timedelta(hours=hours)
    assert window.start.astimezone(ZoneInfo(zone)).date() == day


def test_sao_paulo_has_days_without_midnight() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    window = day_window(at("America/Sao_Paulo", 2018, 11, 4, 12), zone)
    assert window.start == utc(2018, 11, 4, 3)
    assert window.start.astimezone(zone).time() == time(1)
    starts = local_starts("America/Sao_Paulo", at("America/Sao_Paulo", 2018, 10, 4), MONTH, range(3))
    assert starts == ["2018-10-04 00:00", "2018-11-04 01:00", "2018-12-04 00:00"]


def test_lord_howe_moves_by_half_an_hour() -> None:
    anchor = at("Australia/Lord_Howe", 2026, 9, 4, 2, 15)
    assert local_starts("Australia/Lord_Howe", anchor, MONTH, range(3)) == [
        "2026-09-04 02:15",
        "2026-10-04 02:30",
        "2026-11-04 02:15",
    ]


def test_apia_skipped_a_whole_day() -> None:
    zone = ZoneInfo("Pacific/Apia")
    change = utc(2011, 12, 30, 10)
    anchor = at("Pacific/Apia", 2011, 12, 28)
    starts = [boundary(anchor, n, DAY, zone) for n in range(5)]
    assert starts[2] == starts[3] == change, "30 December does not exist"
    assert starts[4] - starts[3] == timedelta(days=1)
    last_before = period_containing(anchor, change - MICROSECOND, DAY, zone)
    first_after = period_containing(anchor, change, DAY, zone)
    assert (last_before.number, first_after.number) == (1, 3)
    assert last_before.end == first_after.start
    monthly = at("Pacific/Apia", 2011, 11, 30, 9)
    assert boundary(monthly, 1, MONTH, zone) == change
    window = day_window(change - MICROSECOND, zone)
    assert (window.start, window.end) == (utc(2011, 12, 29, 10), change)


def test_clocks_set_back_over_midnight_do_not_bring_yesterday_back() -> None:
    # St John's set its clocks from 00:01 back to 23:01 of the day before (2 November 2008).
    zone = ZoneInfo("America/St_Johns")
    first_midnight = utc(2008, 11, 2, 2, 30)
    repeated = first_midnight + timedelta(minutes=30)
    assert repeated.astimezone(zone).date() == date(2008, 11, 1)
    assert day_window(repeated, zone).start == first_midnight
    days = [day_window(first_midnight + timedelta(minutes=n), zone) for n in range(-90, 200, 7)]
    assert all(a == b or a.end == b.start for a, b in pairwise(days))


def test_an_anchor_in_the_second_of_two_hours_stays_the_anchor() -> None:
    zone = ZoneInfo("Europe/Berlin")
    second = utc(2026, 10, 25, 1, 30)
    assert boundary(second, 0, MONTH, zone) == second
    assert period_containing(second, second, MONTH, zone).start == second
    assert period_containing(second, second - MICROSECOND, MONTH, zone).end == second


def test_one_microsecond_decides_the_period() -> None:
    anchor, zone = utc(2026, 1, 15), ZoneInfo("UTC")
    end = utc(2026, 2, 15)
    assert period_containing(anchor, end - MICROSECOND, MONTH, zone).number == 0
    assert period_containing(anchor, end, MONTH, zone).number == 1
    assert period_containing(anchor, end + MICROSECOND, MONTH, zone).number == 1
    assert period_containing(anchor, anchor - MICROSECOND, MONTH, zone).number == -1


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
@pytest.mark.parametrize("n", [10**7, -(10**7), 10**40, -(10**40)])
def test_outside_the_calendar_is_an_error_of_its_own(interval: Interval, n: int) -> None:
    with pytest.raises(CalendarOutOfRange):
        boundary(utc(2026, 1, 31), n, interval, ZoneInfo("Asia/Kolkata"))


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("now", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_are_errors_or_answers(now: datetime, zone: str) -> None:
    for ask in (
        lambda: day_window(now, ZoneInfo(zone)),
        lambda: period_containing(utc(2026, 1, 1), now, MONTH, ZoneInfo(zone)),
    ):
        try:
            window = ask()
        except CalendarOutOfRange:
            continue
        assert window.end is not None
        assert window.start <= now < window.end


def test_naive_times_and_impossible_intervals_are_refused() -> None:
    naive = wall(2026, 1, 1)
    zone = ZoneInfo("UTC")
    with pytest.raises(ValueError, match="time zone"):
        boundary(naive, 1, MONTH, zone)
    with pytest.raises(ValueError, match="time zone"):
        period_containing(utc(2026, 1, 1), naive, MONTH, zone)
    with pytest.raises(ValueError, match="time zone"):
        day_window(naive, zone)
    with pytest.raises(ValueError, match="at least one"):
        Interval("month", 0)
    unknown: Any = "fortnight"
    with pytest.raises(ValueError, match="fortnight"):
        Interval(unknown)
