"""Limits beside a plan's, as a customer meets them: in every answer, in every process, and until they end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.jobs.dispatch import dispatch
from backend.subscription import overrides
from backend.subscription.notices import on_limits_changed
from backend.subscription.overrides import Granted
from backend.subscription.tasks import look_again_at, tell_all
from backend.tests.factories.calls import stored as calls_stored
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Caller, client_of, consume, customer, problem, reserve, settle, spent
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW
from backend.tests.turns import in_turns, turns_true

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
PING = "/v1/ping"


@pytest.fixture
async def who(database: Database) -> Caller:
    """On Free: 10 jobs a period, 100 calls a day, 100 MB."""
    return await customer(database)


async def grant(database: Database, who: Caller, kind: Any, amount: int | None, **changes: Any) -> Granted:
    given = {"meter": "jobs", "reason": "a launch", "now": NOW, "by": None, **changes}
    async with database.system() as session:
        return await overrides.grant(
            session, account_id=who.person.account_id, kind=kind, amount=amount, catalogs=Catalogs(), **given
        )


async def take_back(database: Database, one: Granted) -> None:
    async with database.system() as session:
        await overrides.take_back(
            session, account_id=one.account_id, override_id=one.id, by=None, catalogs=Catalogs(), now=NOW
        )


async def meter(client: httpx.AsyncClient, who: Caller, name: str = "jobs") -> dict[str, Any]:
    meters = (await client.get("/v1/subscription/usage", headers=who.headers)).json()["meters"]
    found: dict[str, Any] = next(one for one in meters if one["meter"] == name)
    return found


async def within_a_second(is_so: Callable[[], Awaitable[bool]]) -> None:
    began = time.monotonic()
    while not await is_so():
        assert time.monotonic() - began < 1
        await asyncio.sleep(0.02)


async def test_the_customer_sees_how_the_limit_is_made(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    plain = await meter(client, who)
    assert (plain["limit"], plain["plan_limit"], plain["overrides"]) == (10, 10, [])
    more = await grant(database, who, "add", 5, ends_at=NOW + HOUR)
    await grant(database, who, "add", 7, starts_at=NOW + HOUR)
    seen = await meter(client, who)
    assert (seen["limit"], seen["plan_limit"], seen["remaining"]) == (15, 10, 15)
    assert seen["overrides"] == [
        {
            "id": str(more.id),
            "kind": "add",
            "amount": 5,
            "starts_at": "2026-03-10T12:00:00Z",
            "ends_at": "2026-03-10T13:00:00Z",
            "reason": "a launch",
        }
    ]
    await grant(database, who, "set", 20)
    answer = (await client.get("/v1/subscription/usage", headers=who.headers)).json()
    assert answer["limits"]["jobs"] == 25
    assert [one["kind"] for one in (await meter(client, who))["overrides"]] == ["set", "add"]
    plan = (await client.get("/v1/subscription/me", headers=who.headers)).json()["plan"]
    assert plan["max_jobs_per_month"] == 10, "what the plan is does not change"


async def test_spends_go_by_it_exactly_until_its_end(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, who: Caller
) -> None:
    await grant(database, who, "add", 5, ends_at=NOW + HOUR)
    clock.set(NOW + HOUR - TICK)
    answer = await consume(client, who.headers, 14)
    assert (answer.json()["limit"], answer.json()["remaining"]) == (15, 1)
    assert '"jobs";q=15;w=' in answer.headers["ratelimit-policy"]
    assert '"jobs";r=1;t=' in answer.headers["ratelimit"]
    clock.set(NOW + HOUR)
    refused = await consume(client, who.headers)
    document = problem(refused, 402, "quota_exceeded")
    assert (document["limit"], document["used"]) == (10, 14)
    assert '"jobs";q=10;w=' in refused.headers["ratelimit-policy"]
    assert '"jobs";r=0;t=' in refused.headers["ratelimit"]
    checked = await client.post("/v1/usage/check", json={"meter": "jobs", "amount": 1}, headers=who.headers)
    assert (checked.json()["allowed"], checked.json()["limit"], checked.json()["remaining"]) == (False, 10, 0)
    assert await spent(database, who) == (14, 14)


async def test_nothing_everything_and_what_begins_later(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, who: Caller
) -> None:
    closed = await grant(database, who, "set", 0, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    assert (await consume(client, who.headers)).status_code == 200
    clock.set(NOW + HOUR)
    refused = await consume(client, who.headers)
    document = problem(refused, 402, "quota_exceeded")
    assert (document["limit"], document["retry_after"]) == (0, 3_600)
    assert [fix["kind"] for fix in document["fixes"]] == ["wait"], "no plan helps"
    assert "There is more room from 2026-03-10 at 14:00 (UTC)." in document["detail"]
    await take_back(database, closed)
    assert (await consume(client, who.headers)).json()["limit"] == 10
    await grant(database, who, "set", None, now=NOW + HOUR)
    answer = await consume(client, who.headers, 1_000_000)
    assert (answer.json()["limit"], answer.json()["remaining"]) == (None, None)
    assert "jobs" not in answer.headers.get("ratelimit-policy", "")
    assert (await meter(client, who))["limit"] is None


async def test_levels_and_reservations_go_by_it(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, who: Caller
) -> None:
    await grant(database, who, "add", 1_000_000, meter="storage", ends_at=NOW + HOUR)
    await grant(database, who, "add", 60, meter="compute", ends_at=NOW + HOUR)
    assert (await consume(client, who.headers, 101_000_000, "storage")).json()["remaining"] == 0
    held = (await reserve(client, who.headers, amount=3_660)).json()
    assert held["decision"]["limit"] == 3_660
    clock.set(NOW + HOUR)
    assert problem(await consume(client, who.headers, 1, "storage"), 402, "quota_exceeded")["limit"] == 100_000_000
    # What was set aside in time counts, and nothing beyond it.
    done = (await settle(client, who.headers, held["reservation_id"], "commit", amount=3_661)).json()
    assert (done["counted"], done["uncounted"]) == (3_660, 1)
    assert problem(await reserve(client, who.headers, amount=1), 402, "quota_exceeded")["used"] == 3_660


async def test_a_refusal_keeps_how_its_limit_was_made(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    base = await grant(database, who, "set", 3)
    more = await grant(database, who, "add", 1, ends_at=NOW + HOUR)
    problem(await consume(client, who.headers, 5), 402, "quota_exceeded")
    await app.state.denials.flush()
    async with database.read(who.person.account_id) as session:
        rules = await session.scalar(text("SELECT rules FROM denials"))
    (rule,) = [one for one in rules if one["rule"] == "quota"]
    assert (rule["limit"], rule["plan_limit"]) == (4, 10)
    assert rule["overrides"] == [
        {"id": str(base.id), "kind": "set", "amount": 3, "ends_at": None},
        {"id": str(more.id), "kind": "add", "amount": 1, "ends_at": "2026-03-10T13:00:00+00:00"},
    ]


async def test_two_processes_know_of_it_within_a_second(running: RunningApp, database: Database, who: Caller) -> None:
    async with running() as one, running() as two, client_of(one) as first, client_of(two) as second:
        clients = (first, second)

        async def limits() -> set[int | None]:
            answers = [await client.get(PING, headers=who.headers) for client in clients]
            return {answer.json()["decision"]["limit"] for answer in answers}

        assert await limits() == {100}
        given = await grant(database, who, "set", 10_000, meter="api_calls")
        for client in clients:
            assert (await consume(client, who.headers, meter="api_calls")).json()["limit"] == 10_000, "at once"

        async def both_know() -> bool:
            return await limits() == {10_000}

        await within_a_second(both_know)
        await take_back(database, given)

        async def both_know_again() -> bool:
            return await limits() == {100}

        await within_a_second(both_know_again)


async def test_calls_from_memory_end_with_it_in_every_process(
    running: RunningApp, database: Database, clock: ManualClock, who: Caller
) -> None:
    await grant(database, who, "add", 5_000, meter="api_calls", ends_at=NOW + HOUR)
    async with running() as one, running() as two, client_of(one) as first, client_of(two) as second:
        await consume(first, who.headers, 100, "api_calls")
        clock.set(NOW + HOUR - TICK)
        for client in (first, second, first, second):
            answer = await client.get(PING, headers=who.headers)
            assert answer.status_code == 200
            assert '"api_calls";q=5100;' in answer.headers["ratelimit-policy"]
        assert (await calls_stored(database, who.person.account_id)).held > 0, "both hold some to spend in memory"
        clock.set(NOW + HOUR)
        for client in (first, second, first, second):
            document = problem(await client.get(PING, headers=who.headers), 402, "quota_exceeded")
            assert (document["limit"], document["used"]) == (100, 104)


async def test_taken_back_while_much_is_held_nothing_more_passes(running: RunningApp, database: Database) -> None:
    who = await customer(database, plan="pro")
    given = await grant(database, who, "add", 100_000, meter="api_calls")
    async with running() as one, running() as two, client_of(one) as first, client_of(two) as second:
        clients = (first, second)
        await consume(first, who.headers, 10_000, "api_calls")

        async def much_is_held() -> bool:
            for client in clients:
                await in_turns(40, partial(client.get, PING, headers=who.headers))
            return (await calls_stored(database, who.person.account_id)).held > 0

        await turns_true(much_is_held, seconds=10)  # both may have spent all they had just now
        await take_back(database, given)

        async def nobody_passes() -> bool:
            answers = [await client.get(PING, headers=who.headers) for client in clients]
            return {answer.status_code for answer in answers} == {402}

        await within_a_second(nobody_passes)
        used = (await meter(first, who, "api_calls"))["used"]
        for client in clients:
            answers = await in_turns(40, partial(client.get, PING, headers=who.headers))
            assert {answer.status_code for answer in answers} == {402}
            assert (await meter(client, who, "api_calls"))["used"] == used
    stored = await calls_stored(database, who.person.account_id)
    assert (stored.used, stored.held, stored.forfeited) == (used, 0, 0)


async def test_more_room_is_used_at_once_after_a_refusal(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, who: Caller
) -> None:
    await grant(database, who, "add", 2, meter="api_calls", starts_at=NOW + HOUR)
    await consume(client, who.headers, 100, "api_calls")
    for _ in range(3):
        document = problem(await client.get(PING, headers=who.headers), 402, "quota_exceeded")
    assert document["retry_after"] == 3_600
    clock.set(NOW + HOUR)
    answers = [(await client.get(PING, headers=who.headers)).status_code for _ in range(3)]
    assert answers == [200, 200, 402]


async def test_notices_go_by_the_limit_in_force(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    async def looked(now: datetime) -> tuple[int | None, int | None]:
        """What the customer is told of, and the use at which somebody looks again."""
        while await dispatch(database, {overrides.TOPIC: on_limits_changed}, now=now):
            await look_again_at(database, who.person.account_id, now=now)
        await tell_all(database, catalogs=Catalogs(), app_url="http://localhost", now=now)
        async with database.read(who.person.account_id) as session:
            notice_at = await session.scalar(text("SELECT notice_at FROM meter_usage WHERE meter = 'jobs'"))
        return (await meter(client, who))["notice_percent"], notice_at

    await consume(client, who.headers, 8)
    assert await looked(NOW) == (80, 10)
    await grant(database, who, "add", 10, ends_at=NOW + HOUR)
    assert await looked(NOW) == (None, 19)
    assert await overrides.sweep(database, now=NOW + HOUR) == 1
    assert (await looked(NOW + HOUR))[1] == 10
