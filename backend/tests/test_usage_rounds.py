"""Rounds of journals beside batches of spends: both lock counters first, then records, so neither waits in a circle."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from backend.core.ids import uuid7
from backend.db.session import Database
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.tests.turns import until_somebody_waits
from backend.usage.batch import BatchConnection
from backend.usage.items import Item, Items
from backend.usage.model import API_CALLS, JOBS, Scope, Source, Window
from backend.usage.rounds import RoundConnection
from backend.usage.settlement import CounterKey, Opening

DAY = Window(NOW, NOW + timedelta(days=1))
PERIOD_END = NOW + timedelta(days=30)

_MAKE = text("""
    INSERT INTO meter_usage (account_id, meter, window_start, window_end) VALUES (:id, :meter, :start, :end)
    ON CONFLICT DO NOTHING
""")


@pytest.fixture
async def who(database: Database) -> Person:
    async with database.system() as session:
        return await person(session)


@pytest.fixture
async def round_(database: Database) -> AsyncIterator[RoundConnection]:
    made = await RoundConnection.open(database.url)
    yield made
    await made.close()


def opening(who: Person, key: CounterKey) -> Opening:
    return Opening(key, DAY, who.user_id, NOW, PERIOD_END, uuid7())


async def settled(round_: RoundConnection, who: Person, *meters: str) -> dict[CounterKey, int]:
    """A round that opens counters of these meters and sets nothing aside; what was used of each, as it saw it."""
    keys: list[CounterKey] = [(who.account_id, meter, NOW) for meter in meters]
    journal_id = uuid7()
    async with round_.transaction():
        await round_.begin(journal_id, is_new=True)
        counters, _ = await round_.lock(keys, [opening(who, key) for key in keys], [who.account_id])
        await round_.write(
            journal_id, position=0, changes=[], spends=[], stored_up_to=0, from_forfeited=False, recalls=[]
        )
    return {key: counter.used for key, counter in counters.items()}


async def test_a_round_and_a_batch_that_begin_a_period_wait_in_no_circle(
    database: Database, who: Person, round_: RoundConnection
) -> None:
    batch = await BatchConnection.open(database.url)
    key, scope = (who.account_id, API_CALLS, NOW), Scope(who.account_id, who.user_id, NOW, PERIOD_END)
    async with database.account(who.account_id) as session:
        await session.execute(_MAKE, {"id": who.account_id, "start": NOW, "end": DAY.end, "meter": API_CALLS})
    try:
        await batch.lock({key: DAY}, [])
        rounds = asyncio.create_task(settled(round_, who, API_CALLS))
        await until_somebody_waits(database)
        await batch.write(Items([Item(uuid7(), scope, API_CALLS, DAY, 3, Source(), None, None, NOW, NOW)]))
        assert await rounds == {key: 3}
    finally:
        await batch.close()
    async with database.read(who.account_id) as session:
        assert (await session.scalars(text("SELECT api_calls FROM user_usage"))).all() == [3]


async def test_a_round_makes_no_counter_before_it_has_locked_those_that_are_there(
    database: Database, who: Person, round_: RoundConnection
) -> None:
    which = {"id": who.account_id, "start": NOW, "end": DAY.end}
    async with database.account(who.account_id) as session:
        await session.execute(_MAKE, {**which, "meter": API_CALLS})
    async with database.account(who.account_id) as session:
        await session.execute(text("SELECT 1 FROM meter_usage FOR UPDATE"))
        rounds = asyncio.create_task(settled(round_, who, API_CALLS, JOBS))
        await until_somebody_waits(database)
        await session.execute(_MAKE, {**which, "meter": JOBS})
    assert await rounds == {(who.account_id, API_CALLS, NOW): 0, (who.account_id, JOBS, NOW): 0}
