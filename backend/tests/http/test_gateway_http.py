"""Forward authentication: what a proxy hears of each request, and what its client then sees of a refusal."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text

from backend.app import create_app
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.users import settings_for_tests
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Caller, Headers, client_of, consume, customer, problem, scoped_key, service_key
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW

AUTHORIZE, DENIALS = "/v1/gateway/authorize", "/v1/gateway/denials/"
OF_DENIALS = {"x-feature-status", "x-feature-decision"}
# Longer than a process uses anything that it remembers.
A_SECOND = 1.05


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


async def ask(client: httpx.AsyncClient, headers: Headers | None = None, **parameters: Any) -> httpx.Response:
    return await client.get(AUTHORIZE, params=parameters, headers=headers or {})


async def used(client: httpx.AsyncClient, who: Caller, meter: str = "api_calls") -> int:
    found = (await client.get("/v1/subscription/usage", headers=who.headers)).json()
    return int({item["meter"]: item for item in found["meters"]}[meter]["used"])


def timed() -> float:
    """How many answers came from behind the layer; those from memory are not timed."""
    return REGISTRY.get_sample_value("feature_request_seconds_count", {"route": AUTHORIZE}) or 0


def counted() -> float:
    return (
        REGISTRY.get_sample_value("feature_requests_total", {"method": "GET", "route": AUTHORIZE, "status": "200"}) or 0
    )


async def from_memory(call: Callable[[], Awaitable[httpx.Response]]) -> tuple[int, httpx.Response]:
    """Calls until an answer comes from memory: how many calls that took, and the answer."""
    for number in range(1, 30):
        before = timed()
        answer = await call()
        assert answer.status_code == 200, answer.text
        if timed() == before:
            return number, answer
    raise AssertionError("no answer came from memory")


async def denial_of(client: httpx.AsyncClient, refused: httpx.Response) -> httpx.Response:
    return await client.get(DENIALS + refused.headers["x-feature-decision"])


def fields(answer: httpx.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.multi_items() if name not in OF_DENIALS)


# What passes


async def test_both_ways_answer_with_the_same_fields_and_no_body(client: httpx.AsyncClient, database: Database) -> None:
    who = await customer(database, plan="pro")
    sent = {**who.headers, "X-Request-ID": "abc-1"}
    before = counted()
    long = await ask(client, sent)
    number, quick = await from_memory(lambda: ask(client, sent))
    assert counted() - before == 1 + number
    assert long.content == quick.content == b""
    assert long.headers.keys() == quick.headers.keys()
    same = {name: value for name, value in long.headers.items() if not name.endswith(("remaining", "reset", "limit"))}
    assert same.items() <= dict(quick.headers).items()
    assert {
        "x-feature-account": who.account_id,
        "x-feature-plan": "pro",
        "x-request-id": "abc-1",
        "content-length": "0",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-ratelimit-limit": "500",
        "ratelimit-policy": '"api";q=500;w=60, "api_calls";q=10000;w=86400',
    }.items() <= dict(quick.headers).items()
    for answer in (long, quick):
        assert re.fullmatch(r'"api";r=\d+;t=\d+, "api_calls";r=\d+;t=\d+', answer.headers["ratelimit"])
        assert answer.headers["x-ratelimit-limit"] == "500"
    left = [int(answer.headers["ratelimit"].split("r=")[2].partition(";")[0]) for answer in (long, quick)]
    assert left == [9_999, 9_999 - number]


async def test_an_id_that_is_none_is_not_taken_over_on_either_way(client: httpx.AsyncClient, who: Caller) -> None:
    sent = {**who.headers, "X-Request-ID": "a b"}
    _, quick = await from_memory(lambda: ask(client, sent))
    assert re.fullmatch(r"req_\w+", quick.headers["x-request-id"])


async def test_five_questions_are_five_calls(client: httpx.AsyncClient, who: Caller) -> None:
    for _ in range(5):
        assert (await ask(client, who.headers)).status_code == 200
    assert await used(client, who) == 5


async def test_amount_and_meter_are_what_is_spent(client: httpx.AsyncClient, who: Caller) -> None:
    for amount in (1, 7, 2, 10):
        assert (await ask(client, who.headers, amount=amount)).status_code == 200
    for amount in (1, 2):
        assert (await ask(client, who.headers, meter="jobs", amount=amount, deny="")).status_code == 200
    assert (await used(client, who), await used(client, who, "jobs")) == (20, 3)


async def test_a_strict_meter_is_exact_and_its_refusal_says_why(client: httpx.AsyncClient, who: Caller) -> None:
    for number in range(1, 11):
        answer = await ask(client, who.headers, meter="jobs")
        assert answer.status_code == 200
        assert f'"jobs";r={10 - number};t=' in answer.headers["ratelimit"]
    refused = await ask(client, who.headers, meter="jobs")
    found = problem(refused, 402, "quota_exceeded")
    assert (found["meter"], found["used"], found["limit"], found["requested"]) == ("jobs", 10, 10, 1)
    assert found["instance"] == AUTHORIZE
    assert [fix["kind"] for fix in found["fixes"]] == ["wait", "upgrade"]
    assert refused.headers["retry-after"] == str(found["retry_after"])
    assert not OF_DENIALS & refused.headers.keys()
    assert await used(client, who, "jobs") == 10


async def test_what_is_used_up_from_memory_is_refused_at_the_limit(client: httpx.AsyncClient, who: Caller) -> None:
    for _ in range(10):
        assert (await ask(client, who.headers, amount=10)).status_code == 200
    found = problem(await ask(client, who.headers), 402, "quota_exceeded")
    assert (found["used"], found["limit"]) == (100, 100)


async def test_whoever_calls_too_often_waits(client: httpx.AsyncClient, database: Database) -> None:
    """Asked for what the plan does not have, so that the quota lasts."""
    who = await customer(database)
    for _ in range(200):
        refused = await ask(client, who.headers, meter="jobs", amount=11)
        if refused.status_code == 429:
            break
    found = problem(refused, 429, "rate_limited")
    assert refused.headers["retry-after"] == str(found["retry_after"]) == "1"
    assert refused.headers["x-ratelimit-remaining"] == "0"


async def test_a_plan_counts_with_the_next_second(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    _, answer = await from_memory(lambda: ask(client, who.headers))
    assert answer.headers["x-feature-plan"] == "free"
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "enterprise", now=NOW)
    await asyncio.sleep(A_SECOND)
    for answer in (await ask(client, who.headers), (await from_memory(lambda: ask(client, who.headers)))[1]):
        assert answer.headers["x-feature-plan"] == "enterprise"
        assert answer.headers["ratelimit-policy"] == '"api";q=1000;w=60'


# Who may not


async def test_who_may_not_spend_is_told_so_and_nothing_is_spent(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    problem(await ask(client), 401, "unauthenticated")
    problem(await ask(client, {"Authorization": "Bearer fk_live_nobody"}), 401, "unauthenticated")
    problem(await ask(client, await service_key(database, "usage:write")), 403, "scope_missing")
    problem(await ask(client, await scoped_key(database, who, "usage:read")), 403, "scope_missing")
    other = await customer(database)
    for name in (other.account_id, "external:nobodys", "01920000-0000-7000-8000-000000000001"):
        problem(await ask(client, {**who.headers, "Feature-Account": name}), 404, "account_unknown")
    assert (await used(client, who), await used(client, other)) == (0, 0)


async def test_another_account_is_unknown_also_where_the_own_one_passes_from_memory(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    other = await customer(database)
    for caller in (who, other):
        await from_memory(lambda caller=caller: ask(client, caller.headers))  # type: ignore[misc]  # binds the value of the loop
    problem(await ask(client, {**who.headers, "Feature-Account": other.account_id}), 404, "account_unknown")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ("UPDATE api_keys SET revoked_at = now() WHERE account_id = :id", 401, "unauthenticated"),
        ("UPDATE accounts SET status = 'suspended' WHERE id = :id", 403, "account_suspended"),
    ],
)
async def test_a_revoked_key_and_a_suspended_account_are_refused_within_a_second(
    client: httpx.AsyncClient, database: Database, who: Caller, change: str, status: int, code: str
) -> None:
    await from_memory(lambda: ask(client, who.headers))
    async with database.system() as session:
        await session.execute(text(change), {"id": who.person.account_id})
        await session.execute(
            text("UPDATE accounts SET version = version + 1 WHERE id = :id"), {"id": who.person.account_id}
        )
    await asyncio.sleep(A_SECOND)
    for _ in range(3):
        problem(await ask(client, who.headers), status, code)


async def test_an_address_on_the_deny_list_is_not_served(running: RunningApp, who: Caller) -> None:
    async with running(rate_limit_denylist="192.0.2.0/24") as app:
        async with client_of(app, "198.51.100.7") as elsewhere:
            for _ in range(5):
                assert (await ask(elsewhere, who.headers)).status_code == 200
        async with client_of(app) as client:
            problem(await ask(client, who.headers), 403, "address_denied")


# What is no question


@pytest.mark.parametrize("is_known", [False, True])
async def test_what_is_no_question_is_refused_whole(client: httpx.AsyncClient, who: Caller, is_known: bool) -> None:
    spent = (await from_memory(lambda: ask(client, who.headers)))[0] if is_known else 0
    for query in (
        "amount=0",
        "amount=-1",
        "amount=1e3",
        "amount=%2B5",
        "amount=+5",
        "amount=",
        "amount=01",
        "amount=1&amount=1",
        "amount=1000000000000001",
        "amount=" + "9" * 400,
        "meter=",
        "meter=jobs&meter=jobs",
        "meter=" + "a" * 65,
        "account_id=1",
        "deny=402",
        "deny=403x",
    ):
        problem(await client.get(f"{AUTHORIZE}?{query}", headers=who.headers), 422, "invalid_input")
    for name in ("nothing", "Jobs%00"):
        answer = await client.get(f"{AUTHORIZE}?meter={name}", headers=who.headers)
        assert answer.status_code == 422, answer.text
    problem(await ask(client, who.headers, meter="nothing"), 422, "meter_unknown")
    assert await used(client, who) == spent


async def test_only_get_asks(client: httpx.AsyncClient, who: Caller) -> None:
    await from_memory(lambda: ask(client, who.headers))
    before = await used(client, who)
    for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"):
        answer = await client.request(method, AUTHORIZE, headers=who.headers)
        assert answer.status_code == 405, method
    assert await used(client, who) == before


@pytest.mark.parametrize("is_known", [False, True])
async def test_two_credentials_and_too_large_fields_are_refused(
    client: httpx.AsyncClient, who: Caller, is_known: bool
) -> None:
    spent = (await from_memory(lambda: ask(client, who.headers)))[0] if is_known else 0
    credential = ("Authorization", who.headers["Authorization"])
    for headers in ([credential, credential], [credential, ("Authorization", "Bearer x")]):
        problem(await client.get(AUTHORIZE, headers=headers), 422, "invalid_input")
    problem(await client.get(AUTHORIZE, headers=[credential, ("X", "y" * 16_384)]), 431, "headers_too_large")
    assert await used(client, who) == spent


# Refusals for nginx


async def refusals(client: httpx.AsyncClient, who: Caller) -> dict[int, httpx.Response]:
    """One of each kind, as nginx asks for them, by their true status."""
    credential = ("Authorization", who.headers["Authorization"])
    found = {
        401: await ask(client, deny="403"),
        402: await ask(client, who.headers, meter="jobs", amount=11, deny="403"),
        404: await ask(client, {**who.headers, "Feature-Account": "external:nobodys"}, deny="403"),
        405: await client.post(AUTHORIZE, params={"deny": "403"}, headers=who.headers),
        422: await ask(client, who.headers, amount=0, deny="403"),
        431: await client.get(AUTHORIZE, params={"deny": "403"}, headers=[credential, ("X", "y" * 16_384)]),
    }
    while (refused := await ask(client, who.headers, meter="jobs", amount=11, deny="403")).headers[
        "x-feature-status"
    ] == "402":
        pass
    return {**found, 429: refused}


async def test_every_refusal_is_a_403_and_comes_back_byte_by_byte(client: httpx.AsyncClient, who: Caller) -> None:
    for status, refused in (await refusals(client, who)).items():
        assert refused.status_code == (401 if status == 401 else 403)
        assert refused.headers["x-feature-status"] == str(status)
        # nginx reads the head of an answer into 4 KB.
        assert sum(len(name) + len(value) + 4 for name, value in refused.headers.raw) < 3_500
        denied = await denial_of(client, refused)
        assert denied.status_code == status
        assert denied.content == refused.content
        assert fields(denied) == fields(refused)
        assert problem(denied, status, denied.json()["code"])["instance"] == AUTHORIZE


async def test_a_question_that_passes_carries_no_denial(client: httpx.AsyncClient, who: Caller) -> None:
    first = await ask(client, who.headers, deny="403")
    _, quick = await from_memory(lambda: ask(client, who.headers, deny="403"))
    for answer in (first, quick):
        assert answer.status_code == 200
        assert not OF_DENIALS & answer.headers.keys()


async def test_the_denial_says_what_would_have_been_said_without_it(client: httpx.AsyncClient, who: Caller) -> None:
    await consume(client, who.headers, 10)
    sent = {**who.headers, "X-Request-ID": "same"}
    plain = await ask(client, sent, meter="jobs")
    denied = await denial_of(client, await ask(client, sent, meter="jobs", deny="403"))
    one, other = plain.json(), denied.json()
    assert one.pop("decision_id") != other.pop("decision_id")
    assert (plain.status_code, one) == (denied.status_code, other)
    assert plain.headers.keys() == denied.headers.keys()


async def test_without_its_database_it_says_so_to_nginx_too() -> None:
    settings = settings_for_tests(database_url="postgresql://nobody:x@127.0.0.1:1/nothing", log_level="ERROR")
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        problem(await ask(client, {"Authorization": "Bearer fk_live_x"}), 503, "temporarily_unavailable")
        refused = await ask(client, {"Authorization": "Bearer fk_live_x"}, deny="403")
        assert (refused.status_code, refused.headers["x-feature-status"]) == (403, "503")
        denied = await denial_of(client, refused)
        problem(denied, 503, "temporarily_unavailable")
        assert denied.headers["retry-after"] == "1"


async def test_a_denial_is_there_for_a_minute(client: httpx.AsyncClient, clock: ManualClock, who: Caller) -> None:
    refused = await ask(client, who.headers, meter="jobs", amount=11, deny="403")
    clock.advance(timedelta(minutes=1))
    assert (await denial_of(client, refused)).status_code == 402
    clock.advance(timedelta(seconds=1))
    problem(await denial_of(client, refused), 404, "not_found")


async def test_what_is_no_denial_of_ours_is_not_found(
    client: httpx.AsyncClient, app: FastAPI, running: RunningApp, who: Caller
) -> None:
    sealed = (await ask(client, deny="403")).headers["x-feature-decision"]
    name, _, rest = sealed.partition(".")
    middle = len(rest) // 2
    forged = rest[:middle] + ("A" if rest[middle] != "A" else "B") + rest[middle + 1 :]
    for odd in (f"{name}.{forged}", f"{name}.{rest[:-8]}", name, rest, f"other.{rest}", "x", "%00", "%FF", "a" * 8_000):
        problem(await client.get(DENIALS + odd), 404, "not_found")
    other_secret = app.state.sealer._encryption.encrypt("[0, 200, [], '']", about="totp:1")
    problem(await client.get(DENIALS + other_secret), 404, "not_found")
    key = "other:" + "A" * 43
    async with running(encryption_keys=key) as elsewhere, client_of(elsewhere) as there:
        foreign = (await ask(there, deny="403")).headers["x-feature-decision"]
        assert (await there.get(DENIALS + foreign)).status_code == 401
    problem(await client.get(DENIALS + foreign), 404, "not_found")
    assert (await client.get(DENIALS)).status_code == 404
    assert (await client.post(DENIALS + sealed)).status_code == 405


async def test_a_denial_costs_neither_the_account_nor_its_address_anything(running: RunningApp, who: Caller) -> None:
    """With a default of 6 requests a minute, the guard of an address takes 60 refusals."""
    async with running(rate_limit_default_requests=6) as app, client_of(app) as client:
        unauthenticated = await ask(client, deny="403")
        refused = await ask(client, who.headers, meter="jobs", amount=11, deny="403")
        for _ in range(80):
            assert (await denial_of(client, unauthenticated)).status_code == 401
            denied = await denial_of(client, refused)
            assert denied.status_code == 402
            assert (await client.get(DENIALS + "nothing", headers=who.headers)).status_code == 404
        assert denied.headers["x-ratelimit-remaining"] == refused.headers["x-ratelimit-remaining"]
        answer = await ask(client, who.headers)
        assert answer.status_code == 200
        assert int(answer.headers["x-ratelimit-remaining"]) >= 98
        # Whoever is looked up at this address passes its guard first.
        assert (await client.get("/v1/subscription/plans")).status_code == 200
