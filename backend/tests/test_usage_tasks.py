"""Expired reservations come back by themselves, account by account."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.enforcement.engine import Engine
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.tests.test_enforcement_engine import counters
from backend.tests.test_enforcement_reservations import let_time_pass, reserved
from backend.usage.tasks import expire_holds


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[Engine]:
    made = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    yield made
    await made.close()


async def people(database: Database, number: int) -> list[Person]:
    """Each on Pro."""
    async with database.system() as session:
        found = [await person(session) for _ in range(number)]
        for one in found:
            await upgrade_user_plan(session, one.user_id, "pro", now=NOW)
        return found


async def test_what_expired_is_free_again_and_what_did_not_is_not(engine: Engine, database: Database) -> None:
    late, later, in_time = await people(database, 3)
    for user in (late, later, in_time):
        await reserved(engine, user, "compute", 100)
        await reserved(engine, user, "jobs", 2)
    await let_time_pass(database, late)
    await let_time_pass(database, later)
    assert await expire_holds(database) == 4
    for user in (late, later):
        assert await counters(database, user) == {"compute": (0, 0), "jobs": (0, 0), "jobs_in_flight": (0, 0)}
    assert await counters(database, in_time) == {"compute": (0, 100), "jobs": (0, 2), "jobs_in_flight": (1, 0)}
    assert await expire_holds(database) == 0


async def test_workers_at_the_same_time_give_back_once(engine: Engine, database: Database) -> None:
    users = await people(database, 4)
    for user in users:
        for _ in range(3):
            await reserved(engine, user, "compute", 10)
        await let_time_pass(database, user)
    assert sum(await asyncio.gather(*(expire_holds(database) for _ in range(4)))) == 12
    for user in users:
        assert (await counters(database, user))["compute"] == (0, 0)


async def test_an_account_that_somebody_holds_does_not_keep_others_waiting_for_ever(
    engine: Engine, database: Database
) -> None:
    busy, free = await people(database, 2)
    for user in (busy, free):
        await reserved(engine, user, "compute", 10)
        await let_time_pass(database, user)
    async with database.system() as session:
        await session.execute(
            text("SELECT 1 FROM meter_usage WHERE account_id = :id FOR UPDATE"), {"id": busy.account_id}
        )
        assert await expire_holds(database) == 1
    assert (await counters(database, free))["compute"] == (0, 0)
    assert await expire_holds(database) == 1
    assert (await counters(database, busy))["compute"] == (0, 0)
