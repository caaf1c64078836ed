"""A database that cuts connections, holds locks or is gone for a while: defined answers, then one correct result."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from backend.db.session import Database, driver_url
from backend.tests.conftest import Databases
from backend.tests.faults.people import customer, service_headers
from backend.tests.faults.server import Server
from backend.tests.faults.test_kills import Load, verify

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]

_APPLICATION = "feature-platform"


@pytest.fixture(scope="module")
def database_url(databases: Databases, run_id: str, worker: str) -> Iterator[str]:
    """One for these tests, which tell their accounts apart: starting a server takes longer than most of them."""
    name = f"feature_test_{run_id}_{worker}_faults"
    yield databases.copy(name)
    databases.drop(name)


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(database_url, tmp_path_factory.mktemp("faults"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url)
    yield made
    await made.close()


def cut(url: str) -> int:
    """Ends all connections of the application to its database; how many there were."""
    with psycopg.connect(driver_url(url), autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()",
            [_APPLICATION],
        ).fetchone()
    assert found is not None
    return int(found[0])


async def cut_rounds(database: Database, server: Server, url: str, rounds: int) -> None:
    load = Load(server.base_url, await service_headers(database), await customer(database, plan="enterprise"))
    running = asyncio.create_task(load.run())
    for _ in range(rounds):
        await load.reach(len(load.answered) + 25)
        assert await asyncio.to_thread(cut, url) > 0
    load.stopping = True
    await running
    await load.settle()
    await database.engine.dispose()
    await verify(database, load)


async def test_connections_are_cut_under_load(database: Database, server: Server, database_url: str) -> None:
    await cut_rounds(database, server, database_url, rounds=6)


@pytest.mark.prove
async def test_connections_are_cut_a_thousand_times(database: Database, server: Server, database_url: str) -> None:
    await cut_rounds(database, server, database_url, rounds=1_000)


async def test_a_database_that_is_gone_is_503_and_comes_back_by_itself(
    database: Database, server: Server, database_url: str
) -> None:
    who = await customer(database)
    await database.engine.dispose()
    name = database_url.rpartition("/")[2].partition("?")[0]
    admin = driver_url(database_url.rpartition("/")[0] + "/postgres")
    body = {"meter": "jobs", "amount": 1, "idempotency_key": "one"}
    async with httpx.AsyncClient(base_url=server.base_url, headers=who.headers, timeout=20) as client:
        assert (await client.post("/v1/usage/consume", json=body)).status_code == 200
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend'",
                [name],
            )
            answers = [
                await client.post("/v1/usage/consume", json=body),
                await client.get("/v1/subscription/usage"),
                await client.get("/v1/subscription/plans"),
                await client.get("/v1/ping"),
                await client.post("/v1/auth/login", json={"email": "a@example.com", "password": "x"}),
            ]
            for answer in answers:
                assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable"), answer.text
                assert 1 <= int(answer.headers["retry-after"]) <= 10
            assert (await client.get("/health")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
        again = await client.post("/v1/usage/consume", json=body)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert (await client.get("/readyz")).status_code == 200


async def test_a_lock_that_somebody_holds_is_503_in_time_and_spends_nothing(
    database: Database, server: Server, database_url: str
) -> None:
    who = await customer(database)
    body = {"meter": "jobs", "amount": 1}
    async with httpx.AsyncClient(base_url=server.base_url, headers=who.headers, timeout=20) as client:
        assert (await client.post("/v1/usage/consume", json=body)).status_code == 200
        with psycopg.connect(driver_url(database_url)) as connection:
            connection.execute("SELECT set_config('feature.scope', 'system', true)")
            assert connection.execute("SELECT * FROM meter_usage FOR UPDATE").fetchall()
            began = time.monotonic()
            answers = await asyncio.gather(*(client.post("/v1/usage/consume", json=body) for _ in range(4)))
            assert time.monotonic() - began < 8
            assert {answer.status_code for answer in answers} == {503}
            # What does not touch the lock goes on.
            assert (await client.get("/v1/subscription/usage")).status_code == 200
        assert (await client.post("/v1/usage/consume", json=body)).json()["used"] == 2
    async with database.read(who.person.account_id) as session:
        assert await session.scalar(text("SELECT sum(amount) FROM usage_events")) == 2


async def test_what_is_hardly_http_is_refused_and_the_server_goes_on(server: Server) -> None:
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    raw: dict[bytes, set[int]] = {
        b"GET /v1/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"x" * 65_536 + b"\r\n\r\n": {431},
        b"GET /v1/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"x" * 20_000 + b"\r\n\r\n": {431},
        b"GET /v1/auth/me?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n": {400, 401, 414, 431},
        b"hello\r\n\r\n": {400},
        b"GET / HTTP/9.9\r\n\r\n": {400, 505},
        head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": {400, 422},
        head + b"Content-Length: -1\r\n\r\n": {400},
        head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}": {400},
        head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n": {400},
        head + b"Content-Length: 2\r\n\r\n{}": {422},
    }
    for request, expected in raw.items():
        status = await status_of(server.port, request)
        assert status in expected, (request[:80], status)
    # Cut off in the middle of a body: nobody is left to answer, and nothing is kept busy.
    for _ in range(30):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"Content-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.close()
    async with httpx.AsyncClient(base_url=server.base_url, timeout=5) as client:
        assert (await client.get("/v1/subscription/plans")).status_code == 200


async def status_of(port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 10)
        return int(line.split()[1])
    finally:
        writer.close()
