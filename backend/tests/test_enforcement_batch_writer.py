"""Batches of spends: an end that was not heard of, and the records that they add to."""

import asyncio

import psycopg
import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.enforcement.engine import Caller, Engine
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.usage.batch import BatchConnection
from backend.usage.items import Items
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


@pytest.mark.parametrize("error", [psycopg.OperationalError("the connection is lost"), AdminShutdown("going")])
async def test_an_error_that_comes_after_the_commit_is_not_taken_for_nothing_spent(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error
) -> None:
    """A server that ends a connection may have committed before, and the driver not have seen yet that it has gone."""
    engine = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    async with database.system() as session:
        who = await person(session)
    caller = Caller(who.account_id, Source(), who.user_id, NOW)
    write = BatchConnection.write

    async def late(self: BatchConnection, items: Items) -> None:
        await write(self, items)
        monkeypatch.setattr(BatchConnection, "write", write)
        raise error

    monkeypatch.setattr(BatchConnection, "write", late)
    try:
        assert (await engine.spend(caller, meter="jobs", amount=1)).decision.allowed
        assert (await engine.spend(caller, meter="jobs", amount=1)).decision.used == 2
        assert await _jobs(database, who) == (2, 2, 2)
    finally:
        await engine.close()


async def test_a_statement_that_is_refused_counts_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
    async with database.system() as session:
        who = await person(session)
    caller = Caller(who.account_id, Source(), who.user_id, NOW)

    async def refused(self: BatchConnection, items: Items) -> None:
        await self._connection.execute("SELECT 1 / 0")

    with monkeypatch.context() as patched:
        patched.setattr(BatchConnection, "write", refused)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await engine.spend(caller, meter="jobs", amount=1)
    try:
        assert (await engine.spend(caller, meter="jobs", amount=1)).decision.used == 1
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
