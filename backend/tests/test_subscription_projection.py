"""Where usage is heading."""

from datetime import timedelta

import pytest

from backend.subscription.projection import Projection, project
from backend.tests.moments import NOW
from backend.usage.series import Pace

DAY = timedelta(days=1)
END = NOW + 10 * DAY


def test_the_pace_goes_on_to_the_end_of_the_window() -> None:
    # 280 in 28 days are 10 a day: 100 more in ten days, give or take a tenth.
    pace = Pace(280, NOW - 100 * DAY)
    assert project(used=1_000, limit=None, end=END, pace=pace, now=NOW) == Projection(1_000, 1_200, END, None)
    assert project(used=0, limit=None, end=END, pace=pace, now=NOW) == Projection(90, 110, END, None)


def test_a_young_account_has_the_pace_of_its_days() -> None:
    found = project(used=40, limit=None, end=END, pace=Pace(40, NOW - 4 * DAY), now=NOW)
    assert found == Projection(130, 150, END, None)


@pytest.mark.parametrize(("limit", "days"), [(100, 6), (41, 0.1), (140, 10)])
def test_a_limit_that_would_be_reached_is_told(limit: int, days: float) -> None:
    found = project(used=40, limit=limit, end=END, pace=Pace(40, NOW - 4 * DAY), now=NOW)
    assert found is not None
    assert found.limit_at == NOW + days * DAY


@pytest.mark.parametrize("limit", [141, 40, 30, None])
def test_one_that_would_not_or_is_already_is_not(limit: int | None) -> None:
    found = project(used=40, limit=limit, end=END, pace=Pace(40, NOW - 4 * DAY), now=NOW)
    assert found is not None
    assert found.limit_at is None


@pytest.mark.parametrize(
    "pace", [None, Pace(0, NOW - 4 * DAY), Pace(-3, NOW - 4 * DAY), Pace(5, NOW - DAY + timedelta(seconds=1))]
)
def test_what_is_not_known_is_not_said(pace: Pace | None) -> None:
    assert project(used=5, limit=10, end=END, pace=pace, now=NOW) is None


def test_a_window_that_is_over_is_not_projected() -> None:
    assert project(used=5, limit=10, end=NOW, pace=Pace(5, NOW - 2 * DAY), now=NOW) is None
