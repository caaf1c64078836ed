"""Batches of spends: an end that was not heard of, and the records that they add to."""

import asyncio

from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.enforcement.engine import Caller, Engine
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.usage.batch import BatchConnection
from backend.usage.model import Source


async def test_a_transaction_that_a_crash_took_with_it_was_not_committed(database: Database) -> None:
    """After a crash the server gives out again numbers of which nothing was written; until then they are unknown."""
    connection = await BatchConnection.open(database.url)
    try:
        locked = await connection.lock({}, [])
        assert await connection.status(locked.transaction) == "in progress"
        of_the_future = str(int(locked.transaction) + 1_000_000)
        await connection.undo()
        assert await connection.status(locked.transaction) == "aborted"
        assert await connection.status(of_the_future) == "aborted"
    finally:
        await connection.close()


async def test_a_record_that_has_gone_is_made_again(database: Database) -> None:
    """Later spends only add to the record of a period that was there; where it is not, nothing of them is lost."""
    engine = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    async with database.system() as session:
        who = await person(session)
    caller = Caller(who.account_id, Source(), who.user_id, NOW)
    try:
        for _ in range(3):
            await engine.spend(caller, meter="jobs", amount=1)
        assert await _jobs(database, who) == (3, 3, 3)
        async with database.system() as session:
            await session.execute(text("DELETE FROM user_usage"))
        for _ in range(2):
            await engine.spend(caller, meter="jobs", amount=1)
        assert await _jobs(database, who) == (5, 5, 2)
    finally:
        await engine.close()


async def test_levels_and_sums_of_one_batch_are_both_recorded(database: Database) -> None:
    engine = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    async with database.system() as session:
        who = await person(session)
    caller = Caller(who.account_id, Source(), who.user_id, NOW)
    spends = [("jobs", 1), ("storage", 1_500_000), ("compute", 61), ("jobs", 2)]
    try:
        for _ in range(2):
            await asyncio.gather(*(engine.spend(caller, meter=meter, amount=amount) for meter, amount in spends))
        async with database.read(who.account_id) as session:
            record = (await session.execute(text("SELECT * FROM user_usage"))).one()
        assert (record.jobs_created, record.storage_used_mb, record.compute_minutes) == (6, 3, 3)
    finally:
        await engine.close()


async def _jobs(database: Database, who: Person) -> tuple[int, int, int]:
    """Counter, events and record."""
    async with database.read(who.account_id) as session:
        row = (
            await session.execute(
                text(
                    "SELECT (SELECT sum(used) FROM meter_usage), (SELECT sum(amount) FROM usage_events),"
                    " (SELECT sum(jobs_created) FROM user_usage)"
                )
            )
        ).one()
        return int(row[0]), int(row[1]), int(row[2])
