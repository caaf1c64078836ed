"""Refusals as operators look for them: by what a customer gives, whosever they are, and what would let them pass."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.admin.permissions import PERMISSIONS
from backend.core.ids import uuid7
from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import (
    Caller,
    Headers,
    consume,
    customer,
    problem,
    reserve,
    service_key,
    spent,
    table_counts,
)
from backend.tests.http.test_accounts_http import set_plan
from backend.tests.http.test_admin_http import somebody
from backend.tests.http.test_foreign_ids import same
from backend.tests.moments import NOW
from backend.tests.test_enforcement_denials import denied

PATH = "/v1/admin/decisions"


@pytest.fixture
async def who(database: Database) -> Caller:
    """On Free: 10 jobs a period, one in flight."""
    return await customer(database)


@pytest.fixture
async def operator(client: httpx.AsyncClient, database: Database) -> Headers:
    return (await somebody(client, database, "root", "superadmin")).headers


async def refused(app: FastAPI, client: httpx.AsyncClient, headers: Headers, name: str = "mine-1") -> Any:
    """Three more jobs, of ten of which eight are used."""
    await consume(client, headers, 8)
    found = problem(await consume(client, {**headers, "X-Request-ID": name}, 3), 402, "quota_exceeded")
    await app.state.denials.flush()
    return found


async def found(client: httpx.AsyncClient, operator: Headers, **params: Any) -> Any:
    answer = await client.get(PATH, headers=operator, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(client: httpx.AsyncClient, operator: Headers, name: str, **params: Any) -> Any:
    answer = await client.get(f"{PATH}/{name}", headers=operator, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def simulated(client: httpx.AsyncClient, operator: Headers, name: str, **body: Any) -> Any:
    answer = await client.post(f"{PATH}/{name}/simulate", headers=operator, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_whatever_a_customer_gives_finds_the_refusal(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers, who: Caller
) -> None:
    other = await customer(database)
    mine, theirs = await refused(app, client, who.headers), await refused(app, client, other.headers, "theirs-1")
    everything = await found(client, operator)
    assert [one["id"] for one in everything["items"]] == [theirs["decision_id"], mine["decision_id"]]
    assert everything["next"] is None
    row = everything["items"][1]
    assert row["account"] == {
        "id": who.account_id,
        "name": row["account"]["name"],
        "external_id": None,
        "status": "active",
        "user_id": str(who.person.user_id),
    }
    assert (row["key"]["kind"], row["key"]["name"], row["subject"]) == ("personal", "test", str(who.person.user_id))
    secret = who.headers["Authorization"].removeprefix("Bearer ")
    assert row["key"]["prefix"] == secret[:14]
    for given in (
        {"q": "mine-1"},
        {"q": f" {mine['decision_id']} "},
        {"q": secret[:12]},
        {"q": secret[:14]},
        {"q": secret},
        {"account_id": who.account_id},
        {"user_id": str(who.person.user_id)},
        {"account_id": who.account_id, "q": "mine-1"},
        {"q": secret, "code": "quota_exceeded", "meter": "jobs"},
    ):
        assert [one["id"] for one in (await found(client, operator, **given))["items"]] == [mine["decision_id"]], given
    for nothing in (
        {"q": "mine-2"},
        {"q": str(uuid4())},
        {"q": "fk_live_nobody"},
        {"q": "fk_"},
        {"q": "mine-1", "account_id": other.account_id},
        {"code": "rate_limited"},
        {"meter": "storage"},
        {"to": "2026-03-10T12:00:00Z"},
    ):
        assert (await found(client, operator, **nothing)) == {"items": [], "next": None}, nothing
    assert len((await found(client, operator, **{"from": "2026-03-10T12:00:00Z"}))["items"]) == 2


async def test_pages_over_all_accounts(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers
) -> None:
    people = [await customer(database) for _ in range(3)]
    ids = [uuid7() for _ in range(9)]
    for number, each in enumerate(ids):
        whose = people[number % 3].person.account_id
        at = NOW + timedelta(seconds=number // 4)  # some of one moment
        app.state.denials.note(number, each, f"r{number}", at, lambda whose=whose: denied(whose))
    await app.state.denials.flush()
    seen, after = [], None
    while True:
        page = await found(client, operator, limit=2, **({"after": after} if after else {}))
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [str(each) for each in reversed(ids)]


async def test_a_request_id_of_several_accounts(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers, who: Caller
) -> None:
    other = await customer(database)
    mine, theirs = await refused(app, client, who.headers), await refused(app, client, other.headers)
    assert len((await found(client, operator, q="mine-1"))["items"]) == 2
    several = problem(await client.get(f"{PATH}/mine-1", headers=operator), 409, "decision_ambiguous")
    assert {(one["account_id"], one["id"]) for one in several["decisions"]} == {
        (who.account_id, mine["decision_id"]),
        (other.account_id, theirs["decision_id"]),
    }
    assert (await read(client, operator, "mine-1", account_id=other.account_id))["id"] == theirs["decision_id"]
    assert (await read(client, operator, mine["decision_id"]))["account"]["id"] == who.account_id
    problem(
        await client.get(f"{PATH}/{mine['decision_id']}", headers=operator, params={"account_id": other.account_id}),
        404,
        "decision_unknown",
    )


async def test_a_refusal_whole_and_what_is_missing(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers, who: Caller
) -> None:
    refusal = await refused(app, client, who.headers)
    one = await read(client, operator, "mine-1")
    assert (one["id"], one["used"], one["limit"], one["requested"]) == (refusal["decision_id"], 8, 10, 3)
    assert (one["key"]["state"], one["time_zone"], one["rules"][-1]["outcome"]) == ("active", "UTC", "failed")
    now = one["now"]
    assert (now["allowed"], now["rule"], now["used"], now["grant"]) == (False, "quota", 8, 1)
    body = {"meter": "jobs", "kind": "add", "amount": now["grant"], "reason": "a launch", "ends_at": now["resets_at"]}
    made = await client.post(f"/v1/admin/users/{one['account']['user_id']}/overrides", json=body, headers=operator)
    assert made.status_code == 201, made.text
    now = (await read(client, operator, "mine-1"))["now"]
    assert (now["allowed"], now["limit"], now["grant"]) == (True, 11, None)
    assert (await consume(client, who.headers, 3)).status_code == 200, "what was missing is exactly enough"


async def test_what_another_plan_or_limit_would_answer(
    app: FastAPI, client: httpx.AsyncClient, database: Database, clock: ManualClock, operator: Headers, who: Caller
) -> None:
    name = (await refused(app, client, who.headers))["decision_id"]
    clock.set(NOW + timedelta(seconds=60))
    before = await table_counts(database)
    as_it_is = (await read(client, operator, name))["now"]
    assert await simulated(client, operator, name) == as_it_is
    assert await simulated(client, operator, name, plan="free") == as_it_is, "the plan that it has"
    pro = await simulated(client, operator, name, plan="pro")
    assert (pro["allowed"], pro["plan"], pro["used"], pro["limit"], pro["grant"]) == (True, "pro", 0, 500, None)
    assert pro["resets_at"] == "2026-04-09T12:01:00Z", "a period that begins now, for 30 days"
    more = await simulated(client, operator, name, override={"kind": "add", "amount": 1})
    assert (more["allowed"], more["used"], more["limit"], more["plan"]) == (True, 8, 11, "free")
    none = await simulated(client, operator, name, override={"meter": "jobs", "kind": "set", "amount": 0})
    assert (none["allowed"], none["limit"], none["remaining"], none["grant"]) == (False, 0, 0, 11)
    free = await simulated(client, operator, name, override={"kind": "set", "amount": None})
    assert (free["allowed"], free["limit"], free["remaining"]) == (True, None, None)
    both = await simulated(client, operator, name, plan="pro", override={"kind": "add", "amount": 5})
    assert (both["allowed"], both["limit"]) == (True, 505)
    other = await simulated(client, operator, name, override={"meter": "storage", "kind": "add", "amount": 5})
    assert (other["allowed"], other["limit"]) == (False, 10)
    assert await table_counts(database) == before
    assert await spent(database, who) == (8, 8)
    assert (await read(client, operator, name))["now"] == as_it_is


async def test_back_on_the_default_plan_the_old_period_counts(
    app: FastAPI, client: httpx.AsyncClient, database: Database, clock: ManualClock, operator: Headers, who: Caller
) -> None:
    name = (await refused(app, client, who.headers))["decision_id"]
    clock.set(NOW + timedelta(seconds=60))
    await set_plan(database, who.account_id, "pro")
    assert (await read(client, operator, name))["now"]["allowed"] is True
    back = await simulated(client, operator, name, plan="free")
    assert (back["allowed"], back["used"], back["limit"], back["plan"]) == (False, 8, 10, "free")


@pytest.mark.parametrize(("before", "plan"), [("free", "pro"), ("pro", "pro"), ("pro", "free"), ("pro", "enterprise")])
async def test_what_is_supposed_is_what_comes_when_the_plan_is_given(
    app: FastAPI, client: httpx.AsyncClient, database: Database, clock: ManualClock, before: str, plan: str
) -> None:
    root = await somebody(client, database, "giver", "superadmin")
    user = await somebody(client, database, "customer")
    give = f"/v1/admin/users/{user.id}/upgrade-plan"
    if before != "free":
        given = {"plan_name": before, "duration_days": 5}
        assert (await client.post(give, json=given, headers=root.headers)).status_code == 200
    await consume(client, user.headers, 8)
    name = problem(await consume(client, user.headers, 600), 402, "quota_exceeded")["decision_id"]
    await app.state.denials.flush()
    clock.advance(timedelta(minutes=1))
    supposed = await simulated(client, root.headers, name, plan=plan)
    assert (await client.post(give, json={"plan_name": plan}, headers=root.headers)).status_code == 200
    assert (await read(client, root.headers, name))["now"] == supposed


async def test_of_a_rate_a_feature_and_jobs_in_flight(
    app: FastAPI, client: httpx.AsyncClient, operator: Headers, who: Caller
) -> None:
    (await reserve(client, who.headers, meter="jobs", amount=2)).json()
    slot = problem(await reserve(client, who.headers, meter="jobs", amount=3), 429, "concurrency_limited")
    while (answer := await client.get("/v1/ping", headers=who.headers)).status_code != 429:
        pass
    rate = problem(answer, 429, "rate_limited")
    await app.state.denials.flush()
    now = await simulated(client, operator, slot["decision_id"], plan="pro")
    assert (now["allowed"], now["used"], now["limit"]) == (True, 1, 5)
    assert (await read(client, operator, slot["decision_id"]))["now"]["grant"] is None, "no override gives slots"
    now = await simulated(client, operator, rate["decision_id"], plan="pro")
    assert (now["allowed"], now["limit"]) == (None, 500), "only who calls is told by a rate limit"
    answer = await client.post(
        f"{PATH}/{rate['decision_id']}/simulate",
        json={"override": {"kind": "add", "amount": 1}},
        headers=operator,
    )
    assert "name the one" in problem(answer, 422, "invalid_input")["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"plan": "gold"}, "plan_unknown"),
        ({"override": {"meter": "cups", "kind": "add", "amount": 1}}, "meter_unknown"),
        ({"override": {"kind": "add", "amount": 0}}, "invalid_input"),
        ({"override": {"kind": "add", "amount": None}}, "invalid_input"),
        ({"override": {"kind": "give", "amount": 1}}, "invalid_input"),
        ({"override": {"kind": "add", "amount": 1, "reason": "x"}}, "invalid_input"),
        ({"plan": ""}, "invalid_input"),
        ({"price": 1}, "invalid_input"),
    ],
)
async def test_what_cannot_be_supposed(
    app: FastAPI, client: httpx.AsyncClient, operator: Headers, who: Caller, body: dict[str, Any], code: str
) -> None:
    name = (await refused(app, client, who.headers))["decision_id"]
    problem(await client.post(f"{PATH}/{name}/simulate", json=body, headers=operator), 422, code)


async def test_a_host_applications_account_and_key(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers
) -> None:
    host = await service_key(database, "usage:read", "usage:write", "accounts:create")
    await client.put("/v1/accounts/acme", json={"name": "Acme"}, headers=host)
    await consume(client, host, 10, account_id="external:acme")
    refusal = problem(await consume(client, host, 2, account_id="external:acme"), 402, "quota_exceeded")
    await app.state.denials.flush()
    (row,) = (await found(client, operator, account_id="external:acme"))["items"]
    assert (row["account"]["name"], row["account"]["external_id"], row["account"]["user_id"]) == ("Acme", "acme", None)
    assert (row["key"]["kind"], row["key"]["name"]) == ("service", "host")
    assert await found(client, operator, q=row["key"]["prefix"]) == {"items": [row], "next": None}
    one = await read(client, operator, refusal["decision_id"], account_id="external:acme")
    assert one["key"]["prefix"] == host["Authorization"].removeprefix("Bearer ")[:13]
    assert one["rules"][0]["key_id"] == one["key"]["id"]
    async with database.system() as session:
        await session.execute(text("UPDATE api_keys SET revoked_at = :now WHERE kind = 'service'"), {"now": NOW})
    one = await read(client, operator, refusal["decision_id"])
    assert (one["key"]["state"], one["now"]["rule"]) == ("revoked", "credential")


async def test_keys_that_begin_alike(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers, who: Caller
) -> None:
    other = await customer(database)
    await refused(app, client, who.headers)
    await refused(app, client, other.headers)
    async with database.system() as session:
        await session.execute(text("UPDATE api_keys SET prefix = 'fk_live_abcd' || left(prefix, 2)"))
    assert len((await found(client, operator, q="fk_live_abcd"))["items"]) == 2
    async with database.system() as session:
        more = text("""
            INSERT INTO api_keys (id, kind, name, prefix, key_hash, scopes)
            SELECT gen_random_uuid(), 'service', 'x', 'fk_live_abcdef', sha256(CAST('k' || n AS bytea)), '{}'
            FROM generate_series(1, 20) AS n
        """)
        await session.execute(more)
    answer = await client.get(PATH, headers=operator, params={"q": "fk_live_abcd"})
    assert "add the letters" in problem(answer, 422, "invalid_input")["detail"]


async def test_what_is_unknown_is_said_alike(
    client: httpx.AsyncClient, database: Database, operator: Headers, who: Caller
) -> None:
    one, other = str(uuid4()), str(uuid4())
    for method, rest in (("GET", ""), ("POST", "/simulate")):
        body: dict[str, str] | None = {} if method == "POST" else None
        answers = [
            await client.request(method, f"{PATH}/{each}{rest}", json=body, headers=operator) for each in (one, other)
        ]
        problem(answers[0], 404, "decision_unknown")
        same(answers[0], answers[1], one, other)
        nobodys = {"account_id": one}
        answer = await client.request(method, f"{PATH}/x{rest}", json=body, headers=operator, params=nobodys)
        problem(answer, 404, "account_unknown")
    for params, code in (
        ({"account_id": one}, "account_unknown"),
        ({"account_id": "external:nobody"}, "account_unknown"),
        ({"account_id": "external:\u00e9"}, "account_unknown"),
        ({"account_id": "x"}, "account_unknown"),
        ({"user_id": one}, "user_unknown"),
    ):
        problem(await client.get(PATH, headers=operator, params=params), 404, code)
    both = {"account_id": who.account_id, "user_id": str(who.person.user_id)}
    problem(await client.get(PATH, headers=operator, params=both), 422, "invalid_input")
    assert (await found(client, operator, after=str(UUID(int=0)))) == {"items": [], "next": None}


@pytest.mark.parametrize("role", PERMISSIONS)
async def test_every_operator_may_look(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller, role: str
) -> None:
    name = (await refused(app, client, who.headers))["decision_id"]
    caller = (await somebody(client, database, "caller", role)).headers
    assert len((await found(client, caller))["items"]) == 1
    assert (await read(client, caller, name))["now"]["grant"] == 1
    assert (await simulated(client, caller, name, plan="pro"))["allowed"] is True
    problem(await client.get(PATH, headers=who.headers), 403, "permission_missing")


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"after": "x"},
        {"code": "x"},
        {"meter": "\0"},
        {"q": "a\0"},
        {"q": "x" * 400},
        {"from": "2026-01-01"},
        {"user_id": "x"},
        {"account_id": "x" * 300},
    ],
)
async def test_hostile_filters_are_refused(
    client: httpx.AsyncClient, operator: Headers, params: dict[str, Any]
) -> None:
    problem(await client.get(PATH, headers=operator, params=params), 422, "invalid_input")


@pytest.mark.parametrize("name", ["%00", "a%00b", "%F0%9F%92%A5", "x" * 3_000, "0" * 32, "f" * 32, "%ff", "a'--"])
async def test_hostile_ids_are_unknown(client: httpx.AsyncClient, operator: Headers, name: str) -> None:
    problem(await client.get(f"{PATH}/{name}", headers=operator), 404, "decision_unknown")


@pytest.mark.parametrize(("status", "words"), [("suspended", "locked"), ("unverified", "not confirmed")])
async def test_what_stands_against_the_user_now_is_said_before_any_limit(
    app: FastAPI, client: httpx.AsyncClient, operator: Headers, database: Database, who: Caller, status: str, words: str
) -> None:
    await refused(app, client, who.headers)
    async with database.system() as session:
        await session.execute(
            text("UPDATE users SET status = :status WHERE id = :id"), {"status": status, "id": who.person.user_id}
        )
    now = (await read(client, operator, "mine-1"))["now"]
    assert (now["allowed"], now["rule"]) == (False, "credential")
    assert words in now["fixes"][0]["text"]
    assert (await simulated(client, operator, "mine-1", plan="enterprise"))["rule"] == "credential"
