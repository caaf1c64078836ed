"""Reservations: set aside, settled once, given back once."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput
from backend.core.ids import uuid7
from backend.db.session import Database
from backend.enforcement import reservations
from backend.enforcement.engine import Caller, Engine, Outcome
from backend.enforcement.reservations import Reserved
from backend.subscription.entitlements import Entitlements
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.tests.test_enforcement_engine import counters, sum_of_events
from backend.usage.errors import ReservationSettled, ReservationUnknown
from backend.usage.model import Source


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[Engine]:
    made = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    yield made
    await made.close()


@pytest.fixture
async def someone(database: Database) -> Person:
    """On Pro: five jobs in flight."""
    async with database.system() as session:
        user = await person(session)
        await upgrade_user_plan(session, user.user_id, "pro", now=NOW)
        return user


def caller(user: Person) -> Caller:
    return Caller(user.account_id, Source(), user.user_id, NOW)


async def reserve(engine: Engine, user: Person, meter: str, amount: int, ttl: int = 60) -> Reserved | Outcome:
    async def attempt(known: Entitlements | None) -> Reserved | Outcome:
        async with engine.transaction(user.account_id) as session:
            return await reservations.reserve(engine, session, caller(user), known, meter=meter, amount=amount, ttl=ttl)

    return await engine.persist(caller(user), attempt)


async def reserved(engine: Engine, user: Person, meter: str, amount: int, ttl: int = 60) -> UUID:
    found = await reserve(engine, user, meter, amount, ttl)
    assert isinstance(found, Reserved)
    return found.reservation_id


async def let_time_pass(database: Database, user: Person) -> None:
    """The time of all the user's reservations has passed, by the database's clock."""
    async with database.system() as session:
        await session.execute(
            text("UPDATE usage_holds SET expires_at = clock_timestamp() - interval '1 s' WHERE account_id = :id"),
            {"id": user.account_id},
        )


async def commit(engine: Engine, user: Person, hold: UUID, amount: int | None) -> tuple[str, int, int]:
    settled = await reservations.commit(engine, caller(user), reservation_id=hold, amount=amount)
    return settled.state, settled.counted, settled.uncounted


async def test_what_is_set_aside_is_not_free_and_the_rest_comes_back(
    engine: Engine, database: Database, someone: Person
) -> None:
    hold = await reserved(engine, someone, "compute", 1_000)
    assert (await counters(database, someone))["compute"] == (0, 1_000)
    assert await commit(engine, someone, hold, 400) == ("committed", 400, 0)
    assert (await counters(database, someone))["compute"] == (400, 0)
    assert await sum_of_events(database, someone, "compute") == 400


async def test_a_commit_without_an_amount_takes_all(engine: Engine, database: Database, someone: Person) -> None:
    hold = await reserved(engine, someone, "compute", 70)
    assert await commit(engine, someone, hold, None) == ("committed", 70, 0)
    async with database.read(someone.account_id) as session:
        assert await session.scalar(text("SELECT compute_minutes FROM user_usage")) == 2


async def test_more_than_was_set_aside_counts_as_far_as_there_is_room(
    engine: Engine, database: Database, someone: Person
) -> None:
    limit = 6_000 * 60
    await engine.consume(caller(someone), meter="compute", amount=limit - 100)
    hold = await reserved(engine, someone, "compute", 60)
    assert await commit(engine, someone, hold, 150) == ("committed", 100, 50)
    assert (await counters(database, someone))["compute"] == (limit, 0)
    assert await sum_of_events(database, someone, "compute") == limit


async def test_repeating_a_commit_changes_nothing_and_another_amount_is_a_conflict(
    engine: Engine, database: Database, someone: Person
) -> None:
    hold = await reserved(engine, someone, "jobs", 3)
    answers = await asyncio.gather(*(commit(engine, someone, hold, 2) for _ in range(16)))
    assert set(answers) == {("committed", 2, 0)}
    assert await counters(database, someone) == {"jobs": (2, 0), "jobs_in_flight": (0, 0)}
    with pytest.raises(ReservationSettled):
        await commit(engine, someone, hold, 3)
    with pytest.raises(ReservationSettled):
        await reservations.release(engine, caller(someone), reservation_id=hold)


async def test_a_release_gives_all_back_once(engine: Engine, database: Database, someone: Person) -> None:
    hold = await reserved(engine, someone, "jobs", 3)
    for _ in range(3):
        settled = await reservations.release(engine, caller(someone), reservation_id=hold)
        assert (settled.state, settled.counted, settled.decision.held) == ("released", 0, 0)
    assert await counters(database, someone) == {"jobs": (0, 0), "jobs_in_flight": (0, 0)}
    with pytest.raises(ReservationSettled):
        await commit(engine, someone, hold, 1)


async def test_jobs_in_flight_are_open_reservations_of_jobs(
    engine: Engine, database: Database, someone: Person
) -> None:
    outcomes = await asyncio.gather(*(reserve(engine, someone, "jobs", 1) for _ in range(12)))
    open_ones = [outcome for outcome in outcomes if isinstance(outcome, Reserved)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    assert (len(open_ones), len(refused)) == (5, 7)
    decision = refused[0].decision
    assert (decision.code, decision.used, decision.limit) == ("concurrency_limited", 5, 5)
    assert decision.retry_after is not None
    assert 1 <= decision.retry_after <= 60
    # A job that is not reserved takes no place, and a place that is given back is free at once.
    passed = await engine.consume(caller(someone), meter="jobs", amount=1)
    assert isinstance(passed, Outcome)
    assert passed.decision.allowed
    await commit(engine, someone, open_ones[0].reservation_id, 1)
    assert isinstance(await reserve(engine, someone, "jobs", 1), Reserved)
    assert isinstance(await reserve(engine, someone, "compute", 1), Reserved)


async def test_what_has_expired_comes_back_once_even_if_nobody_sweeps(
    engine: Engine, database: Database, someone: Person
) -> None:
    await asyncio.gather(*(reserved(engine, someone, "jobs", 100) for _ in range(5)))
    refused = await engine.consume(caller(someone), meter="jobs", amount=1)
    assert isinstance(refused, Outcome)
    assert not refused.decision.allowed
    assert refused.decision.fixes[0].kind == "release"
    await let_time_pass(database, someone)
    outcomes = await asyncio.gather(*(engine.consume(caller(someone), meter="jobs", amount=100) for _ in range(12)))
    assert sum(outcome.decision.allowed for outcome in outcomes if isinstance(outcome, Outcome)) == 5
    assert await counters(database, someone) == {"jobs": (500, 0), "jobs_in_flight": (0, 0)}


async def test_a_late_commit_counts_what_still_fits(engine: Engine, database: Database, someone: Person) -> None:
    hold = await reserved(engine, someone, "jobs", 100)
    await let_time_pass(database, someone)
    await engine.consume(caller(someone), meter="jobs", amount=470)
    assert await commit(engine, someone, hold, 100) == ("expired", 30, 70)
    assert await commit(engine, someone, hold, 100) == ("expired", 30, 70)
    assert await counters(database, someone) == {"jobs": (500, 0), "jobs_in_flight": (0, 0)}
    async with database.read(someone.account_id) as session:
        shown = await session.scalar(text("SELECT sum(amount) FROM usage_events WHERE NOT counted"))
    assert shown == 70


async def test_a_commit_and_the_expiry_at_once_settle_once(engine: Engine, database: Database, someone: Person) -> None:
    holds = [await reserved(engine, someone, "jobs", 10) for _ in range(5)]
    await let_time_pass(database, someone)
    await asyncio.gather(
        *(commit(engine, someone, hold, 10) for hold in holds),
        *(engine.consume(caller(someone), meter="jobs", amount=500) for _ in range(5)),
    )
    assert await counters(database, someone) == {"jobs": (50, 0), "jobs_in_flight": (0, 0)}


async def test_extending_moves_the_end_of_an_open_one_only(engine: Engine, database: Database, someone: Person) -> None:
    found = await reserve(engine, someone, "jobs", 1, ttl=10)
    assert isinstance(found, Reserved)
    later = await reservations.extend(engine, caller(someone), reservation_id=found.reservation_id, ttl=600)
    assert later > found.expires_at
    await let_time_pass(database, someone)
    with pytest.raises(ReservationSettled, match="expired"):
        await reservations.extend(engine, caller(someone), reservation_id=found.reservation_id, ttl=600)


async def test_another_accounts_reservation_does_not_exist(engine: Engine, database: Database, someone: Person) -> None:
    hold = await reserved(engine, someone, "jobs", 1)
    async with database.system() as session:
        stranger = await person(session)
    for attempt in (
        reservations.commit(engine, caller(stranger), reservation_id=hold, amount=1),
        reservations.release(engine, caller(stranger), reservation_id=hold),
        reservations.extend(engine, caller(stranger), reservation_id=hold, ttl=5),
        reservations.commit(engine, caller(someone), reservation_id=uuid7(), amount=1),
    ):
        with pytest.raises(ReservationUnknown):
            await attempt
    assert (await counters(database, someone))["jobs"] == (0, 1)


async def test_a_hold_granted_on_a_better_plan_is_honoured_after_a_downgrade(
    engine: Engine, database: Database, someone: Person
) -> None:
    hold = await reserved(engine, someone, "storage", 500 * 10**6)
    async with database.system() as session:
        await upgrade_user_plan(session, someone.user_id, "free", now=NOW)
    assert await commit(engine, someone, hold, 500 * 10**6) == ("committed", 500 * 10**6, 0)
    refused = await engine.consume(caller(someone), meter="storage", amount=1)
    assert isinstance(refused, Outcome)
    assert (refused.decision.allowed, refused.decision.remaining) == (False, 0)


@pytest.mark.parametrize("ttl", [0, -1, 86_401])
async def test_a_time_out_of_bounds_is_refused(engine: Engine, someone: Person, ttl: int) -> None:
    with pytest.raises(InvalidInput):
        await reserve(engine, someone, "jobs", 1, ttl)
