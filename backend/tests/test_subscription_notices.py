"""What customers are told of their usage: once for each meter, window and share, whoever looks and how often."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from backend.catalog.document import load
from backend.catalog.service import Catalogs, apply
from backend.core.ids import AccountId
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.enforcement.engine import Caller, Engine, Outcome
from backend.jobs.dispatch import dispatch
from backend.subscription import marks
from backend.subscription.notices import TOPIC, look, on_limits_changed, present
from backend.subscription.reading import usage
from backend.subscription.service import entitlements_of, increment_usage, upgrade_user_plan
from backend.subscription.tasks import look_again_at, look_at_past_levels, tell_all
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.usage.model import Source

APP = "https://app.example.test/app"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ALL = [("jobs", 80), ("jobs", 95), ("jobs", 100)]


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[Engine]:
    made = Engine(database, Catalogs(), upgrade_url=f"{APP}/plans")
    yield made
    await made.close()


@pytest.fixture
async def someone(database: Database) -> Person:
    """On Free: 10 jobs a period, 100 calls a day, 100 MB, an hour of compute."""
    async with database.system() as session:
        return await person(session)


async def spend(engine: Engine, user: Person, amount: int, *, meter: str = "jobs", now: datetime = NOW) -> None:
    caller = Caller(user.account_id, Source(), user.user_id, now)
    found = await engine.consume(caller, meter=meter, amount=amount)
    assert isinstance(found, Outcome)
    assert found.decision.allowed


async def tell(database: Database, now: datetime = NOW) -> int:
    """Looks at all that is due, as one worker does."""
    return await tell_all(database, catalogs=Catalogs(), app_url=APP, now=now)


async def rows(database: Database, query: str, **values: Any) -> list[Any]:
    async with database.read() as session:
        return list((await session.execute(text(query), values)).all())


async def told(database: Database, user: Person) -> list[tuple[str, int]]:
    found = await rows(
        database,
        "SELECT meter, percent FROM usage_notices WHERE account_id = :id ORDER BY window_start, meter, percent",
        id=user.account_id,
    )
    return [(row.meter, row.percent) for row in found]


async def subjects(database: Database) -> list[str]:
    return [row.subject for row in await rows(database, "SELECT subject FROM outgoing_mails ORDER BY created_at")]


async def mail(database: Database) -> str:
    (row,) = await rows(database, "SELECT text_body FROM outgoing_mails ORDER BY created_at DESC LIMIT 1")
    return str(row.text_body)


async def due(database: Database) -> int:
    return len(await rows(database, "SELECT 1 FROM usage_notices_due"))


async def set_used(database: Database, user: Person, meter: str, used: int) -> None:
    async with database.system() as session:
        await session.execute(
            text("UPDATE meter_usage SET used = :used WHERE account_id = :id AND meter = :meter"),
            {"used": used, "id": user.account_id, "meter": meter},
        )


async def change_limits(database: Database, user: Person, plan: str, now: datetime) -> None:
    """Another plan, what is told of it, and the jobs that this asks for."""
    async with database.system() as session:
        await upgrade_user_plan(session, user.user_id, plan, now=now)
    await hear(database, now)


async def hear(database: Database, now: datetime) -> None:
    listeners = {"subscription.changed": on_limits_changed, "default_plan.changed": on_limits_changed}
    while await dispatch(database, listeners, now=now):
        pass
    jobs = await rows(
        database, "SELECT DISTINCT args->>'account_id' AS id FROM procrastinate_jobs WHERE task_name LIKE '%look_again'"
    )
    for job in jobs:
        await look_again_at(database, AccountId(job.id), now=now)


async def apply_plans(database: Database, *changes: tuple[str, str], now: datetime = NOW) -> None:
    plans = (REPOSITORY / "plans.toml").read_text()
    for old, new in changes:
        assert plans.count(old) == 1, old
        plans = plans.replace(old, new)
    async with database.system() as session:
        await apply(session, load(plans), now=now)


@given(used=st.integers(0, 10**15), limit=st.integers(1, 10**15))
def test_a_share_is_reached_when_it_is_no_less(used: int, limit: int) -> None:
    found = marks.reached(used, limit)
    assert list(found) == [percent for percent in (80, 95, 100) if used * 100 >= limit * percent]
    wake = marks.next_look(limit, found)
    assert wake is not None
    assert wake > used or found == (80, 95, 100)


def test_nothing_is_reached_of_nothing_or_of_no_limit() -> None:
    for limit in (0, None):
        assert (marks.reached(5, limit), marks.next_look(limit, ())) == ((), None)


async def test_each_share_is_told_once_with_a_mail(engine: Engine, database: Database, someone: Person) -> None:
    await spend(engine, someone, 7)
    await tell(database)
    assert (await told(database, someone), await subjects(database)) == ([], [])
    await spend(engine, someone, 1, now=NOW + HOUR)
    for _ in range(2):
        await tell(database, NOW + HOUR)
    assert (await told(database, someone), await subjects(database)) == ([("jobs", 80)], ["80 % of your jobs are used"])
    await spend(engine, someone, 2, now=NOW + 2 * HOUR)
    await tell(database, NOW + 2 * HOUR)
    assert await told(database, someone) == ALL
    assert await subjects(database) == ["80 % of your jobs are used", "All of your jobs are used"]
    (row,) = await rows(database, "SELECT * FROM usage_notices WHERE percent = 80")
    assert (row.used, row.quota, row.reached_at) == (8, 10, NOW + HOUR)
    assert (row.window_start, row.window_end) == (NOW, datetime(2026, 4, 10, 12, tzinfo=UTC))
    assert await due(database) == 0


async def test_a_jump_to_the_limit_is_three_notices_three_messages_and_one_mail(
    engine: Engine, database: Database, someone: Person
) -> None:
    await spend(engine, someone, 10)
    await tell(database)
    assert await told(database, someone) == ALL
    assert await subjects(database) == ["All of your jobs are used"]
    body = await mail(database)
    assert "Jobs: 10 of 10 are used on the Free Plan." in body
    assert "More has been refused since 10 March 2026 at 12:00 (UTC)." in body
    assert "The count starts again on 10 April 2026 at 12:00 (UTC)." in body
    assert f"{APP}/usage" in body
    messages = await rows(
        database, "SELECT account_id, payload FROM outbox WHERE topic = :topic ORDER BY id", topic=TOPIC
    )
    assert {message.account_id for message in messages} == {someone.account_id}
    assert [message.payload["percent"] for message in messages] == [80, 95, 100]
    assert messages[0].payload == {
        "percent": 80,
        "meter": "jobs",
        "used": 10,
        "limit": 10,
        "window_start": NOW.isoformat(),
        "resets_at": "2026-04-10T12:00:00+00:00",
        "reached_at": NOW.isoformat(),
    }


async def test_twenty_workers_tell_once(engine: Engine, database: Database, someone: Person) -> None:
    async with database.system() as session:
        people = [someone, *[await person(session) for _ in range(5)]]
    for user in people:
        await spend(engine, user, 10)
    for _ in range(2):
        await asyncio.gather(*(tell(database) for _ in range(20)))
    for user in people:
        assert await told(database, user) == ALL
    assert len(await subjects(database)) == len(people)
    assert len(await rows(database, "SELECT 1 FROM outbox WHERE topic = :topic", topic=TOPIC)) == 3 * len(people)
    assert await due(database) == 0


async def test_workers_beside_spending_tell_every_share_once(
    engine: Engine, database: Database, someone: Person
) -> None:
    async def work() -> None:
        for _ in range(15):
            await tell(database)

    await asyncio.gather(*(spend(engine, someone, 1) for _ in range(10)), *(work() for _ in range(4)))
    await tell(database)
    assert await told(database, someone) == ALL
    assert await due(database) == 0
    assert 1 <= len(await subjects(database)) <= 3


async def test_a_worker_that_dies_half_way_has_told_nothing_and_the_next_one_does(
    engine: Engine, database: Database, someone: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await spend(engine, someone, 10)

    async def dies(*_: Any, **__: Any) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("backend.subscription.notice_rows.arm", dies)
        with pytest.raises(asyncio.CancelledError):
            await tell(database)
    assert (await told(database, someone), await subjects(database), await due(database)) == ([], [], 1)
    await tell(database)
    assert (await told(database, someone), len(await subjects(database))) == (ALL, 1)


async def test_between_marks_nothing_is_due(engine: Engine, database: Database, someone: Person) -> None:
    seen = []
    for _ in range(10):
        await spend(engine, someone, 1)
        seen.append(await due(database))
        await tell(database)
    # The first use of a window, 80 % and, of ten jobs, 95 and 100 % at once.
    assert seen == [1, 0, 0, 0, 0, 0, 0, 1, 0, 1]


async def test_what_went_down_and_up_again_is_not_told_again_and_the_limit_holds_since_the_last_time(
    engine: Engine, database: Database, someone: Person
) -> None:
    await spend(engine, someone, 10)
    await tell(database)
    await set_used(database, someone, "jobs", 3)
    await tell(database, NOW + HOUR)
    assert await blocked_since(database, someone, NOW + HOUR) == {}
    await set_used(database, someone, "jobs", 10)
    await tell(database, NOW + 2 * HOUR)
    assert (await told(database, someone), len(await subjects(database))) == (ALL, 1)
    assert await blocked_since(database, someone, NOW + 2 * HOUR) == {"jobs": NOW + 2 * HOUR}
    # That somebody looks again does not change it.
    await look_again_at(database, someone.account_id, now=NOW + 3 * HOUR)
    assert await tell(database, NOW + 3 * HOUR) == 1
    assert await blocked_since(database, someone, NOW + 3 * HOUR) == {"jobs": NOW + 2 * HOUR}


async def blocked_since(database: Database, user: Person, now: datetime) -> dict[str, datetime]:
    async with database.read() as session:
        answer = await usage(session, entitlements=await entitlements_of(session, user.user_id, now=now))
    return {meter.meter: meter.blocked_since for meter in answer.meters if meter.blocked_since is not None}


async def test_a_day_is_told_of_anew_and_one_that_is_over_never(
    engine: Engine, database: Database, someone: Person
) -> None:
    await spend(engine, someone, 100, meter="api_calls")
    await tell(database, NOW + DAY)
    assert (await told(database, someone), await due(database)) == ([], 0)
    await spend(engine, someone, 80, meter="api_calls", now=NOW + DAY)
    await tell(database, NOW + DAY)
    assert await told(database, someone) == [("api_calls", 80)]
    await spend(engine, someone, 80, meter="api_calls", now=NOW + 2 * DAY)
    await tell(database, NOW + 2 * DAY)
    assert await told(database, someone) == 2 * [("api_calls", 80)]
    assert await subjects(database) == 2 * ["80 % of your API calls are used"]


async def test_a_worker_whose_clock_is_late_tells_when_the_day_begins_for_it(
    engine: Engine, database: Database, someone: Person
) -> None:
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    await spend(engine, someone, 100, meter="api_calls", now=midnight)
    await tell(database, midnight - timedelta(milliseconds=20))
    assert (await told(database, someone), await due(database)) == ([], 1)
    await asyncio.sleep(0.05)
    await tell(database, midnight)
    assert len(await told(database, someone)) == 3


async def test_days_and_times_are_those_of_the_account(engine: Engine, database: Database) -> None:
    late = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)  # the eleventh in Auckland
    async with database.system() as session:
        user = await person(session, billing_zone="Pacific/Auckland")
    await spend(engine, user, 80, meter="api_calls", now=late)
    await tell(database, late)
    body = await mail(database)
    assert "API calls: 80 of 100 are used on the Free Plan." in body
    assert "The count starts again on 12 March 2026 at 00:00 (Pacific/Auckland)." in body
    (row,) = await rows(database, "SELECT window_start FROM usage_notices")
    assert row.window_start == datetime(2026, 3, 10, 11, tzinfo=UTC)


async def test_a_test_account_is_told_by_its_own_clock(engine: Engine, database: Database, someone: Person) -> None:
    async with database.system() as session:
        await session.execute(
            text("UPDATE accounts SET mode = 'test', clock_offset = '40 days' WHERE id = :id"),
            {"id": someone.account_id},
        )
    await spend(engine, someone, 10)
    await tell(database)
    (row,) = await rows(database, "SELECT window_start, reached_at FROM usage_notices WHERE percent = 100")
    assert (row.window_start, row.reached_at) == (datetime(2026, 4, 10, 12, tzinfo=UTC), NOW + 40 * DAY)


async def test_another_plan_is_looked_at_again_and_repeats_nothing(
    engine: Engine, database: Database, someone: Person
) -> None:
    await spend(engine, someone, 100, meter="api_calls")
    await tell(database)
    await change_limits(database, someone, "pro", NOW + HOUR)
    await tell(database, NOW + HOUR)
    assert await blocked_since(database, someone, NOW + HOUR) == {}
    await spend(engine, someone, 9_900, meter="api_calls", now=NOW + 2 * HOUR)
    await tell(database, NOW + 2 * HOUR)
    assert (len(await told(database, someone)), len(await subjects(database))) == (3, 1)
    assert await blocked_since(database, someone, NOW + 2 * HOUR) == {"api_calls": NOW + 2 * HOUR}


async def test_a_smaller_plan_tells_of_what_is_used_already(
    engine: Engine, database: Database, someone: Person
) -> None:
    await change_limits(database, someone, "enterprise", NOW)
    await spend(engine, someone, 5_000, meter="api_calls")
    await tell(database)
    (row,) = await rows(database, "SELECT notice_at FROM meter_usage WHERE meter = 'api_calls'")
    assert (row.notice_at, await told(database, someone)) == (None, [])
    await spend(engine, someone, 5_000, meter="api_calls")
    assert await due(database) == 0
    await change_limits(database, someone, "pro", NOW + HOUR)
    await tell(database, NOW + HOUR)
    assert [percent for _, percent in await told(database, someone)] == [80, 95, 100]
    assert await blocked_since(database, someone, NOW + HOUR) == {"api_calls": NOW + HOUR}


async def test_a_smaller_default_plan_tells_those_who_have_no_other(
    engine: Engine, database: Database, someone: Person
) -> None:
    await spend(engine, someone, 5)
    await tell(database)
    async with database.system() as session:
        idle = await person(session)
    await apply_plans(database, ("limit = 10, ", "limit = 6, "))
    heard = await rows(database, "SELECT account_id FROM outbox WHERE topic = 'default_plan.changed'")
    assert [row.account_id for row in heard] == [someone.account_id]
    await hear(database, NOW)
    await tell(database)
    assert (await told(database, someone), await told(database, idle)) == ([("jobs", 80)], [])


async def test_of_nothing_nothing_is_told(engine: Engine, database: Database, someone: Person) -> None:
    await apply_plans(database, ("limit = 10, ", "limit = 0, "))
    async with database.system() as session:
        await increment_usage(session, someone.user_id, "jobs", 5, now=NOW)
    await tell(database)
    (row,) = await rows(database, "SELECT notice_at FROM meter_usage WHERE meter = 'jobs'")
    assert (row.notice_at, await told(database, someone)) == (None, [])


async def test_jobs_in_flight_are_no_quota(database: Database, someone: Person) -> None:
    async with database.system() as session:
        await session.execute(
            text("INSERT INTO meter_usage (account_id, meter, window_start) VALUES (:id, 'jobs_in_flight', :epoch)"),
            {"id": someone.account_id, "epoch": datetime(1970, 1, 1, tzinfo=UTC)},
        )
    for used in (1, 0, 1):
        await set_used(database, someone, "jobs_in_flight", used)
        await tell(database)
    assert (await told(database, someone), await due(database)) == ([], 0)
    (row,) = await rows(database, "SELECT notice_at FROM meter_usage WHERE meter = 'jobs_in_flight'")
    assert row.notice_at is None


async def test_a_level_is_told_of_anew_in_each_period(engine: Engine, database: Database, someone: Person) -> None:
    mega = 10**6
    await spend(engine, someone, 83_456_789, meter="storage")
    await tell(database)
    assert await told(database, someone) == [("storage", 80)]
    body = await mail(database)
    assert "Storage: 83.4 MB of 100 MB are used on the Free Plan." in body
    assert "does not start again by itself" in body
    (row,) = await rows(database, "SELECT window_start, window_end FROM usage_notices")
    second, third = datetime(2026, 4, 10, 12, tzinfo=UTC), datetime(2026, 5, 10, 12, tzinfo=UTC)
    assert (row.window_start, row.window_end) == (NOW, second)
    # Down and up within the period says nothing, and in the next one it does, whether it changes or not.
    assert await look_at_past_levels(database, now=second - HOUR) == 0
    assert await look_at_past_levels(database, now=second + HOUR) == 1
    await tell(database, second + HOUR)
    assert await told(database, someone) == 2 * [("storage", 80)]
    assert await look_at_past_levels(database, now=second + 2 * HOUR) == 0
    await spend(engine, someone, -50 * mega, meter="storage", now=second + 3 * HOUR)
    assert await look_at_past_levels(database, now=third) == 1
    await tell(database, third)
    assert await look_at_past_levels(database, now=third + HOUR) == 0, "it waits for its first mark already"
    await spend(engine, someone, 50 * mega, meter="storage", now=third + 2 * HOUR)
    await tell(database, third + 2 * HOUR)
    assert await told(database, someone) == 3 * [("storage", 80)]
    assert await subjects(database) == 3 * ["80 % of your storage is used"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET status = 'unverified', email_verified_at = NULL WHERE id = :user",
        "UPDATE users SET status = 'suspended' WHERE id = :user",
        "UPDATE users SET status = 'deleted', deleted_at = now() WHERE id = :user",
        "UPDATE accounts SET owner_user_id = NULL WHERE id = :account",
    ],
)
async def test_without_an_owner_who_reads_it_there_is_no_mail(
    engine: Engine, database: Database, someone: Person, change: str
) -> None:
    await spend(engine, someone, 10)
    async with database.system() as session:
        await session.execute(text(change), {"user": someone.user_id, "account": someone.account_id})
    await tell(database)
    assert (await told(database, someone), await subjects(database)) == (ALL, [])


async def test_a_deleted_account_is_told_nothing(engine: Engine, database: Database, someone: Person) -> None:
    await spend(engine, someone, 10)
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET status = 'deleted' WHERE id = :id"), {"id": someone.account_id})
    await tell(database)
    assert (await told(database, someone), await subjects(database), await due(database)) == ([], [], 0)
    assert await look_again_at(database, someone.account_id, now=NOW) == 0


async def test_what_cannot_be_looked_at_holds_up_nobody(
    engine: Engine, database: Database, someone: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.system() as session:
        other = await person(session)
    for user in (someone, other):
        await spend(engine, user, 10)

    async def fails(session: Any, key: Any, **given: Any) -> bool:
        if key.account_id == someone.account_id:
            raise RuntimeError("not this one")
        return await look(session, key, **given)

    with monkeypatch.context() as patch:
        patch.setattr("backend.subscription.tasks.look", fails)
        assert await tell_all(database, catalogs=Catalogs(), app_url=APP, now=NOW, batch=1) == 0
        assert await tell_all(database, catalogs=Catalogs(), app_url=APP, now=NOW, batch=1) == 1
    assert (await told(database, someone), await told(database, other), await due(database)) == ([], ALL, 1)
    async with database.system() as session:
        await session.execute(text("UPDATE usage_notices_due SET since = clock_timestamp()"))
    await tell(database)
    assert await told(database, someone) == ALL


async def test_what_changes_while_somebody_looks_is_looked_at_after_them(
    engine: Engine, database: Database, someone: Person
) -> None:
    """The change of a plan waits for the counter, and makes it due again; so it is with spending."""
    await spend(engine, someone, 100, meter="api_calls")
    async with database.system() as session:
        await session.execute(text("SELECT 1 FROM usage_notices_due FOR UPDATE"))
        await session.execute(text("SELECT 1 FROM meter_usage FOR UPDATE"))
        again = asyncio.create_task(look_again_at(database, someone.account_id, now=NOW))
        assert await tell(database) == 0, "somebody else is at it"
        await asyncio.sleep(0.1)
        assert not again.done()
        await session.execute(text("DELETE FROM usage_notices_due"))
    await again
    assert await due(database) == 1


async def test_spending_looking_and_changes_at_once_never_wait_in_a_circle(
    engine: Engine, database: Database, someone: Person
) -> None:
    async with database.system() as session:
        people = [someone, *[await person(session) for _ in range(2)]]
    over = asyncio.Event()

    async def spend_all(user: Person, meter: str, times: int) -> None:
        for _ in range(times):
            await spend(engine, user, 1, meter=meter)

    async def beside(work: Callable[[], Awaitable[object]]) -> int:
        times = 0
        while not over.is_set():
            await work()
            times += 1
        return times

    others = [asyncio.create_task(beside(lambda: tell(database))) for _ in range(3)]
    others += [
        asyncio.create_task(beside(lambda user=user: look_again_at(database, user.account_id, now=NOW)))  # type: ignore[misc]  # bound now
        for user in people
    ]
    with structlog.testing.capture_logs() as logged:
        await asyncio.gather(
            *(spend_all(user, meter, times) for user in people for meter, times in (("jobs", 10), ("compute", 40)))
        )
        over.set()
        assert all(await asyncio.gather(*others))
        await tell(database)
    assert logged == []
    for user in people:
        assert await told(database, user) == ALL
    assert await due(database) == 0


async def test_present_notices_are_those_of_windows_that_are_open(
    engine: Engine, database: Database, someone: Person
) -> None:
    await spend(engine, someone, 8)
    await spend(engine, someone, 100, meter="api_calls", now=NOW + HOUR)
    await spend(engine, someone, 90 * 10**6, meter="storage", now=NOW + HOUR)
    await tell(database, NOW + HOUR)

    async def at(now: datetime) -> list[tuple[str, int]]:
        async with database.read() as session:
            found = await present(session, await entitlements_of(session, someone.user_id, now=now))
        return [(notice.meter, notice.percent) for notice in found]

    today = await at(NOW + 2 * HOUR)
    assert sorted(today) == [("api_calls", 80), ("api_calls", 95), ("api_calls", 100), ("jobs", 80), ("storage", 80)]
    assert sorted(await at(NOW + DAY)) == [("jobs", 80), ("storage", 80)]
    assert await at(NOW + 40 * DAY) == []
