"""The rate limiter: exact to the microsecond, and never more than its bound."""

from decimal import Decimal

import pytest
from feature_platform.core.gcra import MICROSECONDS, RateLimit, Verdict, check
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_790_000_000_000_000
HUNDRED = RateLimit(requests=100, per_seconds=60, burst=100)

limits = st.builds(
    RateLimit,
    requests=st.integers(1, 5_000),
    per_seconds=st.sampled_from([1, 7, 60, 3_600, 86_400]),
    burst=st.integers(1, 5_000),
)
small_limits = st.builds(
    RateLimit, requests=st.integers(1, 30), per_seconds=st.integers(1, 10), burst=st.integers(1, 20)
)
calls = st.lists(st.tuples(st.integers(0, 3 * MICROSECONDS), st.integers(0, 5)), min_size=1, max_size=60)


def take_all(limit: RateLimit, tat: int | None, now: int) -> tuple[int, Verdict]:
    passed = 0
    while (verdict := check(tat, now, limit)).allowed:
        tat = verdict.tat
        passed += 1
    return passed, verdict


@given(limits)
def test_the_burst_passes_at_once_and_one_more_does_not(limit: RateLimit) -> None:
    passed, refusal = take_all(limit, None, NOW)
    assert passed == limit.burst
    assert refusal.remaining == 0
    assert refusal.retry_after == limit.interval
    assert refusal.reset_after == limit.capacity


@given(limits, st.integers(-(10**9), 10**9), st.integers(0, 6_000))
def test_waiting_exactly_as_told_is_enough_and_a_microsecond_less_is_not(
    limit: RateLimit, full_in: int, cost: int
) -> None:
    verdict = check(NOW + full_in, NOW, limit, cost)
    if verdict.allowed:
        assert verdict.retry_after == 0
        assert cost <= limit.burst
    elif verdict.retry_after is None:
        assert cost > limit.burst
        assert not check(None, NOW, limit, cost).allowed
    else:
        assert check(verdict.tat, NOW + verdict.retry_after, limit, cost).allowed
        assert not check(verdict.tat, NOW + verdict.retry_after - 1, limit, cost).allowed


@given(small_limits, calls)
def test_no_window_passes_more_than_burst_and_rate(limit: RateLimit, steps: list[tuple[int, int]]) -> None:
    tat: int | None = None
    now = NOW
    passed: list[tuple[int, int]] = []
    for pause, cost in steps:
        now += pause
        verdict = check(tat, now, limit, cost)
        tat = verdict.tat
        if verdict.allowed:
            passed.append((now, cost))
    for first in range(len(passed)):
        units = 0
        for moment, cost in passed[first:]:
            units += cost
            window = moment - passed[first][0]
            assert (units - limit.burst) * limit.per_seconds * MICROSECONDS <= window * limit.requests


@given(limits, st.integers(-(10**9), 10**9), st.integers(0, 6_000))
def test_remaining_is_what_would_pass(limit: RateLimit, full_in: int, cost: int) -> None:
    verdict = check(NOW + full_in, NOW, limit, cost)
    assert 0 <= verdict.remaining <= limit.burst
    assert check(verdict.tat, NOW, limit, verdict.remaining).allowed
    assert not check(verdict.tat, NOW, limit, verdict.remaining + 1).allowed


@given(limits, st.integers(-(10**9), 10**9), st.integers(1, 6_000))
def test_a_refusal_and_a_look_take_nothing(limit: RateLimit, full_in: int, cost: int) -> None:
    look = check(NOW + full_in, NOW, limit, 0)
    assert look.allowed
    verdict = check(NOW + full_in, NOW, limit, cost)
    if not verdict.allowed:
        assert verdict.tat == look.tat
        assert verdict.remaining == look.remaining < cost


@given(limits, st.integers(-(10**9), 10**9))
def test_after_the_reset_the_bucket_is_full(limit: RateLimit, full_in: int) -> None:
    verdict = check(NOW + full_in, NOW, limit, 0)
    assert 0 <= verdict.reset_after <= limit.capacity
    assert check(verdict.tat, NOW + verdict.reset_after, limit, 0).remaining == limit.burst
    if verdict.reset_after:
        assert check(verdict.tat, NOW + verdict.reset_after - 1, limit, 0).remaining < limit.burst


@given(limits)
def test_the_rate_is_never_rounded_up(limit: RateLimit) -> None:
    assert 0 <= limit.interval * limit.requests - limit.per_seconds * MICROSECONDS < limit.requests


def test_the_worst_minute_of_a_hundred_a_minute() -> None:
    tat: int | None = None
    passed = 0
    for now in range(NOW, NOW + 60 * MICROSECONDS, 100_000):
        while (verdict := check(tat, now, HUNDRED)).allowed:
            tat = verdict.tat
            passed += 1
    assert passed == 199


def test_a_clock_set_back_locks_nobody_out_for_longer_than_a_full_bucket() -> None:
    tat = check(None, NOW, HUNDRED).tat
    verdict = check(tat, NOW - 3_600 * MICROSECONDS, HUNDRED)
    assert not verdict.allowed
    assert verdict.retry_after == HUNDRED.interval


def test_a_plan_multiplies_rate_and_burst() -> None:
    assert HUNDRED.times(Decimal("5.0")) == RateLimit(500, 60, 500)
    assert HUNDRED.times(Decimal("1.255")) == RateLimit(125, 60, 125)
    assert HUNDRED.times(Decimal("0.001")) == RateLimit(1, 60, 1)


@given(limits, st.integers(1, 64))
def test_shares_together_are_not_more_than_the_whole(limit: RateLimit, processes: int) -> None:
    share = limit.share(processes)
    assert share.requests * processes * limit.per_seconds == limit.requests * share.per_seconds
    assert share.burst * processes <= max(limit.burst, processes)


@pytest.mark.parametrize("numbers", [(0, 60, 1), (1, 0, 1), (1, 1, 0), (1_000_001, 1, 1), (-5, 60, 5), (1, 60, 10**9)])
def test_limits_that_are_none(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="a rate limit"):
        RateLimit(*numbers)


def test_nothing_is_given_back() -> None:
    with pytest.raises(ValueError, match="nothing back"):
        check(None, NOW, HUNDRED, -1)
