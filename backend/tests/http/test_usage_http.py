"""Spending over HTTP: answers, identities, scopes and reservations."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from backend.core.ids import AccountId, uuid7
from backend.db.models import Account
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import (
    Caller,
    client_of,
    consume,
    customer,
    problem,
    reserve,
    scoped_key,
    service_key,
    settle,
    spent,
)
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW
from backend.tests.turns import in_turns

RESETS_AT = datetime(2026, 4, 10, 12, tzinfo=UTC)


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


async def test_ten_jobs_pass_and_the_eleventh_says_why_and_what_helps(client: httpx.AsyncClient, who: Caller) -> None:
    for number in range(1, 11):
        answer = await consume(client, who.headers)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["allowed"], found["used"], found["remaining"]) == (True, number, 10 - number)
        assert (found["plan"], at(found["resets_at"]), found["fixes"]) == ("free", RESETS_AT, [])
    refused = await consume(client, who.headers)
    document = problem(refused, 402, "quota_exceeded")
    assert {
        "error": "quota_exceeded",
        "current": 10,
        "used": 10,
        "held": 0,
        "limit": 10,
        "requested": 1,
        "meter": "jobs",
        "plan": "free",
        "retry_after": 31 * 86_400,
        "retryable": True,
        "upgrade_url": "http://localhost:5173/app/plans",
    }.items() <= document.items()
    assert at(document["resets_at"]) == at(document["fixes"][0]["at"]) == RESETS_AT
    assert [fix["kind"] for fix in document["fixes"]] == ["wait", "upgrade"]
    assert document["fixes"][1] == {**document["fixes"][1], "plan": "pro", "url": "http://localhost:5173/app/plans"}
    assert refused.headers["retry-after"] == str(31 * 86_400)
    assert document["decision_id"]
    assert document["instance"] == "/v1/usage/consume"


async def test_after_the_upgrade_it_goes_on(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    await consume(client, who.headers, 10)
    problem(await consume(client, who.headers), 402, "quota_exceeded")
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "pro", now=NOW)
    answer = await consume(client, who.headers)
    assert (answer.status_code, answer.json()["limit"], answer.json()["plan"]) == (200, 500, "pro")


async def test_the_period_ends_and_the_limit_is_whole_again(
    client: httpx.AsyncClient, clock: ManualClock, who: Caller
) -> None:
    await consume(client, who.headers, 10)
    clock.set(RESETS_AT - timedelta(microseconds=1))
    refused = problem(await consume(client, who.headers), 402, "quota_exceeded")
    assert refused["retry_after"] == 1
    clock.advance(timedelta(microseconds=1))
    assert (await consume(client, who.headers)).json()["remaining"] == 9


async def test_a_cost_over_what_is_left_is_refused_whole(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    await consume(client, who.headers, 8)
    found = problem(await consume(client, who.headers, 3), 402, "quota_exceeded")
    assert (found["used"], found["requested"]) == (8, 3)
    assert (await consume(client, who.headers, 2)).status_code == 200
    more_than_ever = problem(await consume(client, who.headers, 11), 402, "quota_exceeded")
    assert (more_than_ever["retryable"], more_than_ever["retry_after"]) == (False, None)
    assert await spent(database, who) == (10, 10)


async def test_quota_status_429_for_those_who_know_no_402(running: RunningApp, who: Caller) -> None:
    async with running(quota_status=429) as app, client_of(app) as client:
        await consume(client, who.headers, 10)
        found = problem(await consume(client, who.headers), 429, "quota_exceeded")
        assert (found["error"], found["current"]) == ("quota_exceeded", 10)


async def test_check_answers_200_and_spends_nothing(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    for amount, allowed in ((10, True), (11, False)):
        answer = await client.post("/v1/usage/check", json={"meter": "jobs", "amount": amount}, headers=who.headers)
        assert (answer.status_code, answer.json()["allowed"]) == (200, allowed)
        assert answer.json()["code"] == ("allowed" if allowed else "quota_exceeded")
    assert await spent(database, who) == (0, 0)


@pytest.mark.parametrize("where", ["body", "header", "both"])
async def test_one_key_is_one_effect_wherever_it_is_written(
    client: httpx.AsyncClient, database: Database, who: Caller, where: str
) -> None:
    headers = who.headers if where == "body" else {**who.headers, "Idempotency-Key": "k 1"}
    body = {} if where == "header" else {"idempotency_key": "k 1"}
    answers = [await consume(client, headers, 3, **body) for _ in range(3)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert ["idempotency-replayed" in answer.headers for answer in answers] == [False, True, True]
    # Written elsewhere, it is the same key.
    again = await consume(client, {**who.headers, "Idempotency-Key": "k 1"}, 3)
    assert again.text == answers[0].text
    assert await spent(database, who) == (3, 3)


async def test_a_key_with_other_content_conflicts(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    await consume(client, who.headers, 2, idempotency_key="k")
    for change in (
        {"amount": 3},
        {"meter": "compute"},
        {"properties": {"color": "red"}},
    ):
        body = {"meter": "jobs", "amount": 2, "idempotency_key": "k", **change}
        answer = await client.post("/v1/usage/consume", json=body, headers=who.headers)
        problem(answer, 409, "idempotency_conflict")
    headers = {**who.headers, "Idempotency-Key": "another"}
    problem(await consume(client, headers, 2, idempotency_key="k"), 422, "invalid_input")
    assert await spent(database, who) == (2, 2)


async def test_a_refusal_stores_nothing_and_the_key_works_after_an_upgrade(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    for _ in range(2):
        problem(await consume(client, who.headers, 11, idempotency_key="k"), 402, "quota_exceeded")
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "pro", now=NOW)
    answers = [await consume(client, who.headers, 11, idempotency_key="k") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
    assert await spent(database, who) == (11, 11)


async def test_the_first_answer_is_repeated_when_nothing_is_left(client: httpx.AsyncClient, who: Caller) -> None:
    first = await consume(client, who.headers, 6, idempotency_key="k")
    await consume(client, who.headers, 4)
    again = await consume(client, who.headers, 6, idempotency_key="k")
    assert (again.status_code, again.text) == (200, first.text)


async def test_the_same_key_at_two_accounts_is_two_effects(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    other = await customer(database)
    for caller in (who, other):
        answer = await consume(client, caller.headers, 4, idempotency_key="k")
        assert answer.json()["used"] == 4


async def same_request(client: httpx.AsyncClient, database: Database, who: Caller, *, times: int) -> None:
    host = await service_key(database, "usage:write")
    answers = await in_turns(
        times, lambda: consume(client, host, 7, idempotency_key="k", account_id=who.account_id), at_once=32
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await spent(database, who) == (7, 7)


async def test_two_hundred_times_the_same_at_once_is_one_event(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    await same_request(client, database, who, times=200)


@pytest.mark.prove
async def test_ten_thousand_times_the_same_is_one_event(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    await same_request(client, database, who, times=10_000)


AMOUNTS = [0, -1, 10**30, 2**63, -(2**63), 10**15 + 1]


@pytest.mark.parametrize("amount", AMOUNTS)
async def test_amounts_that_are_none_are_422(
    client: httpx.AsyncClient, database: Database, who: Caller, amount: int
) -> None:
    host = await service_key(database, "usage:write")
    answer = await consume(client, host, amount, account_id=who.account_id)
    problem(answer, 422, "invalid_input")
    assert await spent(database, who) == (0, 0)


async def test_an_unknown_meter_is_422_and_names_the_known_ones(client: httpx.AsyncClient, who: Caller) -> None:
    for name in ("nothing", "jobs_in_flight", "JOBS", "jobs "):
        found = problem(await consume(client, who.headers, meter=name), 422, "meter_unknown")
        assert found["known"] == ["api_calls", "jobs", "storage", "compute"]


async def test_no_customer_lowers_their_own_level(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    megabyte = 10**6
    assert (await consume(client, who.headers, 90 * megabyte, "storage")).status_code == 200
    found = problem(await consume(client, who.headers, -megabyte, "storage"), 403, "scope_missing")
    assert found["scope"] == "usage:write"
    reader = await service_key(database, "usage:read")
    problem(await consume(client, reader, -megabyte, "storage", account_id=who.account_id), 403, "scope_missing")
    host = await service_key(database, "usage:write")
    lowered = await consume(client, host, -40 * megabyte, "storage", account_id=who.account_id)
    assert (lowered.status_code, lowered.json()["used"]) == (200, 50 * megabyte)
    emptied = await consume(client, host, -90 * megabyte, "storage", account_id=who.account_id)
    assert (emptied.status_code, emptied.json()["used"]) == (200, 0), "at most to nothing"
    assert await spent(database, who, "storage") == (0, 0)


async def test_scopes_are_said_before_any_id_is_looked_up(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    reader = await service_key(database, "usage:read")
    nothing = await service_key(database, "keys:verify")
    narrow = await scoped_key(database, who, "usage:read")
    for account in (who.account_id, str(uuid4()), "external:nobody", "x"):
        for headers in (reader, nothing):
            problem(await consume(client, headers, account_id=account), 403, "scope_missing")
            problem(await reserve(client, headers, account_id=account), 403, "scope_missing")
            for verb in ("commit", "release", "extend"):
                answer = await settle(client, headers, str(uuid4()), verb, account_id=account)
                problem(answer, 403, "scope_missing")
        body = {"meter": "jobs", "amount": 1, "account_id": account}
        problem(await client.post("/v1/usage/check", json=body, headers=nothing), 403, "scope_missing")
    body = {"meter": "jobs", "amount": 1, "account_id": who.account_id}
    assert (await client.post("/v1/usage/check", json=body, headers=reader)).status_code == 200
    problem(await consume(client, narrow), 403, "scope_missing")
    own = {"meter": "jobs", "amount": 1}
    assert (await client.post("/v1/usage/check", json=own, headers=narrow)).status_code == 200
    assert await spent(database, who) == (0, 0)


async def test_a_service_key_names_its_account(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    host = await service_key(database, "usage:write")
    async with database.system() as session:
        session.add(
            Account(
                id=AccountId(uuid7()), name="Host's own", external_id="org 7/ä", usage_anchor=NOW, billing_zone="UTC"
            )
        )
    assert (await consume(client, host, account_id=who.account_id)).json()["used"] == 1
    assert (await consume(client, host, account_id="external:org 7/ä")).json()["used"] == 1
    for unknown in ("external:org 8", "external:", "external:external:org 7/ä", str(uuid4()), "x", who.account_id[:-1]):
        problem(await consume(client, host, account_id=unknown), 404, "account_unknown")
    problem(await consume(client, host), 422, "invalid_input")
    problem(await client.get("/v1/ping", headers=host), 403, "scope_missing")


async def test_ping_costs_one_call_and_shows_it(client: httpx.AsyncClient, who: Caller) -> None:
    began = time.monotonic()
    for number in range(1, 4):
        answer = await client.get("/v1/ping", headers=who.headers)
        assert answer.status_code == 200
        assert answer.json()["message"] == "pong"
        assert answer.json()["decision"]["used"] == number
        policy, state = answer.headers["ratelimit-policy"], answer.headers["ratelimit"]
        assert policy == '"api";q=100;w=60, "api_calls";q=100;w=86400'
        refilled = int((time.monotonic() - began) * 100 / 60)  # by the true clock, one unit in 0.6 s
        assert 100 - number <= int(state.removeprefix('"api";r=').partition(";")[0]) <= 100 - number + refilled
        assert f'"api_calls";r={100 - number};t=' in state


async def test_the_hundred_and_first_call_of_a_day_is_402(
    client: httpx.AsyncClient, database: Database, who: Caller, clock: ManualClock
) -> None:
    await consume(client, who.headers, 100, "api_calls")
    refused = await client.get("/v1/ping", headers=who.headers)
    found = problem(refused, 402, "quota_exceeded")
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    assert (found["used"], found["limit"], at(found["resets_at"])) == (100, 100, midnight)
    assert refused.headers["retry-after"] == str(12 * 3_600)
    assert '"api_calls";r=0;t=43200' in refused.headers["ratelimit"]
    clock.set(midnight)
    assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    assert (await client.get("/v1/subscription/usage", headers=who.headers)).json()["usage"]["api_calls"] == 101
    assert await spent(database, who, "api_calls") == (101, 101)


async def test_a_suspended_account_spends_nothing(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    async with database.system() as session:
        await session.execute(
            text("UPDATE accounts SET status = 'suspended', version = version + 1 WHERE id = :id"),
            {"id": who.person.account_id},
        )
    problem(await consume(client, who.headers), 403, "account_suspended")
    host = await service_key(database, "usage:write")
    problem(await consume(client, host, account_id=who.account_id), 403, "account_suspended")
    assert await spent(database, who) == (0, 0)


@pytest.mark.parametrize("plan", ["free", "enterprise"])
async def test_a_call_that_memory_decides_says_what_a_check_says(
    client: httpx.AsyncClient, database: Database, plan: str
) -> None:
    who = await customer(database, plan=plan)
    answers = [await client.get("/v1/ping", headers=who.headers) for _ in range(5)]
    assert [answer.json()["decision"]["used"] for answer in answers] == [1, 2, 3, 4, 5]
    check = await client.post("/v1/usage/check", json={"meter": "api_calls", "amount": 1}, headers=who.headers)
    assert answers[-1].json() == {"message": "pong", "decision": check.json()}
