"""The state machine: the laws that hold for any facts, and the cases one by one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.subscription.lifecycle import (
    ALLOWED,
    GRANTS_PLAN,
    LIVE,
    Status,
    SubscriptionFacts,
    at,
    may_become,
    next_due_at,
    transitions,
)
from backend.subscription.periods import Interval, period_containing

MICROSECOND = timedelta(microseconds=1)
START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
ANY = datetime(2020, 1, 1, tzinfo=UTC)

moments = st.integers(0, 3_000 * 86_400).map(lambda seconds: ANY + timedelta(seconds=seconds))


@st.composite
def facts_of_any_kind(draw: st.DrawFn) -> SubscriptionFacts:
    """Any row, sensible or not, whose period starts before it ends."""
    anchor = draw(moments)
    zone = ZoneInfo(draw(st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"])))
    interval = Interval(draw(st.sampled_from(["day", "week", "month", "year"])), draw(st.integers(1, 6)))
    if draw(st.booleans()):
        period = period_containing(anchor, draw(moments), interval, zone)
        start, end = period.start, period.end
    else:
        start = draw(moments)
        end = start + timedelta(seconds=draw(st.integers(1, 100 * 86_400)))
    near_end = st.sampled_from([end, end - MICROSECOND, end + MICROSECOND, start])
    return SubscriptionFacts(
        status=draw(st.sampled_from(Status)),
        started_at=draw(moments),
        expires_at=draw(st.none() | moments | near_end),
        cancelled_at=draw(st.none() | moments),
        current_period_start=start,
        current_period_end=end,
        trial_end=draw(st.none() | moments | near_end),
        cancel_at_period_end=draw(st.booleans()),
        anchor_at=anchor,
        interval=interval,
        zone=zone,
    )


def monthly(**changes: object) -> SubscriptionFacts:
    """Active since the end of January, monthly, for ever."""
    period = period_containing(START, START, Interval("month"), ZoneInfo("UTC"))
    facts = SubscriptionFacts(
        status=Status.ACTIVE,
        started_at=START,
        expires_at=None,
        cancelled_at=None,
        current_period_start=period.start,
        current_period_end=period.end,
        trial_end=None,
        cancel_at_period_end=False,
        anchor_at=START,
        interval=Interval("month"),
        zone=ZoneInfo("UTC"),
    )
    return replace(facts, **changes)  # type: ignore[arg-type]  # the names are those of the class


class TestLaws:
    @given(facts_of_any_kind(), moments, moments)
    def test_stopping_on_the_way_changes_nothing(self, facts: SubscriptionFacts, one: datetime, two: datetime) -> None:
        first, second = sorted((one, two))
        assert at(at(facts, first), second) == at(facts, second)

    @given(facts_of_any_kind(), moments)
    def test_asking_twice_changes_nothing(self, facts: SubscriptionFacts, now: datetime) -> None:
        assert at(at(facts, now), now) == at(facts, now)

    @given(facts_of_any_kind(), moments, moments)
    def test_time_never_goes_back(self, facts: SubscriptionFacts, one: datetime, two: datetime) -> None:
        first, second = sorted((one, two))
        earlier, later = at(facts, first), at(facts, second)
        assert earlier.current_period_start <= later.current_period_start
        assert may_become(earlier.status, later.status)
        assert at(later, first) == later

    @given(facts_of_any_kind(), moments)
    def test_what_is_due_is_due_exactly_then(self, facts: SubscriptionFacts, now: datetime) -> None:
        for known in (facts, at(facts, now)):
            due = next_due_at(known)
            if due is None:
                assert at(known, datetime(2090, 1, 1, tzinfo=UTC)) == known
            else:
                assert at(known, due - MICROSECOND) == known
                assert at(known, due) != known

    @given(facts_of_any_kind(), moments)
    def test_the_steps_lead_where_the_reader_already_is(self, facts: SubscriptionFacts, now: datetime) -> None:
        # A daily period over eight years is a correct, long list; a few hundred steps show the same.
        assume(next_due_at(facts) is None or (now - facts.current_period_end).days < 200)
        steps = transitions(facts, now)
        assert (steps[-1].facts if steps else facts) == at(facts, now)
        assert [step.at for step in steps] == sorted({step.at for step in steps})
        assert all(step.kind == "renewed" for step in steps[:-1])
        for step in steps:
            assert step.facts == at(facts, step.at)

    @given(facts_of_any_kind(), moments)
    def test_periods_leave_no_gap_and_do_not_overlap(self, facts: SubscriptionFacts, now: datetime) -> None:
        assume((now - facts.current_period_end).days < 200)
        renewals = [step.facts for step in transitions(facts, now) if step.kind == "renewed"]
        for before, after in pairwise([facts, *renewals]):
            assert after.current_period_start == before.current_period_end
            assert after.current_period_start < after.current_period_end
            assert after.expires_at is None or after.current_period_end <= after.expires_at

    @given(facts_of_any_kind(), moments)
    def test_what_is_live_contains_now(self, facts: SubscriptionFacts, now: datetime) -> None:
        present = at(facts, now)
        if present.status in LIVE and now >= facts.current_period_start:
            assert present.current_period_start <= now < present.current_period_end
            assert present.expires_at is None or now < present.expires_at

    @given(facts_of_any_kind(), moments)
    def test_a_period_starts_before_it_ends_whatever_happened(self, facts: SubscriptionFacts, now: datetime) -> None:
        present = at(facts, now)
        assert present.current_period_start < present.current_period_end


class TestCases:
    def test_forty_days_without_a_sweep(self) -> None:
        facts = monthly()
        now = START + timedelta(days=40)
        seen = at(facts, now)
        assert seen.status is Status.ACTIVE
        assert seen.current_period_start == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)
        assert seen.current_period_end == datetime(2026, 3, 31, 9, 30, tzinfo=UTC)

    def test_a_year_of_renewals_is_written_step_by_step(self) -> None:
        steps = transitions(monthly(), datetime(2026, 12, 31, 9, 30, tzinfo=UTC))
        assert [f"{step.at:%m-%d}" for step in steps] == [
            "02-28",
            "03-31",
            "04-30",
            "05-31",
            "06-30",
            "07-31",
            "08-31",
            "09-30",
            "10-31",
            "11-30",
            "12-31",
        ]
        assert all(step.facts.current_period_start == step.at for step in steps)

    def test_a_trial_ends_at_its_end_to_the_microsecond(self) -> None:
        end = START + timedelta(days=14)
        facts = monthly(status=Status.TRIAL, trial_end=end, current_period_end=end)
        assert next_due_at(facts) == end
        assert at(facts, end - MICROSECOND) == facts
        assert at(facts, end).status is Status.EXPIRED
        assert at(facts, end).current_period_end == end
        assert at(facts, end).current_period_start == START

    def test_the_trial_end_of_a_paid_subscription_is_history(self) -> None:
        facts = monthly(trial_end=START + timedelta(days=14))
        assert at(facts, START + timedelta(days=20)) == facts

    def test_a_granted_month_expires_and_its_last_period_ends_with_it(self) -> None:
        facts = monthly(expires_at=START + timedelta(days=30))
        assert next_due_at(facts) == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)
        renewed, expired = transitions(facts, START + timedelta(days=400))
        assert renewed.facts.current_period_end == START + timedelta(days=30)
        assert expired.kind == "expired"
        assert expired.at == START + timedelta(days=30)
        assert expired.facts.current_period_end == START + timedelta(days=30)

    def test_an_expiry_within_the_period_cuts_it(self) -> None:
        facts = monthly(expires_at=START + timedelta(days=3))
        after = at(facts, START + timedelta(days=4))
        assert after.status is Status.EXPIRED
        assert after.current_period_end == START + timedelta(days=3)

    @pytest.mark.parametrize("status", sorted(LIVE))
    def test_cancelled_at_the_period_end(self, status: Status) -> None:
        facts = monthly(status=status, cancel_at_period_end=True)
        end = facts.current_period_end
        assert at(facts, end - MICROSECOND).status is status
        over = at(facts, end + timedelta(days=40))
        assert over.status is Status.CANCELLED
        assert over.cancelled_at == end
        assert over.current_period_end == end
        assert next_due_at(over) is None

    def test_cancelling_wins_over_expiring_at_the_same_moment_and_loses_to_an_earlier_one(self) -> None:
        facts = monthly(cancel_at_period_end=True)
        end = facts.current_period_end
        assert at(replace(facts, expires_at=end), end).status is Status.CANCELLED
        assert at(replace(facts, expires_at=end - MICROSECOND), end).status is Status.EXPIRED

    def test_a_period_off_the_grid_is_followed_by_one_that_meets_it(self) -> None:
        cut = START + timedelta(days=10)
        facts = at(monthly(current_period_end=cut), cut)
        assert facts.current_period_start == cut
        assert facts.current_period_end == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)

    @pytest.mark.parametrize("status", sorted(set(Status) - LIVE))
    def test_what_is_not_live_waits_or_is_over(self, status: Status) -> None:
        facts = monthly(status=status, cancel_at_period_end=True, expires_at=START, trial_end=START)
        assert at(facts, START + timedelta(days=900)) == facts
        assert next_due_at(facts) is None
        assert transitions(facts, START + timedelta(days=900)) == []

    def test_a_skipped_day_is_no_period(self) -> None:
        zone = ZoneInfo("Pacific/Apia")
        anchor = datetime(2011, 12, 28, 10, tzinfo=UTC)
        period = period_containing(anchor, anchor, Interval("day"), zone)
        facts = monthly(
            anchor_at=anchor,
            current_period_start=period.start,
            current_period_end=period.end,
            interval=Interval("day"),
            zone=zone,
        )
        steps = transitions(facts, anchor + timedelta(days=5))
        assert len(steps) == 5
        assert all(step.facts.current_period_end - step.at == timedelta(days=1) for step in steps)


class TestTable:
    def test_every_status_has_its_row(self) -> None:
        assert set(ALLOWED) == set(Status)
        assert {str(status) for status in Status} == {
            "trial",
            "active",
            "past_due",
            "cancelled",
            "expired",
            "incomplete",
            "paused",
        }

    def test_what_is_over_stays_over(self) -> None:
        for over in (Status.CANCELLED, Status.EXPIRED):
            assert [status for status in Status if may_become(over, status)] == [over]

    def test_everything_can_end(self) -> None:
        for status in Status:
            if ALLOWED[status]:
                assert may_become(status, Status.CANCELLED)
                assert may_become(status, Status.EXPIRED)

    def test_incomplete_and_paused_grant_the_default_plan(self) -> None:
        assert set(Status) - GRANTS_PLAN == {Status.INCOMPLETE, Status.PAUSED, Status.CANCELLED, Status.EXPIRED}
