"""API calls are spent from memory by four processes that are killed at the limit: none lost, none twice, none over."""

import asyncio
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from backend.catalog.document import load
from backend.catalog.service import apply
from backend.core.clock import SystemClock
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.tests.faults.people import customer
from backend.tests.faults.server import Server
from backend.tests.http.calls import Caller

pytestmark = pytest.mark.faults

CALLERS = 64
PROCESSES = 4


@dataclass
class Load:
    """Callers that call until the limit is reached, whatever happens to the server."""

    base_url: str
    who: Caller
    answered: int = 0
    open: int = 0
    """Calls of which nobody heard what became of them."""
    refused: int = 0
    unexpected: Counter[str] = field(default_factory=Counter)
    is_over: bool = False

    async def run(self) -> None:
        limits = httpx.Limits(max_connections=CALLERS)
        async with httpx.AsyncClient(base_url=self.base_url, headers=self.who.headers, limits=limits) as client:
            await asyncio.gather(*(self._caller(client) for _ in range(CALLERS)))

    async def _caller(self, client: httpx.AsyncClient) -> None:
        while not self.is_over:
            try:
                answer = await client.get("/v1/ping", timeout=15)
            except httpx.TransportError:
                self.open += 1
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 200:
                self.answered += 1
            elif answer.status_code == 402:
                self.refused += 1
                await asyncio.sleep(0.1)
            elif answer.status_code == 503:
                self.open += answer.json()["code"] == "outcome_unknown"
                await asyncio.sleep(0.1)
            else:
                self.unexpected[f"{answer.status_code} {answer.text[:200]}"] += 1


async def plans_with(database: Database, limit: int) -> None:
    """Pro with so many calls a day, and no rate limit that is felt."""
    plans = (REPOSITORY / "plans.toml").read_text()
    changed = plans.replace("limit = 10_000,", f"limit = {limit},").replace(
        "requests = 100, per", "requests = 10_000, per"
    )
    async with database.system() as session:
        await apply(session, load(changed), now=SystemClock().now())


async def stored(database: Database) -> dict[str, int]:
    async with database.read() as session:
        row = (
            await session.execute(
                text("""
                    SELECT coalesce(sum(used), 0) AS used, coalesce(sum(held), 0) AS held,
                        coalesce(sum(forfeited), 0) AS forfeited,
                        (SELECT coalesce(sum(amount), 0) FROM usage_events WHERE meter = 'api_calls') AS events,
                        (SELECT coalesce(sum(api_calls), 0) FROM user_usage) AS recorded
                    FROM meter_usage WHERE meter = 'api_calls'
                """)
            )
        ).one()
    return {name: int(value) for name, value in row._mapping.items()}


def workers_of(server: Server) -> list[int]:
    """The processes that serve; the one that started them is left alone."""
    assert server._process is not None
    return [
        int(child)
        for child in Path(f"/proc/{server._process.pid}/task/{server._process.pid}/children").read_text().split()
    ]


async def history(database: Database, server: Server, *, limit: int, seed: int) -> None:
    """One account on its way to its limit, while single processes are killed and stopped."""
    await plans_with(database, limit)
    who = await customer(database, plan="pro")
    chance, load_ = random.Random(seed), Load(server.base_url, who)
    running = asyncio.create_task(load_.run())
    for _ in range(3):
        reached = load_.answered + limit // 5
        for _ in range(600):
            if load_.answered >= reached or load_.refused:
                break
            await asyncio.sleep(0.02)
        victim = chance.choice(workers_of(server))
        if chance.random() < 0.3:
            os.kill(victim, signal.SIGSTOP)
            await asyncio.sleep(0.3)
            os.kill(victim, signal.SIGCONT)
        else:
            os.kill(victim, signal.SIGKILL)
    # Until everybody has been refused for longer than anything can be held by a process that is gone.
    calm = 0
    while calm < 12:
        before = load_.answered
        await asyncio.sleep(1)
        calm = calm + 1 if load_.answered == before and load_.refused else 0
    load_.is_over = True
    await running
    found = await stored(database)
    assert load_.unexpected == Counter()
    assert found["held"] == found["forfeited"] == 0, found
    assert found["used"] == found["events"] == found["recorded"], found
    assert found["used"] <= limit, "more was admitted than the limit"
    assert load_.answered <= found["used"] <= load_.answered + load_.open, (load_.answered, load_.open, found)
    assert found["used"] == limit, "somebody was refused while units were free"


async def test_processes_are_killed_and_stopped_on_the_way_to_the_limit(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    server = Server(database_url, tmp_path, processes=PROCESSES)
    server.start()
    try:
        await history(database, server, limit=3_000, seed=1)
    finally:
        server.stop()


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1_000))
async def test_a_thousand_histories(database: Database, database_url: str, tmp_path: Path, seed: int) -> None:
    server = Server(database_url, tmp_path, processes=PROCESSES)
    server.start()
    try:
        await history(database, server, limit=10_000, seed=seed)
    finally:
        server.stop()
