"""kill -9 under load: every answered spend and event is there once, and counters are the sum of events."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import text

from backend.db.embedded import EmbeddedPostgres
from backend.db.session import Database
from backend.tests.conftest import prepare
from backend.tests.faults.people import customer, service_headers
from backend.tests.faults.server import ForkedServer, Server
from backend.tests.http.calls import Caller

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]

_CALLERS = 8
_KILLS_A_MINUTE, _A_MINUTE = 5, 75.0  # it notices a death a little after it
_COMES_BACK_WITHIN = 60.0  # seconds: a killed server recovers from its log first


@dataclass
class Load:
    """Callers that spend or report one job after another, each with an identity of its own, until they are told to
    stop."""

    base_url: str
    headers: dict[str, str]
    who: Caller
    answered: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    stopping: bool = False
    goal: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _number: int = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self.base_url, headers=self.headers, timeout=10) as client:
            await asyncio.gather(*(self._caller(client) for _ in range(_CALLERS)))

    async def reach(self, answered: int) -> None:
        """Waits until so many were answered."""
        self.goal = answered
        self.reached.clear()
        await asyncio.wait_for(self.reached.wait(), 60)

    async def _caller(self, client: httpx.AsyncClient) -> None:
        while not self.stopping:
            self._number += 1
            key = f"job {self._number}"
            self.open.add(key)
            await self._spend(client, key)

    async def _spend(self, client: httpx.AsyncClient, key: str) -> None:
        job = {"meter": "jobs", "amount": 1, "account_id": str(self.who.person.account_id)}
        is_reported = key.endswith(("1", "3", "5", "7", "9"))
        path = "/v1/usage/events" if is_reported else "/v1/usage/consume"
        try:
            answer = await client.post(
                path, json={"events": [{"id": key, **job}]} if is_reported else {"idempotency_key": key, **job}
            )
        except httpx.TransportError:
            await asyncio.sleep(0.02)
            return
        if answer.status_code == 200:
            self.answered.add(key)
            if len(self.answered) >= self.goal:
                self.reached.set()
            self.open.discard(key)
        elif answer.status_code == 503:
            await asyncio.sleep(0.02)
        else:
            self.unexpected.append(f"{answer.status_code} {answer.text[:200]}")

    async def settle(self) -> None:
        """Repeats what was never answered, as a client would: nothing is lost, and nothing is counted twice."""
        async with httpx.AsyncClient(base_url=self.base_url, headers=self.headers, timeout=10) as client:
            while self.open:
                await asyncio.gather(*(self._spend(client, key) for key in list(self.open)[:_CALLERS]))


async def verify(database: Database, load: Load) -> None:
    assert load.unexpected == []
    async with database.read(load.who.person.account_id) as session:
        rows = await session.execute(text("SELECT external_id, count(*) AS times FROM usage_events GROUP BY 1"))
        times = {row.external_id: row.times for row in rows}
        used = await session.scalar(text("SELECT sum(used) FROM meter_usage WHERE meter = 'jobs'"))
        recorded = await session.scalar(text("SELECT sum(jobs_created) FROM user_usage"))
        summed = await session.scalar(text("SELECT sum(amount) FROM usage_rollups WHERE meter = 'jobs'"))
    assert load.answered <= times.keys(), "an answered spend is gone"
    assert set(times.values()) <= {1}, "a spend was counted twice"
    assert used == len(times) == recorded == summed


async def kill_cycles(database: Database, server: Server, cycles: int) -> int:
    """Returns how many spends were answered."""
    headers = await service_headers(database)
    load = Load(server.base_url, headers, await customer(database, plan="enterprise"))
    running = asyncio.create_task(load.run())
    for _ in range(cycles):
        enough = len(load.answered) + 40
        await load.reach(enough)
        await asyncio.to_thread(server.kill)
        await verify(database, load)
        await asyncio.to_thread(server.start)
    load.stopping = True
    await running
    await load.settle()
    await verify(database, load)
    return len(load.answered)


async def test_the_server_is_killed_ten_times(database: Database, database_url: str, tmp_path: Path) -> None:
    server = ForkedServer(database_url, tmp_path)
    try:
        server.start()
        assert await kill_cycles(database, server, cycles=10) >= 400
    finally:
        server.close()


@pytest.mark.parametrize(
    ("processes", "cycles"),
    [(4, 1), pytest.param(1, 10, marks=pytest.mark.prove), pytest.param(4, 10, marks=pytest.mark.prove)],
)
async def test_the_server_is_killed(
    database: Database, database_url: str, tmp_path: Path, processes: int, cycles: int
) -> None:
    server = Server(database_url, tmp_path, processes=processes)
    server.start()
    try:
        assert await kill_cycles(database, server, cycles=cycles) >= 40 * cycles
    finally:
        server.stop()


@pytest.mark.prove
async def test_the_server_is_killed_three_hundred_times(database: Database, database_url: str, tmp_path: Path) -> None:
    server = Server(database_url, tmp_path, processes=4)
    server.start()
    try:
        await kill_cycles(database, server, cycles=300)
    finally:
        server.stop()


async def database_kill_cycles(home: Path, cycles: int) -> None:
    with EmbeddedPostgres(home).hold() as info:
        await asyncio.to_thread(prepare, info.url())
        database = Database(info.url())
        server = Server(info.url(), home, processes=1)
        server.start()
        try:
            headers = await service_headers(database)
            load = Load(server.base_url, headers, await customer(database, plan="enterprise"))
            running = asyncio.create_task(load.run())
            kills: list[float] = []
            for _ in range(cycles):
                enough = len(load.answered) + 40
                await load.reach(enough)
                await _pause_before_the_next(kills)
                kills.append(time.monotonic())
                os.kill(
                    int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL
                )
                await asyncio.to_thread(_until_it_answers, info.url())
            load.stopping = True
            await running
            await load.settle()
            await database.engine.dispose()
            await verify(database, load)
        finally:
            server.stop()
            await database.close()


async def _pause_before_the_next(kills: list[float]) -> None:
    """Whoever looks after the embedded server gives up when it dies more than five times in a minute. The load goes
    on meanwhile."""
    if len(kills) >= _KILLS_A_MINUTE:
        await asyncio.sleep(max(0.0, kills[-_KILLS_A_MINUTE] + _A_MINUTE - time.monotonic()))


def _until_it_answers(url: str) -> None:
    deadline = time.monotonic() + _COMES_BACK_WITHIN
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(url, connect_timeout=1):
                return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError("PostgreSQL did not come back")


@pytest.mark.parametrize("cycles", [3, *(pytest.param(number, marks=pytest.mark.prove) for number in (10, 100))])
async def test_postgresql_is_killed(tmp_path: Path, cycles: int) -> None:
    await database_kill_cycles(tmp_path, cycles=cycles)
