"""What an operator does as a user is told apart from what the user does, and takes nothing of theirs."""

import contextlib

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.http.calls import consume, problem, reserve, settle
from backend.tests.http.conftest import RunningApp
from backend.tests.http.listeners import listening
from backend.tests.http.test_admin_http import Somebody, somebody
from backend.tests.http.test_impersonation_http import act_as


@pytest.fixture
async def user(client: httpx.AsyncClient, database: Database) -> Somebody:
    return await somebody(client, database, "user")


async def test_a_limit_of_the_operators_session_is_no_refusal_of_the_user(
    app: FastAPI, client: httpx.AsyncClient, database: Database, user: Somebody
) -> None:
    headers = await act_as(client, await somebody(client, database, "support", "support"), user)
    while (answer := await client.get("/v1/subscription/usage", headers=headers)).status_code == 200:
        pass
    refused = problem(answer, 429, "rate_limited")
    assert "decision_id" not in refused, "there is nothing to be found under it"
    await app.state.denials.flush()
    assert (await client.get("/v1/decisions", headers=user.headers)).json()["items"] == []


async def test_who_was_refused_is_the_operator(
    app: FastAPI, client: httpx.AsyncClient, database: Database, user: Somebody
) -> None:
    admin = await somebody(client, database, "admin", "admin")
    acting = await act_as(client, admin, user, "write")
    theirs = problem(await consume(client, acting, 1_000), 402, "quota_exceeded")["decision_id"]
    own = problem(await consume(client, user.headers, 1_000), 402, "quota_exceeded")["decision_id"]
    await app.state.denials.flush()
    for decision, to_operator, to_user in (
        (theirs, f"operator:{admin.id}", "operator"),
        (own, user.id, user.id),
    ):
        one = await client.get(f"/v1/admin/decisions/{decision}", headers=admin.headers)
        assert one.json()["subject"] == to_operator
        seen = await client.get(f"/v1/decisions/{decision}", headers=user.headers)
        assert seen.json()["subject"] == to_user
        assert admin.id not in seen.text
    both = (await client.get("/v1/admin/decisions", headers=admin.headers)).json()["items"]
    assert [one["subject"] for one in both] == [user.id, f"operator:{admin.id}"]
    assert admin.id not in (await client.get("/v1/decisions", headers=user.headers)).text


async def test_what_the_operator_has_spent_is_recorded_as_theirs(
    client: httpx.AsyncClient, database: Database, user: Somebody
) -> None:
    admin = await somebody(client, database, "admin", "admin")
    acting = await act_as(client, admin, user, "write")
    assert (await consume(client, acting, 1, idempotency_key="by-them")).status_code == 200
    assert (await client.get("/v1/ping", headers=acting)).status_code == 200
    held = (await reserve(client, acting, meter="jobs", amount=1)).json()["reservation_id"]
    assert (await settle(client, acting, held, "commit", amount=1)).status_code == 200
    assert (await consume(client, user.headers, 1)).status_code == 200
    async with database.read() as session:
        subjects = (
            await session.scalars(text("SELECT subject FROM usage_events WHERE meter = 'jobs' ORDER BY id"))
        ).all()
    assert subjects == [f"operator:{admin.id}", f"operator:{admin.id}", user.id]
    exported = await client.get("/v1/usage/export.json", params={"from": "2026-03-01"}, headers=user.headers)
    mine = [one for one in exported.json() if one["meter"] == "jobs"]
    assert sorted(one["subject"] for one in mine) == sorted(["operator", "operator", user.id])
    assert admin.id not in exported.text
    table = await client.get("/v1/usage/export.csv", params={"from": "2026-03-01"}, headers=user.headers)
    assert admin.id not in table.text
    for path in ("series?meter=jobs&by_key=true&from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00Z", "live"):
        seen = await client.get(f"/v1/usage/{path}", headers=user.headers)
        assert seen.status_code == 200, seen.text
        assert admin.id not in seen.text


async def test_looking_on_takes_no_place_of_the_users(
    running: RunningApp, database: Database, client: httpx.AsyncClient, user: Somebody
) -> None:
    admin = await somebody(client, database, "admin", "admin")
    acting = await act_as(client, admin, user)
    async with running(live_stream_seconds=60) as app, contextlib.AsyncExitStack() as open_views:
        for _ in range(5):
            view = await open_views.enter_async_context(listening(app, acting))
            assert view.status == 200
        async with listening(app, acting) as sixth:
            assert sixth.status == 429
            assert "open to you" in sixth.text
        for _ in range(5):
            view = await open_views.enter_async_context(listening(app, user.headers))
            assert view.status == 200
        async with listening(app, user.headers) as sixth:
            assert sixth.status == 429
