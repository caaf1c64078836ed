"""The sweep of what is due: late, early, twice or at once, it writes the same rows that readers saw before."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from backend.core.ids import AccountId, uuid7
from backend.db.session import Database, SystemSession
from backend.subscription.lifecycle import Status, SubscriptionFacts, at
from backend.subscription.periods import Interval, boundary
from backend.subscription.repository import SubscriptionRow, insert_subscription, load_state, write_facts
from backend.subscription.service import get_user_plan, upgrade_user_plan
from backend.subscription.tasks import settle_account, settle_all
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW

UTC_ZONE = ZoneInfo("UTC")
VIENNA = ZoneInfo("Europe/Vienna")
DAY = timedelta(days=1)
MONTH = Interval("month")


def facts(
    *,
    start: datetime = NOW,
    status: Status = Status.ACTIVE,
    interval: Interval = MONTH,
    zone: ZoneInfo = UTC_ZONE,
    expires: timedelta | None = None,
    trial: timedelta | None = None,
    cancels: bool = False,
) -> SubscriptionFacts:
    """A subscription in its first period."""
    expires_at = None if expires is None else start + expires
    trial_end = None if trial is None else start + trial
    ends = [moment for moment in (expires_at, trial_end if status is Status.TRIAL else None) if moment is not None]
    return SubscriptionFacts(
        status=status,
        started_at=start,
        expires_at=expires_at,
        cancelled_at=None,
        current_period_start=start,
        current_period_end=min([boundary(start, 1, interval, zone), *ends]),
        trial_end=trial_end,
        cancel_at_period_end=cancels,
        anchor_at=start,
        interval=interval,
        zone=zone,
    )


async def subscribe(session: SystemSession, given_facts: SubscriptionFacts) -> Person:
    """A new person, on Pro in the way that the facts say."""
    someone = await person(session, now=given_facts.started_at)
    version = (
        await session.execute(
            text(
                "SELECT p.id AS plan_id, v.id FROM plan_versions v JOIN subscription_plans p ON p.id = v.plan_id"
                " WHERE p.name = 'pro'"
            )
        )
    ).one()
    row = SubscriptionRow(uuid7(), someone.user_id, someone.account_id, version.plan_id, version.id, given_facts)
    await insert_subscription(session, subscription=row)
    await write_facts(session, subscription=row, facts=given_facts)  # the flag, which no new subscription has
    return someone


async def written(database: Database, account_id: AccountId) -> dict[str, list[tuple[Any, ...]]]:
    """All that the sweep writes, without ids and times of writing."""
    queries = {
        "subscription": "SELECT status, started_at, expires_at, cancelled_at, current_period_start,"
        " current_period_end, trial_end, cancel_at_period_end FROM user_subscriptions WHERE account_id = :id",
        "due": "SELECT next_due_at FROM subscription_schedules WHERE account_id = :id",
        "periods": "SELECT period_start, period_end FROM subscription_periods WHERE account_id = :id ORDER BY 1",
        "told": "SELECT topic, payload->>'kind', payload->>'at' FROM outbox WHERE account_id = :id ORDER BY id",
    }
    async with database.read(account_id) as session:
        return {
            name: [tuple(row) for row in await session.execute(text(query), {"id": account_id})]
            for name, query in queries.items()
        }


async def version(database: Database, account_id: AccountId) -> int:
    async with database.read(account_id) as session:
        return int(await session.scalar(text("SELECT version FROM accounts")) or 0)


CASES = {
    "renewed without end": facts(),
    "renewed daily": facts(interval=Interval("day")),
    "expires in 30 days": facts(expires=30 * DAY),
    "expires within a later period": facts(interval=Interval("week"), expires=17 * DAY),
    "expires exactly at a boundary": facts(interval=Interval("week"), expires=14 * DAY),
    "trial ends": facts(status=Status.TRIAL, trial=14 * DAY),
    "trial of several periods": facts(status=Status.TRIAL, trial=20 * DAY, interval=Interval("week")),
    "cancels at the period's end": facts(cancels=True),
    "cancels and expires at once": facts(cancels=True, expires=31 * DAY),
    "past due goes on": facts(status=Status.PAST_DUE, interval=Interval("week")),
    "from the last day of a month": facts(start=datetime(2026, 1, 31, 10, tzinfo=UTC)),
    "over a change of the clocks": facts(
        start=datetime(2026, 3, 1, 0, 30, tzinfo=VIENNA).astimezone(UTC), zone=VIENNA, interval=Interval("day")
    ),
    "paused waits": facts(status=Status.PAUSED),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_off_for_40_days_or_run_twice_a_day_the_rows_are_the_same(
    database: Database, case: SubscriptionFacts
) -> None:
    async with database.system() as session:
        often, once = await subscribe(session, case), await subscribe(session, case)
    end = case.started_at + 40 * DAY
    moment = case.started_at
    while moment <= end:
        await settle_account(database, often.account_id, now=moment)
        moment += timedelta(hours=12)
    await settle_account(database, once.account_id, now=end)
    rows = await written(database, once.account_id)
    assert await written(database, often.account_id) == rows
    seen = at(case, end)
    assert rows["subscription"][0][:1] + rows["subscription"][0][4:6] == (
        seen.status.value,
        seen.current_period_start,
        seen.current_period_end,
    )
    assert rows["subscription"][0][3] == seen.cancelled_at
    periods = rows["periods"]
    assert periods[0][0] == case.started_at
    assert [row[1] for row in periods[:-1]] == [row[0] for row in periods[1:]], "no gap and no overlap"
    assert periods[-1] == (seen.current_period_start, seen.current_period_end)
    assert len(rows["told"]) == len(periods) - 1 + (seen.status is not case.status)


lengths = st.none() | st.integers(1, 80 * 24).map(lambda hours: timedelta(hours=hours))
stored = st.builds(
    facts,
    start=st.integers(0, 800 * 24).map(lambda hours: datetime(2026, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hours)),
    status=st.sampled_from([Status.ACTIVE, Status.TRIAL, Status.PAST_DUE]),
    interval=st.sampled_from([Interval("day", 3), Interval("week"), MONTH]),
    zone=st.sampled_from([UTC_ZONE, VIENNA]),
    expires=lengths,
    trial=lengths,
    cancels=st.booleans(),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=stored, hours=st.lists(st.integers(0, 90 * 24), max_size=6), last=st.integers(0, 90 * 24))
async def test_whenever_it_ran_before_the_rows_are_the_same(
    database: Database, case: SubscriptionFacts, hours: list[int], last: int
) -> None:
    async with database.system() as session:
        often, once = await subscribe(session, case), await subscribe(session, case)
    end = case.started_at + timedelta(hours=last)
    for hour in hours:
        await settle_account(database, often.account_id, now=min(case.started_at + timedelta(hours=hour), end))
    for someone in (often, once, once):
        await settle_account(database, someone.account_id, now=end)
    assert await written(database, often.account_id) == await written(database, once.account_id)
    async with database.read(once.account_id) as session:
        state = await load_state(session, account_id=once.account_id, now=end)
    if state is not None and state.subscription is not None:
        assert at(state.subscription.facts, end) == state.subscription.facts, "nothing is due any more"


async def test_an_expired_account_is_told_of_and_its_caches_notice(database: Database) -> None:
    async with database.system() as session:
        someone = await person(session)
        await upgrade_user_plan(session, someone.user_id, "pro", 30, now=NOW)
    before = await version(database, someone.account_id)
    assert await settle_all(database, now=NOW + 30 * DAY - timedelta(microseconds=1)) == 0
    assert await version(database, someone.account_id) == before
    assert await settle_all(database, now=NOW + 30 * DAY) == 1
    assert await version(database, someone.account_id) == before + 1
    rows = await written(database, someone.account_id)
    assert rows["subscription"][0][0] == "expired"
    assert rows["due"] == [(None,)]
    assert [row[1] for row in rows["told"]] == ["assigned", "expired"]
    async with database.read() as session:
        assert (await get_user_plan(session, someone.user_id, now=NOW + 31 * DAY)).name == "free"


async def test_everything_due_is_found_over_many_pages(database: Database) -> None:
    async with database.system() as session:
        people = [
            await subscribe(session, facts(start=NOW - number * DAY, expires=(number + 1) * DAY)) for number in range(7)
        ]
    assert await settle_all(database, now=NOW + 2 * DAY, batch=2) == 7
    for someone in people:
        assert (await written(database, someone.account_id))["subscription"][0][0] == "expired"


async def test_workers_at_the_same_time_write_each_step_once(database: Database) -> None:
    async with database.system() as session:
        people = [await subscribe(session, facts(interval=Interval("week"), expires=17 * DAY)) for _ in range(6)]
    found = await asyncio.gather(*(settle_all(database, now=NOW + 40 * DAY) for _ in range(4)))
    found.append(await settle_all(database, now=NOW + 40 * DAY))
    assert sum(found) == 6 * 3
    for someone in people:
        assert [row[1] for row in (await written(database, someone.account_id))["told"]] == [
            "renewed",
            "renewed",
            "expired",
        ]


async def test_one_that_cannot_be_settled_keeps_nobody_waiting(database: Database) -> None:
    async with database.system() as session:
        broken = await subscribe(session, facts(interval=Interval("week")))
        held = await subscribe(session, facts(interval=Interval("week")))
        well = await subscribe(session, facts(interval=Interval("week")))
        # A period where the next one must begin.
        await session.execute(
            text(
                "INSERT INTO subscription_periods (id, account_id, subscription_id, plan_version_id, period_start,"
                " period_end) SELECT :id, account_id, id, plan_version_id, :start, :end FROM user_subscriptions"
                " WHERE account_id = :account_id"
            ),
            {"id": uuid7(), "account_id": broken.account_id, "start": NOW + 8 * DAY, "end": NOW + 9 * DAY},
        )
    async with database.account(held.account_id) as session:
        await session.execute(text("SELECT 1 FROM accounts FOR NO KEY UPDATE"))
        assert await settle_all(database, now=NOW + 7 * DAY) == 1
    assert len((await written(database, well.account_id))["periods"]) == 2
    assert len((await written(database, broken.account_id))["told"]) == 0, "all of it or nothing"
    assert await settle_all(database, now=NOW + 7 * DAY) == 1
    assert len((await written(database, held.account_id))["periods"]) == 2


async def test_a_test_account_lives_by_its_own_clock(database: Database) -> None:
    async with database.system() as session:
        ahead, behind, live = [await subscribe(session, facts(expires=10 * DAY)) for _ in range(3)]
        for someone, offset in ((ahead, 12 * DAY), (behind, -3 * DAY)):
            await session.execute(
                text("UPDATE accounts SET mode = 'test', clock_offset = :offset WHERE id = :id"),
                {"offset": offset, "id": someone.account_id},
            )
    assert await settle_all(database, now=NOW) == 1
    assert (await written(database, ahead.account_id))["subscription"][0][0] == "expired"
    assert await settle_all(database, now=NOW + 11 * DAY) == 1
    assert (await written(database, live.account_id))["subscription"][0][0] == "expired"
    assert (await written(database, behind.account_id))["subscription"][0][0] == "active"
    assert await settle_all(database, now=NOW + 13 * DAY) == 1


async def test_a_deleted_account_is_left_alone(database: Database) -> None:
    async with database.system() as session:
        someone = await subscribe(session, facts(expires=DAY))
        await session.execute(text("UPDATE accounts SET status = 'deleted' WHERE id = :id"), {"id": someone.account_id})
    assert await settle_all(database, now=NOW + 2 * DAY) == 0
    assert (await written(database, someone.account_id))["subscription"][0][0] == "active"
