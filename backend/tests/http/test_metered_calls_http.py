"""Calls of a metered route, from memory and strict: what they say, what is durable when, what a failed one costs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from backend.app import Application
from backend.catalog.service import apply_file
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.enforcement.passes import pass_name
from backend.tests.http.calls import Caller, client_of, customer, problem, spent
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW
from backend.tests.turns import in_turns

PING = "/v1/ping"
FIELDS = ("ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-content-type-options", "cache-control")


@pytest.fixture(params=["allowance", "strict"])
async def durability(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> str:
    kind: str = request.param
    plans = (REPOSITORY / "plans.toml").read_text()
    file = tmp_path / "plans.toml"
    file.write_text(plans.replace('durability = "allowance"', f'durability = "{kind}"'))
    await apply_file(database, file, now=NOW)
    return kind


@pytest.fixture
async def who(database: Database, durability: str) -> Caller:
    return await customer(database)


async def test_the_first_and_later_calls_say_the_same(
    client: httpx.AsyncClient, database: Database, who: Caller, durability: str
) -> None:
    answers = []
    for number in range(1, 5):
        answers.append(await client.get(PING, headers=who.headers))
        if durability == "strict":
            assert await spent(database, who, "api_calls") == (number, number)
    assert [answer.json()["decision"]["used"] for answer in answers] == [1, 2, 3, 4]
    assert [answer.json()["decision"]["remaining"] for answer in answers] == [99, 98, 97, 96]
    first, *others = ({name: answer.headers[name] for name in FIELDS} for answer in answers)
    for number, other in enumerate(others, 2):
        assert other == {**first, "ratelimit": other["ratelimit"]}
        assert f'"api_calls";r={100 - number};t=' in other["ratelimit"]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4
    named = await client.get(PING, headers={**who.headers, "X-Request-Id": "mine"})
    assert named.headers["x-request-id"] == "mine"


async def test_exactly_as_many_pass_as_the_quota_has(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    taken = await client.post("/v1/usage/consume", json={"meter": "api_calls", "amount": 60}, headers=who.headers)
    assert taken.json()["used"] == 60
    answers = await in_turns(70, lambda: client.get(PING, headers=who.headers))
    assert Counter(answer.status_code for answer in answers) == {200: 40, 402: 30}

    async def is_counted() -> bool:
        return await spent(database, who, "api_calls") == (100, 100)

    await _until(is_counted)


async def test_the_call_after_the_last_is_refused_with_its_numbers(client: httpx.AsyncClient, who: Caller) -> None:
    assert (await client.get(PING, headers=who.headers)).status_code == 200
    taken = await client.post("/v1/usage/consume", json={"meter": "api_calls", "amount": 98}, headers=who.headers)
    assert taken.json()["used"] == 99
    answers = [await client.get(PING, headers=who.headers) for _ in range(3)]
    found = problem(answers[-1], 402, "quota_exceeded")
    assert (found["used"], found["limit"], found["requested"]) == (100, 100, 1)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 402: 2}


async def test_amounts_that_callers_choose_are_not_remembered_without_end(
    running: RunningApp, database: Database, durability: str
) -> None:
    who = await customer(database, plan="enterprise")
    async with running() as app, client_of(app) as client:
        assert (await client.get(PING, headers=who.headers)).status_code == 200
        for amount in range(1, 40):
            answer = await client.get(f"/v1/gateway/authorize?amount={amount}", headers=who.headers)
            assert answer.status_code == 200
        assert isinstance(app, Application)
        found = app.gate.passes.find(pass_name(who.headers["Authorization"].encode(), b""), NOW, 0)
    assert found is not None
    assert len(found.strict) == (16 if durability == "strict" else 0)


@pytest.fixture
async def failing(running: RunningApp, durability: str) -> AsyncIterator[tuple[FastAPI, list[int]]]:
    """The metered route, which fails as often as the list says."""
    async with running() as app:
        failures: list[int] = []

        async def ping() -> dict[str, str]:
            if failures:
                failures.pop()
                raise RuntimeError("after it was paid for")
            return {}

        app.router.routes.insert(0, APIRoute(PING, ping))
        yield app, failures


async def test_a_failed_call_costs_nothing(failing: tuple[FastAPI, list[int]], database: Database, who: Caller) -> None:
    """The first one, which is decided the long way, and later ones."""
    app, failures = failing
    async with client_of(app) as client:
        for served in range(3):
            failures.append(1)
            problem(await client.get(PING, headers=who.headers), 500, "internal_error")
            assert (await client.get(PING, headers=who.headers)).status_code == 200
            await _until(partial(_uses, client, who, served + 1))
    assert await spent(database, who, "api_calls") == (3, 3)


async def _uses(client: httpx.AsyncClient, who: Caller, expected: int) -> bool:
    usage = (await client.get("/v1/subscription/usage", headers=who.headers)).json()
    used: int = next(meter["used"] for meter in usage["meters"] if meter["meter"] == "api_calls")
    return used == expected


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(100):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("what a failed call had spent did not come back")
