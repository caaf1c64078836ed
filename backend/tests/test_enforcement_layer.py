"""The layer around the application is in it, and every answer has passed through it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from backend.db.session import Database
from backend.enforcement.layer import EnforcementLayer
from backend.tests.fakes.clock import ManualClock
from backend.tests.web import app, application, client, client_of, somebody

__all__ = ["app", "client"]


async def test_it_is_the_outermost_part_of_the_application(app: FastAPI) -> None:
    assert isinstance(app.build_middleware_stack(), EnforcementLayer)


async def test_every_kind_of_answer_has_its_fields(app: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    async def fail() -> None:
        raise RuntimeError("the inner reason")

    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        return StreamingResponse(parts())

    app.add_api_route("/v1/planted/failure", fail)
    app.add_api_route("/v1/planted/stream", stream)
    _, headers = await somebody(database)
    expected = {"/v1/planted/failure": 500, "/v1/planted/stream": 200, "/v1/nowhere": 404, "/v1/subscription/me": 200}
    for path, status in expected.items():
        answer = await client.get(path, headers=headers)
        assert answer.status_code == status
        for name in ("ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-request-id"):
            assert name in answer.headers, (path, name)
    failed = await client.get("/v1/planted/failure", headers=headers)
    assert (failed.json()["code"], "inner reason" in failed.text) == ("internal_error", False)


@pytest.mark.parametrize(("plan", "requests"), [("free", 100), ("pro", 500), ("enterprise", 1_000)])
async def test_each_plan_passes_its_limit_at_once_and_says_when_to_come_back(
    client: httpx.AsyncClient, database: Database, plan: str, requests: int
) -> None:
    _, headers = await somebody(database, plan=plan)
    passed = 0
    while (answer := await client.get("/v1/subscription/rate-limits", headers=headers)).status_code == 200:
        passed += 1
        assert answer.headers["x-ratelimit-limit"] == str(requests)
    assert requests <= passed <= requests * 1.2  # what comes back while the loop runs
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining"]) == ("1", "0")


async def test_an_account_is_one_subject_and_addresses_are_others(app: FastAPI, database: Database) -> None:
    _, headers = await somebody(database)
    async with client_of(app, "192.0.2.7") as here, client_of(app, "192.0.2.8") as there:
        left = [
            int((await place.get("/v1/subscription/me", headers=headers)).headers["x-ratelimit-remaining"])
            for place in (here, there, here)
        ]
        assert left[0] > left[1] > left[2]
        fresh = await there.get("/v1/subscription/plans")
        assert fresh.headers["x-ratelimit-remaining"] == "99"


async def test_what_an_untrusted_peer_forwards_has_no_effect(app: FastAPI) -> None:
    async with client_of(app) as here:
        for number in range(5):
            claimed = {"X-Forwarded-For": f"203.0.113.{number}"}
            answer = await here.get("/v1/subscription/plans", headers=claimed)
            assert answer.headers["x-ratelimit-remaining"] == str(99 - number)


async def test_settings_of_addresses_do_what_they_say(database_url: str, clock: ManualClock, tmp_path: Path) -> None:
    changes = {
        "trusted_proxies": "10.0.0.0/8",
        "rate_limit_allowlist": "203.0.113.9",
        "rate_limit_denylist": "198.51.100.0/24",
    }
    async for made in application(database_url, clock, tmp_path, **changes):
        async with client_of(made, "10.0.0.1") as proxy:
            one = await proxy.get("/v1/subscription/plans", headers={"X-Forwarded-For": "spoofed, 203.0.113.1"})
            two = await proxy.get("/v1/subscription/plans", headers={"X-Forwarded-For": "203.0.113.2"})
            assert [answer.headers["x-ratelimit-remaining"] for answer in (one, two)] == ["99", "99"]
            allowed = await proxy.get("/v1/subscription/plans", headers={"X-Forwarded-For": "203.0.113.9"})
            assert "x-ratelimit-remaining" not in allowed.headers
            denied = await proxy.get("/v1/subscription/plans", headers={"X-Forwarded-For": "198.51.100.77"})
            assert (denied.status_code, denied.json()["code"]) == (403, "address_denied")


async def test_refused_calls_end_at_the_guard_of_the_address(app: FastAPI) -> None:
    bad = {"Authorization": "Bearer nonsense"}
    async with client_of(app) as here:
        passed = 0
        while (answer := await here.get("/v1/auth/me", headers=bad)).status_code == 401:
            passed += 1
        assert answer.status_code == 429
        assert 100 <= passed <= 120  # what comes back while the loop runs
        codes = set()
        for _ in range(1_000):
            answer = await here.get("/v1/auth/me", headers=bad)
            codes.add(answer.json()["detail"][:12])
        assert "This address" in codes


async def test_64_kilobytes_of_header_are_431(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/auth/me", headers={"Authorization": "Bearer " + "a" * 65_536})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


async def test_system_routes_are_not_counted(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/errors/quota_exceeded"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert "x-ratelimit-remaining" not in answer.headers
    assert (await client.get("/errors/no_such_code")).status_code == 404
    metrics = (await client.get("/metrics")).text
    assert 'feature_requests_total{method="GET",route="/health",status="200"}' in metrics


async def test_not_durable_is_not_ready(client: httpx.AsyncClient, app: FastAPI, database: Database) -> None:
    async with database.engine.begin() as connection:
        name = await connection.scalar(text("SELECT current_database()"))
        await connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    await app.state.database.engine.dispose()
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "synchronous_commit is off" in answer.json()["reasons"][0]


async def test_a_database_that_is_gone_is_503_and_loses_nothing(
    client: httpx.AsyncClient, app: FastAPI, database: Database
) -> None:
    _, headers = await somebody(database)
    async with database.engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        )
    again = await client.get("/v1/subscription/me", headers=headers)
    assert again.status_code in (200, 503)
    assert (await client.get("/v1/subscription/me", headers=headers)).status_code == 200
