"""Reservations over HTTP."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.http.calls import Caller, consume, customer, problem, reserve, settle, spent
from backend.tests.moments import NOW


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


async def test_a_reservation_is_set_aside_and_settled_by_what_it_took(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    opened = await reserve(client, who.headers, amount=3_000)
    assert opened.status_code == 200
    decision = opened.json()["decision"]
    assert (decision["used"], decision["held"], decision["remaining"]) == (0, 3_000, 600)
    refused = problem(await consume(client, who.headers, 601, "compute"), 402, "quota_exceeded")
    assert (refused["held"], refused["fixes"][0]["kind"]) == (3_000, "release")
    reservation = opened.json()["reservation_id"]
    extended = await settle(client, who.headers, reservation, "extend", ttl=600)
    assert extended.json()["expires_at"] > opened.json()["expires_at"]
    answers = [await settle(client, who.headers, reservation, "commit", amount=1_200) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    found = answers[0].json()
    assert (found["state"], found["counted"], found["uncounted"]) == ("committed", 1_200, 0)
    assert (found["decision"]["used"], found["decision"]["held"]) == (1_200, 0)
    problem(await settle(client, who.headers, reservation, "commit", amount=1_201), 409, "reservation_settled")
    problem(await settle(client, who.headers, reservation, "release"), 409, "reservation_settled")
    problem(await settle(client, who.headers, reservation, "extend"), 409, "reservation_settled")
    assert await spent(database, who, "compute") == (1_200, 1_200)


async def test_a_release_needs_no_body_and_gives_everything_back(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    reservation = (await reserve(client, who.headers, amount=3_600)).json()["reservation_id"]
    for _ in range(2):
        answer = await client.post(f"/v1/usage/reservations/{reservation}/release", headers=who.headers)
        assert (answer.status_code, answer.json()["state"]) == (200, "released")
    problem(await settle(client, who.headers, reservation, "commit"), 409, "reservation_settled")
    assert (await reserve(client, who.headers, amount=3_600)).status_code == 200
    assert await spent(database, who, "compute") == (0, 0)


async def test_one_job_in_flight_on_free(client: httpx.AsyncClient, who: Caller) -> None:
    first = await reserve(client, who.headers, meter="jobs", amount=1)
    assert first.status_code == 200
    refused = await reserve(client, who.headers, meter="jobs", amount=1)
    found = problem(refused, 429, "concurrency_limited")
    assert (found["used"], found["limit"], found["requested"]) == (1, 1, 1)
    assert 1 <= int(refused.headers["retry-after"]) == found["retry_after"] <= 60
    await settle(client, who.headers, first.json()["reservation_id"], "commit")
    assert (await reserve(client, who.headers, meter="jobs", amount=1)).status_code == 200


async def test_an_expired_reservation_comes_back_once(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    reservation = (await reserve(client, who.headers, amount=3_600)).json()["reservation_id"]
    async with database.account(who.person.account_id) as session:
        await session.execute(text("UPDATE usage_holds SET expires_at = clock_timestamp() - interval '1 second'"))
    assert (await consume(client, who.headers, 3_000, "compute")).status_code == 200
    late = (await settle(client, who.headers, reservation, "commit", amount=1_000)).json()
    assert (late["state"], late["counted"], late["uncounted"]) == ("expired", 600, 400)
    assert await spent(database, who, "compute") == (3_600, 3_600)


async def test_the_header_of_a_reservation_repeats_the_first_answer(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    first = await reserve(client, who.headers, key="r", amount=100)
    again = await reserve(client, who.headers, key="r", amount=100)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    problem(await reserve(client, who.headers, key="r", amount=101), 422, "idempotency_key_reused")
    assert (await reserve(client, who.headers, key="s", amount=100)).json() != first.json()
    other = await customer(database)
    assert (await reserve(client, other.headers, key="r", amount=101)).status_code == 200


async def test_a_refused_reservation_may_use_its_key_again(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    problem(await reserve(client, who.headers, key="r", amount=3_601), 402, "quota_exceeded")
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "pro", now=NOW)
    assert (await reserve(client, who.headers, key="r", amount=3_601)).status_code == 200


async def test_thirty_two_reservations_at_once_with_one_key_are_one(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    answers = await asyncio.gather(*(reserve(client, who.headers, key="r") for _ in range(32)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 409}
    assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, 409, "request_in_progress")
            assert answer.headers["retry-after"] == "1"
    async with database.read(who.person.account_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM usage_holds")) == 1
