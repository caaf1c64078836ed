"""Spending over HTTP: who may, what is answered, and by which header fields."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.core.ids import uuid7
from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.web import app, application, client, client_of, host, somebody

__all__ = ["app", "client"]

NOBODYS = "0198f000-0000-7000-8000-000000000000"


async def spend(client: httpx.AsyncClient, headers: dict[str, str], **body: Any) -> httpx.Response:
    return await client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1, **body}, headers=headers)


async def test_a_refusal_has_all_that_a_caller_needs(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    assert (await spend(client, headers, amount=10)).status_code == 200
    refused = await spend(client, headers)
    assert refused.status_code == 402
    assert refused.headers["content-type"] == "application/problem+json"
    found = refused.json()
    assert found["type"].endswith("/errors/quota_exceeded")
    assert (found["code"], found["error"], found["meter"]) == ("quota_exceeded", "quota_exceeded", "jobs")
    assert (found["used"], found["current"], found["limit"], found["requested"]) == (10, 10, 10, 1)
    assert found["resets_at"] == "2026-04-10T12:00:00+00:00"
    assert (found["retry_after"], found["retryable"]) == (31 * 86_400, True)
    assert refused.headers["retry-after"] == str(31 * 86_400)
    assert [fix["kind"] for fix in found["fixes"]] == ["wait", "upgrade"]
    assert found["request_id"] == refused.headers["x-request-id"]
    assert '"jobs";r=0;t=' in refused.headers["ratelimit"]


async def test_a_metered_call_shows_both_limits(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    answer = await client.get("/v1/ping", headers=headers)
    assert answer.json()["decision"]["used"] == 1
    assert answer.headers["ratelimit-policy"] == '"api";q=100;w=60, "api_calls";q=100;w=86400'
    assert answer.headers["ratelimit"] == '"api";r=99;t=1, "api_calls";r=99;t=43200'
    assert answer.headers["x-ratelimit-limit"] == "100"
    assert answer.headers["x-ratelimit-remaining"] == "99"


async def test_the_header_is_an_alias_of_the_key_in_the_body(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    keyed = {**headers, "Idempotency-Key": "order 7"}
    first = await spend(client, keyed)
    again = await spend(client, headers, idempotency_key="order 7")
    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (await spend(client, keyed, idempotency_key="order 7")).json() == first.json()
    assert (await spend(client, keyed, idempotency_key="another")).status_code == 422
    conflict = await spend(client, keyed, amount=2)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")


async def test_a_repeated_reservation_is_one_reservation(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database, plan="pro")
    keyed = {**headers, "Idempotency-Key": "long job"}
    body = {"meter": "jobs", "amount": 5, "ttl": 60}
    answers = await asyncio.gather(*(client.post("/v1/usage/reserve", json=body, headers=keyed) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 409)
    later = await client.post("/v1/usage/reserve", json=body, headers=keyed)
    held = {answer.json()["reservation_id"] for answer in [*answers, later] if answer.status_code == 200}
    assert len(held) == 1
    other = await client.post("/v1/usage/reserve", json={**body, "amount": 6}, headers=keyed)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    usage = (await client.get("/v1/subscription/usage", headers=headers)).json()
    assert {meter["meter"]: meter["held"] for meter in usage["meters"]}["jobs"] == 5


async def test_a_reservation_from_beginning_to_end(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    body = {"meter": "compute", "amount": 600, "ttl": 60}
    found = (await client.post("/v1/usage/reserve", json=body, headers=headers)).json()
    assert (found["decision"]["held"], found["decision"]["remaining"]) == (600, 3_000)
    path = f"/v1/usage/reservations/{found['reservation_id']}"
    longer = (await client.post(f"{path}/extend", json={"ttl": 600}, headers=headers)).json()
    assert longer["expires_at"] > found["expires_at"]
    settled = (await client.post(f"{path}/commit", json={"amount": 90}, headers=headers)).json()
    assert (settled["state"], settled["counted"], settled["uncounted"]) == ("committed", 90, 0)
    assert (settled["decision"]["used"], settled["decision"]["held"]) == (90, 0)
    assert (await client.post(f"{path}/release", headers=headers)).status_code == 409
    usage = (await client.get("/v1/subscription/usage", headers=headers)).json()
    assert usage["usage"]["compute_minutes"] == 2


async def test_one_job_in_flight_on_free_and_the_next_is_told_when(
    client: httpx.AsyncClient, database: Database
) -> None:
    _, headers = await somebody(database)
    body = {"meter": "jobs", "amount": 1, "ttl": 30}
    assert (await client.post("/v1/usage/reserve", json=body, headers=headers)).status_code == 200
    refused = await client.post("/v1/usage/reserve", json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "concurrency_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 30


async def test_another_account_is_as_unknown_as_none(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    other, others_headers = await somebody(database)
    body = {"meter": "compute", "amount": 60}
    hold = (await client.post("/v1/usage/reserve", json=body, headers=others_headers)).json()["reservation_id"]
    for named in (str(other.account_id), NOBODYS, "external:acme", "not an id"):
        answer = await spend(client, headers, account_id=named)
        assert (answer.status_code, answer.json()["code"]) == (404, "account_unknown")
    for action, content in (("commit", {"amount": 1}), ("release", {}), ("extend", {"ttl": 9})):
        answers = [
            await client.post(f"/v1/usage/reservations/{which}/{action}", json=content, headers=headers)
            for which in (hold, NOBODYS)
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "reservation_unknown")] * 2
        bodies = [
            {name: value for name, value in answer.json().items() if name not in ("request_id", "instance")}
            for answer in answers
        ]
        assert bodies[0] == bodies[1]
    settled = await client.post(f"/v1/usage/reservations/{hold}/commit", json={}, headers=others_headers)
    assert settled.json()["counted"] == 60


async def test_a_service_key_acts_for_the_account_that_it_names(client: httpx.AsyncClient, database: Database) -> None:
    user, own = await somebody(database)
    writer, reader = await host(database, "usage:write"), await host(database, "usage:read")
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET external_id = 'acme' WHERE id = :id"), {"id": user.account_id})
    for named in (str(user.account_id), "external:acme"):
        assert (await spend(client, writer, account_id=named)).status_code == 200
    assert (await spend(client, writer)).status_code == 422
    unknown = await spend(client, writer, account_id=str(uuid7()))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "account_unknown")
    # What this kind of caller may not do is said before any id is looked up.
    for named in (str(user.account_id), NOBODYS):
        refused = await spend(client, reader, account_id=named)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    checked = await client.post(
        "/v1/usage/check", json={"meter": "jobs", "amount": 1, "account_id": "external:acme"}, headers=reader
    )
    assert checked.json()["used"] == 2
    assert (await client.get("/v1/subscription/me", headers=writer)).status_code == 403
    assert (await client.get("/v1/subscription/me", headers=own)).status_code == 200


async def test_only_a_service_key_lowers_a_level(client: httpx.AsyncClient, database: Database) -> None:
    user, own = await somebody(database)
    writer = await host(database, "usage:write")
    assert (await spend(client, own, meter="storage", amount=500)).status_code == 200
    refused = await spend(client, own, meter="storage", amount=-1)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    lowered = await spend(client, writer, meter="storage", amount=-200, account_id=str(user.account_id))
    assert lowered.json()["used"] == 300
    assert (await spend(client, writer, meter="jobs", amount=-1, account_id=str(user.account_id))).status_code == 422


async def test_a_key_with_scopes_does_what_they_name(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database, scopes=("usage:read",))
    assert (
        await client.post("/v1/usage/check", json={"meter": "jobs", "amount": 1}, headers=headers)
    ).status_code == 200
    assert (await spend(client, headers)).status_code == 403


async def test_check_answers_200_either_way(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    for amount, allowed in ((10, True), (11, False)):
        answer = await client.post("/v1/usage/check", json={"meter": "jobs", "amount": amount}, headers=headers)
        assert (answer.status_code, answer.json()["allowed"]) == (200, allowed)


@pytest.mark.parametrize("amount", [0, -1, 10**30, 2**63, 1.5, True, "1", None])
async def test_amounts_that_mean_nothing_are_422(client: httpx.AsyncClient, database: Database, amount: object) -> None:
    _, headers = await somebody(database)
    assert (await spend(client, headers, amount=amount)).status_code in (403, 422)
    assert (await client.get("/v1/subscription/usage", headers=headers)).json()["usage"]["jobs_created"] == 0


async def test_the_status_of_a_used_up_quota_is_a_setting(
    database: Database, database_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    _, headers = await somebody(database)
    async for made in application(database_url, clock, tmp_path, quota_status=429):
        async with client_of(made) as other:
            refused = await spend(other, headers, amount=11)
            assert (refused.status_code, refused.json()["status"], refused.json()["code"]) == (
                429,
                429,
                "quota_exceeded",
            )


async def test_a_plan_without_the_feature_is_refused_by_name(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE plan_versions DISABLE TRIGGER USER"))
        await connection.execute(
            text("""
                UPDATE plan_versions v SET features = v.features || '{"api_access": false}'
                FROM subscription_plans p WHERE p.id = v.plan_id AND p.name = 'free'
            """)
        )
    refused = await client.get("/v1/ping", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "feature_not_in_plan")
    assert [fix["plan"] for fix in refused.json()["fixes"]] == ["pro"]
