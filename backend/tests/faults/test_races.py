"""Races over HTTP, with one process and with four: exact, none over and none under."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.conftest import Supply
from backend.tests.faults.people import customer
from backend.tests.faults.server import Server
from backend.tests.http.calls import Caller

pytestmark = [pytest.mark.faults, pytest.mark.alone]

LIMIT = 10
CASES = [(0, 1), (1, 1), (10, 1), (10, 3), (2, 3), (10, 11)]


@pytest.fixture(scope="module", params=[1, 4], ids=["one process", "four processes"])
def server(
    request: pytest.FixtureRequest, supply: Supply, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One for all races: each has accounts of its own."""
    with supply.one() as url:
        started = Server(url, tmp_path_factory.mktemp("server"), processes=request.param)
        started.start()
        yield started
        started.stop()


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    made = Database(server.database_url)
    yield made
    await made.close()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30, limits=limits) as made:
        yield made


async def spend(client: httpx.AsyncClient, who: Caller, amount: int, key: str | None = None) -> httpx.Response:
    body = {"meter": "jobs", "amount": amount, **({"idempotency_key": key} if key else {})}
    return await client.post("/v1/usage/consume", json=body, headers=who.headers)


async def used_and_events(database: Database, who: Caller) -> tuple[int, int]:
    async with database.read(who.person.account_id) as session:
        used = await session.scalar(text("SELECT coalesce(sum(used), 0) FROM meter_usage WHERE meter = 'jobs'"))
        events = await session.scalar(text("SELECT coalesce(sum(amount), 0) FROM usage_events WHERE meter = 'jobs'"))
        return int(used), int(events)


async def race(client: httpx.AsyncClient, database: Database, left: int, cost: int, callers: int) -> None:
    who = await customer(database)
    if left < LIMIT:
        assert (await spend(client, who, LIMIT - left)).status_code == 200
    answers = await asyncio.gather(*(spend(client, who, cost) for _ in range(callers)))
    found = Counter(answer.status_code for answer in answers)
    admitted = left // cost
    assert found == Counter({200: admitted, 402: callers - admitted}) - Counter()
    assert await used_and_events(database, who) == (LIMIT - left + admitted * cost,) * 2


async def test_a_quota_race_is_exact(client: httpx.AsyncClient, database: Database) -> None:
    for _ in range(5):
        for left, cost in CASES:
            await race(client, database, left, cost, callers=20)


@pytest.mark.prove
async def test_a_quota_race_is_exact_a_thousand_times(client: httpx.AsyncClient, database: Database) -> None:
    for _ in range(1_000):
        for left, cost in CASES:
            await race(client, database, left, cost, callers=40)


async def test_one_key_is_one_effect(client: httpx.AsyncClient, database: Database) -> None:
    await one_key_rounds(client, database, rounds=20)


@pytest.mark.prove
async def test_one_key_is_one_effect_five_hundred_times(client: httpx.AsyncClient, database: Database) -> None:
    await one_key_rounds(client, database, rounds=500)


async def one_key_rounds(client: httpx.AsyncClient, database: Database, *, rounds: int) -> None:
    for number in range(rounds):
        who = await customer(database)
        answers = await asyncio.gather(*(spend(client, who, 3, f"round {number}") for _ in range(32)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        assert await used_and_events(database, who) == (3, 3)


async def test_a_rate_limit_is_exact_over_processes(client: httpx.AsyncClient, database: Database) -> None:
    who = await customer(database)
    began = time.monotonic()
    answers = await asyncio.gather(*(client.get("/v1/subscription/me", headers=who.headers) for _ in range(160)))
    refilled = math.ceil((time.monotonic() - began) * 100 / 60)
    found = Counter(answer.status_code for answer in answers)
    assert set(found) == {200, 429}
    assert 100 <= found[200] <= 100 + refilled
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-remaining"] == "0"


async def test_reservations_race_for_slots_and_amount(client: httpx.AsyncClient, database: Database) -> None:
    who = await customer(database, plan="pro")
    body = {"meter": "jobs", "amount": 100, "ttl": 60}
    answers = await asyncio.gather(
        *(client.post("/v1/usage/reserve", json=body, headers=who.headers) for _ in range(20))
    )
    found = Counter(answer.status_code for answer in answers)
    assert found == Counter({200: 5, 429: 15})
    assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"concurrency_limited"}
    holds = [answer.json()["reservation_id"] for answer in answers if answer.status_code == 200]
    settled = await asyncio.gather(
        *(
            client.post(f"/v1/usage/reservations/{hold}/commit", json={"amount": 60}, headers=who.headers)
            for hold in holds
            for _ in range(4)
        )
    )
    assert {answer.status_code for answer in settled} == {200}
    assert await used_and_events(database, who) == (300, 300)
