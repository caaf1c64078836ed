"""The engine against PostgreSQL: exact under concurrency, once per identity, whole or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from backend.auth.errors import AccountUnknown
from backend.catalog.errors import MeterUnknown
from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, uuid7
from backend.db.session import Database
from backend.enforcement.engine import Caller, Engine, Outcome, Repeated
from backend.enforcement.errors import AccountSuspended
from backend.subscription.entitlements import resolve
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.tests.turns import in_turns
from backend.usage.errors import IdempotencyConflict
from backend.usage.model import Source

Spend = Callable[..., Awaitable[Outcome | Repeated]]


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[Engine]:
    made = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    yield made
    await made.close()


@pytest.fixture
async def someone(database: Database) -> Person:
    async with database.system() as session:
        return await person(session)


def caller(user: Person, *, now: datetime = NOW, **properties: object) -> Caller:
    return Caller(user.account_id, Source(properties=properties or None), user.user_id, now)


async def counters(database: Database, user: Person) -> dict[str, tuple[int, int]]:
    """Used and held by meter."""
    async with database.read(user.account_id) as session:
        rows = await session.execute(text("SELECT meter, used, held FROM meter_usage"))
        return {row.meter: (row.used, row.held) for row in rows}


async def sum_of_events(database: Database, user: Person, meter: str) -> int:
    async with database.read(user.account_id) as session:
        found = await session.scalar(
            text("SELECT coalesce(sum(amount), 0) FROM usage_events WHERE meter = :meter AND counted"), {"meter": meter}
        )
        return int(found)


async def test_ten_jobs_pass_on_free_and_the_eleventh_says_why(engine: Engine, someone: Person) -> None:
    for used in range(1, 11):
        outcome = await engine.consume(caller(someone), meter="jobs", amount=1)
        assert isinstance(outcome, Outcome)
        assert (outcome.decision.allowed, outcome.decision.used) == (True, used)
        assert outcome.decision.remaining == 10 - used
    refused = await engine.consume(caller(someone), meter="jobs", amount=1)
    assert isinstance(refused, Outcome)
    decision = refused.decision
    assert (decision.allowed, decision.code) == (False, "quota_exceeded")
    assert (decision.used, decision.limit, decision.remaining) == (10, 10, 0)
    assert decision.resets_at == NOW.replace(month=4)
    assert decision.retry_after == 31 * 86_400
    assert [(fix.kind, fix.plan) for fix in decision.fixes] == [("wait", None), ("upgrade", "pro")]
    assert decision.decision_id is not None


@pytest.mark.parametrize(("limit_left", "cost"), [(0, 1), (1, 1), (10, 1), (10, 3), (2, 3)])
async def test_a_race_admits_exactly_what_is_left(
    engine: Engine, database: Database, someone: Person, limit_left: int, cost: int
) -> None:
    if limit_left < 10:
        await engine.consume(caller(someone), meter="jobs", amount=10 - limit_left)
    outcomes = await in_turns(40, lambda: engine.consume(caller(someone), meter="jobs", amount=cost))
    admitted = sum(outcome.decision.allowed for outcome in outcomes if isinstance(outcome, Outcome))
    assert admitted == limit_left // cost
    used = 10 - limit_left + admitted * cost
    assert (await counters(database, someone)).get("jobs", (0, 0))[0] == used
    assert await sum_of_events(database, someone, "jobs") == used


async def test_the_first_spends_of_a_window_are_not_refused_in_a_race(engine: Engine, someone: Person) -> None:
    outcomes = await asyncio.gather(*(engine.consume(caller(someone), meter="jobs", amount=1) for _ in range(10)))
    assert all(isinstance(outcome, Outcome) and outcome.decision.allowed for outcome in outcomes)


async def test_one_key_has_one_effect_however_often_and_at_once(
    engine: Engine, database: Database, someone: Person
) -> None:
    outcomes = await in_turns(
        32, lambda: engine.consume(caller(someone), meter="jobs", amount=2, idempotency_key="order-7")
    )
    firsts = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    assert len(firsts) == 1
    answer = firsts[0].decision.to_json()
    assert all(outcome.result == answer for outcome in outcomes if isinstance(outcome, Repeated))
    assert await counters(database, someone) == {"jobs": (2, 0)}
    assert await sum_of_events(database, someone, "jobs") == 2


async def test_a_key_with_other_content_is_a_conflict(engine: Engine, someone: Person) -> None:
    await engine.consume(caller(someone), meter="jobs", amount=1, idempotency_key="a")
    for meter, amount in (("jobs", 2), ("api_calls", 1)):
        with pytest.raises(IdempotencyConflict):
            await engine.consume(caller(someone), meter=meter, amount=amount, idempotency_key="a")
    with pytest.raises(IdempotencyConflict):
        await engine.consume(caller(someone, region="eu"), meter="jobs", amount=1, idempotency_key="a")


async def test_a_key_gets_its_first_answer_when_nothing_is_left(engine: Engine, someone: Person) -> None:
    first = await engine.consume(caller(someone), meter="jobs", amount=10, idempotency_key="all")
    assert isinstance(first, Outcome)
    again = await engine.consume(caller(someone), meter="jobs", amount=10, idempotency_key="all")
    assert isinstance(again, Repeated)
    assert again.result == first.decision.to_json()


async def test_a_refusal_stores_nothing_so_the_key_works_after_an_upgrade(
    engine: Engine, database: Database, someone: Person
) -> None:
    refused = await engine.consume(caller(someone), meter="jobs", amount=11, idempotency_key="big")
    assert isinstance(refused, Outcome)
    assert not refused.decision.allowed
    assert refused.decision.retry_after is None, "waiting does not help: eleven never fit into ten"
    async with database.system() as session:
        await upgrade_user_plan(session, someone.user_id, "pro", now=NOW)
    passed = await engine.consume(caller(someone), meter="jobs", amount=11, idempotency_key="big")
    assert isinstance(passed, Outcome)
    assert passed.decision.allowed


async def test_the_same_key_at_two_accounts_is_two_spends(engine: Engine, database: Database) -> None:
    async with database.system() as session:
        people = [await person(session), await person(session)]
    for user in people:
        outcome = await engine.consume(caller(user), meter="jobs", amount=1, idempotency_key="same")
        assert isinstance(outcome, Outcome)


async def test_limits_read_before_a_downgrade_do_not_admit_after_it(
    engine: Engine, database: Database, someone: Person
) -> None:
    async with database.system() as session:
        await upgrade_user_plan(session, someone.user_id, "pro", now=NOW)
    async with database.read(someone.account_id) as session:
        old = await resolve(session, account_id=someone.account_id, catalogs=engine.catalogs, now=NOW)
    async with database.system() as session:
        await upgrade_user_plan(session, someone.user_id, "free", now=NOW)
    stale = Caller(someone.account_id, Source(), someone.user_id, NOW, old)
    outcome = await engine.consume(stale, meter="jobs", amount=11)
    assert isinstance(outcome, Outcome)
    assert (outcome.decision.allowed, outcome.decision.limit) == (False, 10)


async def test_limits_read_before_an_upgrade_do_not_refuse_after_it(
    engine: Engine, database: Database, someone: Person
) -> None:
    async with database.read(someone.account_id) as session:
        old = await resolve(session, account_id=someone.account_id, catalogs=engine.catalogs, now=NOW)
    async with database.system() as session:
        await upgrade_user_plan(session, someone.user_id, "pro", now=NOW)
    outcome = await engine.consume(
        Caller(someone.account_id, Source(), someone.user_id, NOW, old), meter="jobs", amount=11
    )
    assert isinstance(outcome, Outcome)
    assert (outcome.decision.allowed, outcome.decision.plan) == (True, "pro")


async def test_a_day_counts_from_midnight_of_the_billing_zone(engine: Engine, database: Database) -> None:
    async with database.system() as session:
        user = await person(session, billing_zone="Asia/Tokyo")
    before = NOW.replace(hour=14, minute=59, second=59, microsecond=999_999)  # 23:59:59.999999 in Tokyo
    await engine.consume(caller(user, now=before), meter="api_calls", amount=100)
    full = await engine.check(caller(user, now=before), meter="api_calls", amount=1)
    assert not full.decision.allowed
    assert full.decision.resets_at == NOW.replace(hour=15)
    assert full.decision.retry_after == 1
    fresh = await engine.check(caller(user, now=NOW.replace(hour=15)), meter="api_calls", amount=1)
    assert (fresh.decision.allowed, fresh.decision.used) == (True, 0)


async def test_a_level_goes_up_to_its_limit_and_down_to_nothing(
    engine: Engine, database: Database, someone: Person
) -> None:
    limit = 100 * 10**6
    await engine.consume(caller(someone), meter="storage", amount=limit)
    refused = await engine.consume(caller(someone), meter="storage", amount=1)
    assert isinstance(refused, Outcome)
    assert (refused.decision.allowed, refused.decision.resets_at) == (False, None)
    down = await engine.consume(caller(someone), meter="storage", amount=-30)
    assert isinstance(down, Outcome)
    assert down.decision.used == limit - 30
    await engine.consume(caller(someone), meter="storage", amount=-(10**12))
    assert (await counters(database, someone))["storage"] == (0, 0)
    assert await sum_of_events(database, someone, "storage") == 0


async def test_check_spends_nothing(engine: Engine, database: Database, someone: Person) -> None:
    for _ in range(3):
        outcome = await engine.check(caller(someone), meter="jobs", amount=10)
        assert outcome.decision.allowed
    assert await counters(database, someone) == {}


@pytest.mark.parametrize(("meter", "amount"), [("jobs", 0), ("jobs", -1), ("storage", 0), ("jobs", 10**16)])
async def test_amounts_that_mean_nothing_are_refused(engine: Engine, someone: Person, meter: str, amount: int) -> None:
    with pytest.raises(InvalidInput):
        await engine.consume(caller(someone), meter=meter, amount=amount)


async def test_unknown_meters_and_accounts_are_named(engine: Engine, database: Database, someone: Person) -> None:
    with pytest.raises(MeterUnknown, match="api_calls, jobs"):
        await engine.consume(caller(someone), meter="stars", amount=1)
    stranger = Caller(AccountId(uuid7()), Source(), None, NOW)
    with pytest.raises(AccountUnknown):
        await engine.consume(stranger, meter="jobs", amount=1)
    async with database.system() as session:
        await session.execute(
            text("UPDATE accounts SET status = 'suspended' WHERE id = :id"), {"id": someone.account_id}
        )
    with pytest.raises(AccountSuspended):
        await engine.consume(caller(someone), meter="jobs", amount=1)


async def test_the_record_of_the_period_follows_the_counters(
    engine: Engine, database: Database, someone: Person
) -> None:
    for meter, amount in {"jobs": 3, "api_calls": 5, "storage": 1_500_000, "compute": 61}.items():
        await engine.consume(caller(someone), meter=meter, amount=amount)
    await engine.consume(caller(someone, now=NOW + timedelta(days=1)), meter="api_calls", amount=6)
    async with database.read(someone.account_id) as session:
        row = (await session.execute(text("SELECT * FROM user_usage"))).one()
    assert (row.jobs_created, row.api_calls, row.storage_used_mb, row.compute_minutes) == (3, 11, 2, 2)
    assert (row.period_start, row.period_end) == (NOW, NOW.replace(month=4))
