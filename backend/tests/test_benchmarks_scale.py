"""Reading beside many events: how they are spread, what is refused, and what becomes of the document of results."""

import itertools
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from backend.core.settings import REPOSITORY
from benchmarks.figures import Figure, Result
from benchmarks.report import RESULTS, with_result
from benchmarks.scale_data import IN_A_GROUP, months

NOW = datetime(2026, 11, 3, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize("events", [1_000, 99_990, 100_000_000])
def test_events_are_spread_over_thirteen_months_up_to_now(events: int) -> None:
    made = months(events, NOW)
    assert sum(month.groups for month in made) * IN_A_GROUP == events
    assert [month.table for month in (made[0], made[-1])] == ["usage_events_202511", "usage_events_202611"]
    assert all(one.end == other.start for one, other in itertools.pairwise(made))
    assert all(month.start < month.until < min(month.end, NOW) for month in made)


def test_too_little_room_is_said_before_anything_is_made() -> None:
    command = [sys.executable, "-m", "benchmarks.scale", "--events", str(10**15)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1,000,000,000,000,000 events take 350000005 GB" in done.stderr
    assert "Not enough room: make some, or take fewer: make bench-scale EVENTS=" in done.stderr


def test_only_its_own_part_of_the_results_is_written_anew() -> None:
    before = RESULTS.read_text()
    result = Result("scale", "2026-11-30", (Figure("usage_read", 1.1, low=1.0, high=1.2), Figure("series_read", 1.3)))
    once = with_result(before, result, (1, 32, 128))
    assert "| reading usage with 100 million events / with 1,000 |  | 1.10 (1.00 to 1.20) |  |  | ≤ 1.20 |" in once
    assert "| reading a month by day with 100 million events / with 1,000 |  | 1.30 |  |  |  | reported |" in once
    assert once.count("\n## scale\n") == 1
    assert with_result(once, result, (1, 32, 128)) == once
    rest, _, of_scale = before.partition("\n## scale\n")
    after = of_scale.partition("\n## ")[2]
    kept = {line for line in (rest + "\n" + after).splitlines() if "100 million events" not in line}
    assert kept <= set(once.splitlines())
