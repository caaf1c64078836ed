"""The database is gone while API calls are spent from memory: refused as unavailable in time, and nothing is lost."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from backend.core.clock import SystemClock
from backend.db.session import Database, driver_url
from backend.tests.factories.calls import Stored, plans_with, stored
from backend.tests.faults.people import customer
from backend.tests.faults.server import Server
from backend.tests.faults.test_allowances import Load, Story

pytestmark = [pytest.mark.faults, pytest.mark.alone]

# What was confirmed last is believed for less than a second; a connection is waited for a little longer.
NOTICED = 4.0
CALLS = 200


@contextmanager
def gone(url: str) -> Iterator[None]:
    """Nobody has a connection to the database, or gets one."""
    name = url.rpartition("/")[2].partition("?")[0]
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(driver_url(url.rpartition("/")[0] + "/postgres"), autocommit=True) as connection:
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
            [name],
        )
        try:
            yield
        finally:
            connection.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


async def until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it does not come back")


async def endure(database: Database, database_url: str, home: Path, *, seconds: float) -> None:
    """Two processes under load lose the database for so long."""
    await plans_with(database, 1_000_000, now=SystemClock().now(), window="period", requests=1_000_000)
    story = Story(await customer(database, plan="pro"), 1.0)
    server = Server(database_url, home, processes=2, environment={"RATE_LIMIT_STORE": "memory"})
    server.start()
    load = Load(server.port, [story], random.Random(1))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            await until(lambda: story.admitted >= CALLS)
            await database.engine.dispose()
            with gone(database_url):
                began = time.monotonic_ns()
                await asyncio.sleep(seconds)
                ended = time.monotonic_ns()
            reached = story.admitted + CALLS
            await until(lambda: story.admitted >= reached)
            story.is_over = True
        late = began + int(NOTICED * 1e9)
        statuses = Counter(call.status for call in story.calls if call.call > late and (call.answer or 0) < ended)
        assert set(statuses) == {503}, "nobody is let through on what was believed long ago"
        assert load.unexpected == Counter()
        spent = story.admitted
        unknown = sum(call.answer is None or call.code == "outcome_unknown" for call in story.calls)
    finally:
        server.stop()  # and gives everything back
    found = await stored(database, story.who.person.account_id)
    assert spent <= found.used <= spent + unknown
    assert found == Stored(found.used, 0, 0, found.used, found.used)


async def test_the_database_is_gone_for_seconds(database: Database, database_url: str, tmp_path: Path) -> None:
    await endure(database, database_url, tmp_path, seconds=6)


@pytest.mark.prove
async def test_the_database_is_gone_for_longer_than_any_lease(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await endure(database, database_url, tmp_path, seconds=30)
