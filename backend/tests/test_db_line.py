"""Prepared statements without a driver between: transactions that follow each other, and what breaks them."""

import asyncio
import time
from collections.abc import AsyncIterator

import psycopg
import pytest

from backend.db.line import Line
from backend.db.session import driver_url
from backend.db.wire import connect

Opened = tuple[Line, int]

_STATEMENTS = {
    b"sleep": b"SELECT pg_sleep($1::float8)",
    b"size": b"SELECT length($1::text)",
    b"divide": b"SELECT 1 / $1::int",
    b"note": b"INSERT INTO line_notes VALUES ($1::int)",
}


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Opened]:
    connection = await connect(database_url)
    await connection.execute("CREATE TEMPORARY TABLE line_notes (number int)")
    made = Line(connection)
    await made.prepare(_STATEMENTS)
    yield made, connection.info.backend_pid
    await connection.close()


async def noted(line: Line) -> list[int]:
    rows = await (await line._connection.execute("SELECT number FROM line_notes ORDER BY number")).fetchall()
    return [row[0] for row in rows]


async def test_what_is_sent_together_is_one_transaction(line: Opened) -> None:
    made, _ = line
    await made.run(((b"note", (b"1",)), (b"note", (b"2",))))
    with pytest.raises(psycopg.errors.DivisionByZero):
        await made.run(((b"note", (b"3",)), (b"divide", (b"0",))))
    assert await noted(made) == [1, 2]


async def test_one_that_fails_between_others_fails_alone(line: Opened) -> None:
    made, _ = line
    steps = [((b"note", (b"%d" % number,)), (b"divide", (b"%d" % (number % 3),))) for number in range(1, 8)]
    found = await asyncio.gather(*(made.run(each) for each in steps), return_exceptions=True)
    assert [type(one) for one in found] == [
        psycopg.errors.DivisionByZero if number % 3 == 0 else type(None) for number in range(1, 8)
    ]
    assert await noted(made) == [1, 2, 4, 5, 7]


async def test_what_does_not_fit_the_socket_goes_in_parts(line: Opened) -> None:
    made, _ = line
    big = b"x" * 20_000_000
    await asyncio.gather(*(made.run(((b"size", (big,)), (b"note", (b"%d" % number,)))) for number in range(3)))
    assert await noted(made) == [0, 1, 2]


async def test_who_is_cancelled_leaves_the_connection_as_it_is(line: Opened) -> None:
    made, _ = line
    waiting = asyncio.create_task(made.run(((b"sleep", (b"0.2",)), (b"note", (b"1",)))))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await made.run(((b"note", (b"2",)),))
    assert await noted(made) == [1, 2]


@pytest.mark.parametrize("size", [10, 300_000, 5_000_000])
async def test_all_that_are_under_way_hear_that_the_connection_is_lost(
    line: Opened, database_url: str, size: int
) -> None:
    made, pid = line
    first = asyncio.create_task(made.run(((b"sleep", (b"5",)),)))
    await asyncio.sleep(0.1)
    with psycopg.connect(driver_url(database_url)) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    time.sleep(0.2)  # noqa: ASYNC251 - the loop must not read it before the next one is sent
    second = asyncio.create_task(made.run(((b"size", (b"x" * size,)),)))
    found = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 5)
    assert all(isinstance(one, psycopg.OperationalError) for one in found)
    assert made._connection.closed
