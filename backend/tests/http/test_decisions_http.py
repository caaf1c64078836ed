"""Why a request was refused: as it was then, and what the same question is answered now."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.catalog.service import Catalogs, apply_file
from backend.core.ids import request_id, uuid7
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.enforcement.engine import Engine
from backend.enforcement.explain import explain
from backend.enforcement.recalls import Recalls
from backend.subscription.service import upgrade_user_plan
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import (
    Caller,
    consume,
    customer,
    problem,
    reserve,
    service_key,
    spent,
)
from backend.tests.http.test_denials_http import SUSPEND
from backend.tests.http.test_foreign_ids import same
from backend.tests.moments import NOW
from backend.tests.test_enforcement_denials import denied
from backend.tests.test_usage_denial_log import FILL
from backend.usage.denial_log import MOST_LOOKED_THROUGH


@pytest.fixture
async def who(database: Database) -> Caller:
    """On Free: 10 jobs a period, one in flight."""
    return await customer(database)


async def read(app: FastAPI, client: httpx.AsyncClient, headers: dict[str, str], name: str, **params: str) -> Any:
    await app.state.denials.flush()
    answer = await client.get(f"/v1/decisions/{name}", headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(app: FastAPI, client: httpx.AsyncClient, headers: dict[str, str], **params: Any) -> Any:
    await app.state.denials.flush()
    answer = await client.get("/v1/decisions", headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused_quota(client: httpx.AsyncClient, who: Caller) -> Any:
    await consume(client, who.headers, 8)
    return problem(await consume(client, {**who.headers, "X-Request-ID": "mine-1"}, 3), 402, "quota_exceeded")


async def test_a_quota_then_and_now_and_after_an_upgrade(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    refused = await refused_quota(client, who)
    found = await read(app, client, who.headers, refused["decision_id"])
    assert found == await read(app, client, who.headers, "mine-1")
    then = {"used": 8, "held": 0, "limit": 10, "requested": 3, "plan": "free", "plan_version": 1, "count": 1}
    assert {name: found[name] for name in then} == then
    assert found["rules"][-1]["outcome"] == "failed"
    assert (found["key"]["name"], found["key"]["state"]) == ("test", "active")
    assert found["subject"] == str(who.person.user_id)
    now = found["now"]
    assert (now["allowed"], now["rule"], now["used"], now["limit"], now["remaining"]) == (False, "quota", 8, 10, 2)
    assert now["resets_at"] == found["window_end"]
    assert {fix["kind"] for fix in now["fixes"]} == {"wait", "upgrade"}
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "pro", now=NOW)
    after = await read(app, client, who.headers, refused["decision_id"])
    assert (after["used"], after["limit"], after["plan"]) == (8, 10, "free"), "as it was"
    assert (after["now"]["allowed"], after["now"]["rule"], after["now"]["plan"]) == (True, None, "pro")
    assert after["now"]["fixes"] == []
    assert await spent(database, who) == (8, 8), "asking again spends nothing"


async def test_a_new_period(app: FastAPI, client: httpx.AsyncClient, clock: ManualClock, who: Caller) -> None:
    refused = await refused_quota(client, who)
    clock.set(NOW + timedelta(days=32))
    now = (await read(app, client, who.headers, refused["decision_id"]))["now"]
    assert (now["allowed"], now["used"], now["limit"]) == (True, 0, 10)


async def test_jobs_in_flight(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    held = (await reserve(client, who.headers, meter="jobs", amount=2)).json()
    refused = problem(await reserve(client, who.headers, meter="jobs", amount=3), 429, "concurrency_limited")
    now = (await read(app, client, who.headers, refused["decision_id"]))["now"]
    assert (now["allowed"], now["rule"], now["used"], now["limit"]) == (False, "concurrency", 1, 1)
    assert "wait" in {fix["kind"] for fix in now["fixes"]}
    done = await client.post(f"/v1/usage/reservations/{held['reservation_id']}/release", json={}, headers=who.headers)
    assert done.status_code == 200
    now = (await read(app, client, who.headers, refused["decision_id"]))["now"]
    assert (now["allowed"], now["used"], now["limit"]) == (True, 0, 1)


async def test_a_feature(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller, tmp_path: Path
) -> None:
    plans = tmp_path / "plans.toml"
    plans.write_text((REPOSITORY / "plans.toml").read_text().replace('features = ["api_access"]', "features = []"))
    await apply_file(database, plans, now=NOW)
    refused = problem(await client.get("/v1/ping", headers=who.headers), 403, "feature_not_in_plan")
    now = (await read(app, client, who.headers, refused["decision_id"]))["now"]
    assert (now["allowed"], now["rule"]) == (False, "feature")
    assert "pro" in {fix["plan"] for fix in now["fixes"]}
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "pro", now=NOW)
    assert (await read(app, client, who.headers, refused["decision_id"]))["now"]["allowed"] is True


async def test_a_rate(app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    while (answer := await client.get("/v1/ping", headers=who.headers)).status_code != 429:
        pass
    refused = problem(answer, 429, "rate_limited")
    host = await service_key(database, "usage:read")
    seen = await read(app, client, host, refused["decision_id"], account_id=who.account_id)
    assert (seen["code"], seen["scope"], seen["limit"]) == ("rate_limited", "api", 100)
    assert (seen["now"]["allowed"], seen["now"]["limit"]) == (None, 100), "only who calls is told by a rate limit"


async def test_a_suspended_account_is_explained_to_its_host(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    async with database.system() as session:
        await session.execute(SUSPEND, {"id": who.person.account_id})
    host, writer = await service_key(database, "usage:read"), await service_key(database, "usage:write")
    refused = problem(await consume(client, writer, account_id=who.account_id), 403, "account_suspended")
    found = await read(app, client, host, refused["decision_id"], account_id=who.account_id)
    assert (found["now"]["allowed"], found["now"]["rule"]) == (False, "account")
    assert found["key"] is None, "a host's key is none of the account's"
    assert "key_id" not in found["rules"][0]


async def test_pages_and_filters(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    await refused_quota(client, who)
    account = who.person.account_id
    ids = [uuid7() for _ in range(5)]
    for number, each in enumerate(ids):
        app.state.denials.note(number, each, f"r{number}", NOW, lambda: denied(account, "concurrency_limited"))
        app.state.denials.note(number, uuid7(), f"again{number}", NOW, lambda: denied(account))
    seen, after = [], None
    while True:
        page = await listed(app, client, who.headers, limit=2, **({"after": after} if after else {}))
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == 6
    assert [UUID(one["id"]) for one in seen] == sorted((UUID(one["id"]) for one in seen), reverse=True)
    assert [one["count"] for one in seen] == [2, 2, 2, 2, 2, 1]
    by_code = await listed(app, client, who.headers, code="concurrency_limited")
    assert {one["id"] for one in by_code["items"]} == {str(each) for each in ids}
    for name in ("r3", "again3"):
        assert [one["id"] for one in (await listed(app, client, who.headers, request_id=name))["items"]] == [
            str(ids[3])
        ]
        assert (await read(app, client, who.headers, name))["id"] == str(ids[3])
    assert (await listed(app, client, who.headers, meter="storage"))["items"] == []
    assert (await listed(app, client, who.headers, to="2026-03-10T12:00:00Z"))["items"] == []
    assert len((await listed(app, client, who.headers, **{"from": "2026-03-10T12:00:00Z"}))["items"]) == 6


async def test_any_of_the_folded_decisions_is_found(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    ids = [uuid7() for _ in range(40)]
    known_as = [
        app.state.denials.note("same", each, f"r{each}", NOW, lambda: denied(who.person.account_id)) for each in ids
    ]
    assert known_as == ids[:32] + [ids[0]] * 8, "what is not kept is not said"
    for each in (*known_as, f"r{ids[31]}"):
        assert (await read(app, client, who.headers, str(each)))["id"] == str(ids[0])
    for each in (ids[32], f"r{ids[32]}"):
        problem(await client.get(f"/v1/decisions/{each}", headers=who.headers), 404, "decision_unknown")


async def test_every_answer_of_a_storm_says_an_id_that_is_found(
    app: FastAPI, client: httpx.AsyncClient, who: Caller
) -> None:
    await consume(client, who.headers, 10)
    answers = [problem(await consume(client, who.headers), 402, "quota_exceeded") for _ in range(40)]
    found = [await read(app, client, who.headers, each["decision_id"]) for each in answers]
    assert sum(one["count"] for one in {one["id"]: one for one in found}.values()) == 40


async def test_a_request_that_is_not_the_first_is_found_by_its_time(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    names = [request_id() for _ in range(2)]
    for each in names:
        app.state.denials.note("same", uuid7(), each, NOW, lambda: denied(who.person.account_id))
    await app.state.denials.flush()
    async with database.system() as session:
        later = {"account_id": who.person.account_id, "now": NOW, "rows": MOST_LOOKED_THROUGH + 1}
        await session.execute(FILL, {**later, "first": (uuid7().int >> 80) + 60_000})
    assert (await read(app, client, who.headers, names[1]))["request_ids"] == names


async def test_those_of_another_are_unknown(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    other = await customer(database)
    refused = await refused_quota(client, other)
    await app.state.denials.flush()
    unknown = str(uuid4())
    for theirs in (refused["decision_id"], "mine-1"):
        answers = [await client.get(f"/v1/decisions/{each}", headers=who.headers) for each in (theirs, unknown)]
        problem(answers[0], 404, "decision_unknown")
        same(answers[0], answers[1], theirs, unknown)
    assert (await listed(app, client, who.headers))["items"] == []
    assert (await listed(app, client, who.headers, request_id="mine-1"))["items"] == []
    for path in ("/v1/decisions", f"/v1/decisions/{refused['decision_id']}"):
        named = [
            await client.get(path, headers=who.headers, params={"account_id": each})
            for each in (other.account_id, unknown)
        ]
        problem(named[0], 404, "account_unknown")
        same(named[0], named[1], other.account_id, unknown)


@pytest.mark.parametrize("name", ["%00", "a%00b", "%F0%9F%92%A5", "x" * 3_000, "0" * 32, "f" * 32, "%ff", "a'--"])
async def test_hostile_ids_are_unknown(client: httpx.AsyncClient, who: Caller, name: str) -> None:
    answer = await client.get(f"/v1/decisions/{name}", headers=who.headers)
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"after": "x"}, {"code": "x"}, {"meter": "\0"}, {"from": "2026-01-01"}]
)
async def test_hostile_filters_are_refused(client: httpx.AsyncClient, who: Caller, params: dict[str, Any]) -> None:
    problem(await client.get("/v1/decisions", headers=who.headers, params=params), 422, "invalid_input")


async def test_what_is_no_longer_kept_is_unknown(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    refused = await refused_quota(client, who)
    await app.state.denials.flush()
    async with database.system() as session:
        await session.execute(text("DELETE FROM denials"))
    answer = await client.get(f"/v1/decisions/{refused['decision_id']}", headers=who.headers)
    problem(answer, 404, "decision_unknown")


async def test_a_key_that_was_revoked_since(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    refused = await refused_quota(client, who)
    await app.state.denials.flush()
    async with database.system() as session:
        await session.execute(
            text("UPDATE api_keys SET revoked_at = :now WHERE account_id = :id"),
            {"now": NOW, "id": who.person.account_id},
        )
    host = await service_key(database, "usage:read")
    now = (await read(app, client, host, refused["decision_id"], account_id=who.account_id))["now"]
    assert (now["allowed"], now["rule"]) == (False, "credential")


async def test_a_command_calls_back_what_processes_hold_before_it_says_what_is_missing(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    who = await customer(database, plan="pro")
    for _ in range(200):
        assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    made = replace(denied(who.person.account_id), meter="api_calls", requested=10_000, plan="pro")
    app.state.denials.note("one", uuid7(), "mine-1", NOW, lambda: made)
    await app.state.denials.flush()
    await app.state.treasury.round()  # after it nobody wants more, as a moment after the last call
    assert any(pool.left for pool in app.state.treasury.allowances.pools.values()), "something is held in memory"

    async def nothing(key: object) -> None:
        """As a process that holds nothing."""

    engine = Engine(database, Catalogs(), upgrade_url="", recalls=Recalls(database, nothing))
    found = await explain(engine, who.person.account_id, "mine-1", now=NOW, rates={}, to_operator=True)
    await engine.close()
    assert (found.now.used, found.now.held, found.now.grant) == (200, 0, 200)
