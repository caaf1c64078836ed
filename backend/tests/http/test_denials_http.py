"""What was refused is written down: once for equal ones, with the numbers as they were, for its account alone."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text

from backend.catalog.service import apply_file
from backend.core.ids import uuid7
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.enforcement.denials import Denials
from backend.tests.http.calls import (
    Caller,
    client_of,
    consume,
    customer,
    problem,
    reserve,
    scoped_key,
    service_key,
)
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW
from backend.tests.test_enforcement_denials import denied

SUSPEND = text("UPDATE accounts SET status = 'suspended', version = version + 1 WHERE id = :id")


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


async def stored(app: FastAPI, database: Database, who: Caller) -> list[dict[str, Any]]:
    """What is written down of an account, in order."""
    await app.state.denials.flush()
    async with database.read(who.person.account_id) as session:
        return [dict(row._mapping) for row in await session.execute(text("SELECT * FROM denials ORDER BY id"))]


async def count(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM denials")) or 0)


async def one(app: FastAPI, database: Database, who: Caller) -> dict[str, Any]:
    rows = await stored(app, database, who)
    assert len(rows) == 1
    return rows[0]


def outcomes(row: dict[str, Any]) -> dict[str, str]:
    return {each["rule"]: each["outcome"] for each in row["rules"]}


def told(row: dict[str, Any], **expected: Any) -> None:
    assert {name: row[name] for name in expected} == expected


async def test_a_quota(app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    await consume(client, who.headers, 8)
    answer = await consume(client, {**who.headers, "X-Request-ID": "mine-1"}, 3)
    refused = problem(answer, 402, "quota_exceeded")
    row = await one(app, database, who)
    told(
        row,
        id=UUID(refused["decision_id"]),
        decision_ids=[UUID(refused["decision_id"])],
        request_ids=["mine-1"],
        code="quota_exceeded",
        meter="jobs",
        scope=None,
        method="POST",
        path="/v1/usage/consume",
        subject=str(who.person.user_id),
        used=8,
        held=0,
        limit_amount=10,
        requested=3,
        plan="free",
        plan_version=1,
        first_at=NOW,
        last_at=NOW,
        count=1,
    )
    assert row["key_id"] is not None
    assert row["window_start"] <= NOW < row["window_end"]
    assert [each["rule"] for each in row["rules"]] == ["credential", "account", "subscription", "rate", "quota"]
    assert set(outcomes(row).values()) == {"passed", "failed"}
    assert row["rules"][-1] == {
        "rule": "quota",
        "outcome": "failed",
        "meter": "jobs",
        "used": 8,
        "held": 0,
        "limit": 10,
        "requested": 3,
    }
    assert row["rules"][3]["remaining"] == 98


async def test_what_is_only_asked_about_is_told_by_its_path(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    answer = await client.post("/v1/usage/check", json={"meter": "jobs", "amount": 11}, headers=who.headers)
    told(await one(app, database, who), path="/v1/usage/check", id=UUID(answer.json()["decision_id"]), requested=11)


async def test_jobs_in_flight(app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    assert (await reserve(client, who.headers, meter="jobs", amount=2)).status_code == 200
    refused = problem(await reserve(client, who.headers, meter="jobs", amount=3), 429, "concurrency_limited")
    row = await one(app, database, who)
    told(
        row,
        id=UUID(refused["decision_id"]),
        code="concurrency_limited",
        meter="jobs_in_flight",
        path="/v1/usage/reserve",
        used=1,
        held=0,
        limit_amount=1,
        requested=1,
        window_end=None,
    )
    assert outcomes(row) == {
        "credential": "passed",
        "account": "passed",
        "subscription": "passed",
        "rate": "passed",
        "concurrency": "failed",
        "feature": "not_reached",
        "quota": "not_reached",
    }


async def test_a_feature(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller, tmp_path: Path
) -> None:
    plans = tmp_path / "plans.toml"
    plans.write_text((REPOSITORY / "plans.toml").read_text().replace('features = ["api_access"]', "features = []"))
    await apply_file(database, plans, now=NOW)
    refused = problem(await client.get("/v1/ping", headers=who.headers), 403, "feature_not_in_plan")
    row = await one(app, database, who)
    told(row, id=UUID(refused["decision_id"]), code="feature_not_in_plan", meter=None, path="/v1/ping", plan_version=2)
    assert row["rules"][-2] == {"rule": "feature", "outcome": "failed", "feature": "api_access"}


async def test_a_rate_in_front_of_every_route_and_from_memory(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller, tmp_path: Path
) -> None:
    # In an hour, not in a minute: a hundredth of a minute would come back between two of these calls.
    plans = tmp_path / "plans.toml"
    plans.write_text((REPOSITORY / "plans.toml").read_text().replace('per = "1m"', 'per = "1h"'))
    await apply_file(database, plans, now=NOW)
    path = f"/v1/usage/reservations/{uuid7()}/release"
    while (await client.get("/v1/ping", headers=who.headers)).status_code != 429:
        pass
    assert [row["code"] for row in await stored(app, database, who)][-1] == "rate_limited"
    ids = []
    for method, called in (("GET", "/v1/ping"), ("POST", path), ("GET", "/v1/nothing/here"), ("GET", "/v1/ping")):
        ids.append(problem(await client.request(method, called, headers=who.headers), 429, "rate_limited"))
    rows = (await stored(app, database, who))[-3:]
    assert [(row["method"], row["path"], row["count"]) for row in rows] == [
        ("GET", "/v1/ping", 2),
        ("POST", "/v1/usage/reservations/{reservation_id}/release", 1),
        ("GET", "other", 1),
    ]
    for row in rows:
        told(row, code="rate_limited", scope="api", meter=None, limit_amount=100, requested=1)
        assert row["rules"][3]["rule"] == "rate"
        assert row["rules"][3]["outcome"] == "failed"
    assert rows[0]["decision_ids"] == [UUID(ids[0]["decision_id"]), UUID(ids[3]["decision_id"])]
    assert rows[0]["request_ids"] == [ids[0]["request_id"], ids[3]["request_id"]]


async def test_a_suspended_account_by_its_own_and_by_a_host(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    async with database.system() as session:
        await session.execute(SUSPEND, {"id": who.person.account_id})
    host = await service_key(database, "usage:write")
    first = problem(await consume(client, who.headers), 403, "account_suspended")
    second = problem(await consume(client, host, account_id=who.account_id), 403, "account_suspended")
    rows = await stored(app, database, who)
    assert [str(row["id"]) for row in rows] == [first["decision_id"], second["decision_id"]]
    assert rows[0]["key_id"] != rows[1]["key_id"]
    for row in rows:
        told(row, code="account_suspended", path="/v1/usage/consume", plan="free")
        assert row["rules"][1] == {"rule": "account", "outcome": "failed", "status": "suspended"}


async def test_a_quota_that_is_used_up_is_refused_from_memory_and_written_down(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    who = await customer(database)
    assert (await consume(client, who.headers, 99, meter="api_calls")).status_code == 200
    answers = [await client.get("/v1/ping", headers=who.headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 402, 402, 402, 402]
    row = await one(app, database, who)
    told(row, code="quota_exceeded", meter="api_calls", path="/v1/ping", used=100, limit_amount=100, count=4)


async def test_who_has_no_account_leaves_nothing(app: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    while (answer := await client.get("/v1/subscription/plans")).status_code != 429:
        pass
    assert "decision_id" not in problem(answer, 429, "rate_limited")
    assert len(app.state.denials) == 0
    assert await count(database) == 0


async def test_what_is_allowed_leaves_nothing(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    await consume(client, who.headers)
    assert len(app.state.denials) == 0


async def test_a_thousand_equal_ones_are_one_row_of_their_account(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    other = await customer(database)
    narrow = await scoped_key(database, who, "usage:write")
    app.state.denials.note("kind", uuid7(), "r", NOW, lambda: denied(other.person.account_id))
    for number in range(1_000):
        app.state.denials.note("same", uuid7(), f"r{number}", NOW, lambda: denied(who.person.account_id))
    problem(await consume(client, narrow, 11), 402, "quota_exceeded")
    rows = await stored(app, database, who)
    assert sorted(row["count"] for row in rows) == [1, 1_000]
    storm = max(rows, key=lambda row: row["count"])
    assert storm["request_ids"] == [f"r{number}" for number in range(32)]
    assert {row["account_id"] for row in rows} == {who.person.account_id}
    assert [row["count"] for row in await stored(app, database, other)] == [1]


async def test_a_process_that_ends_writes_what_it_has(running: RunningApp, database: Database, who: Caller) -> None:
    async with running() as app, client_of(app) as client:
        problem(await consume(client, who.headers, 11), 402, "quota_exceeded")
    assert await count(database) == 1


async def test_they_are_written_within_two_seconds_by_themselves(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    problem(await consume(client, who.headers, 11), 402, "quota_exceeded")
    for _ in range(100):
        if await count(database):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it is not written")


async def test_one_that_cannot_be_written_takes_no_others_with_it(database: Database, who: Caller) -> None:
    lost = REGISTRY.get_sample_value("feature_denials_lost_total") or 0
    denials = Denials(database, interval=60)
    denials.note("bad", uuid7(), "a\0b", NOW, lambda: denied(who.person.account_id))
    assert await denials.flush()
    assert len(denials) == 0
    assert REGISTRY.get_sample_value("feature_denials_lost_total") == lost + 1
    denials.note("good", uuid7(), "r", NOW, lambda: denied(who.person.account_id))
    assert await denials.flush()
    assert await count(database) == 1
    await denials.close()
