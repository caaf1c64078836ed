"""The layer around the application: rate limits, header fields, addresses, the last resort, and the system's routes."""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from sqlalchemy import text
from starlette.responses import StreamingResponse

from backend.app import Application, create_app
from backend.db.session import Database, driver_url
from backend.enforcement.layer import EnforcementLayer
from backend.gateway.denials import DENIALS
from backend.gateway.front import Front
from backend.tests.factories.users import settings_for_tests
from backend.tests.http.calls import Caller, Headers, client_of, consume, customer, problem, service_key
from backend.tests.http.conftest import RunningApp
from backend.tests.turns import in_turns

PATH = "/v1/subscription/me"


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


async def calls(
    client: httpx.AsyncClient, number: int, headers: Headers | None = None, path: str = PATH
) -> list[httpx.Response]:
    return await in_turns(number, lambda: client.get(path, headers=headers or {}))


def statuses(answers: list[httpx.Response]) -> dict[int, int]:
    found = [answer.status_code for answer in answers]
    return {status: found.count(status) for status in sorted(set(found))}


def in_limit(passed: int, began: float, limit: int = 100) -> bool:
    """Whether as many passed as the limit has at once, and what came back since `began`."""
    return limit <= passed <= limit + math.ceil((time.monotonic() - began) * limit / 60)


async def exhaust(
    client: httpx.AsyncClient, headers: Headers, limit: int, path: str = PATH
) -> tuple[int, httpx.Response]:
    """Calls until the first refusal; how many passed, and the refusal."""
    passed = 0
    while True:
        answer = await client.get(path, headers=headers)
        if answer.status_code == 429:
            return passed, answer
        assert answer.status_code == 200, answer.text
        passed += 1
        assert passed < 2 * limit


async def share_a_limit(*ways: tuple[httpx.AsyncClient, Headers], path: str = PATH) -> bool:
    """Whether as many calls pass on all ways together as on one; what came back meanwhile is counted."""
    began = time.monotonic()
    passed = [(await exhaust(client, headers, 100, path))[0] for client, headers in ways]
    return in_limit(sum(passed), began)


@pytest.mark.parametrize(
    ("store", "plan", "limit"),
    [
        ("memory", "free", 100),
        ("postgresql", "free", 100),
        ("memory", "pro", 500),
        pytest.param("postgresql", "pro", 500, marks=pytest.mark.prove),
    ],
)
async def test_as_many_pass_at_once_as_the_plan_says_and_the_wait_is_true_to_the_second(
    running: RunningApp, database: Database, store: str, plan: str, limit: int
) -> None:
    who = await customer(database, plan=plan)
    async with running(rate_limit_store=store) as app, client_of(app) as client:
        began = time.monotonic()
        passed, refused = await exhaust(client, who.headers, limit)
        assert in_limit(passed, began, limit)
        found = problem(refused, 429, "rate_limited")
        assert (found["limit"], found["per_seconds"], found["plan"]) == (limit, 60, plan)
        wait = int(refused.headers["retry-after"])
        assert wait == found["retry_after"] == 1
        assert refused.headers["x-ratelimit-limit"] == str(limit)
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert refused.headers["ratelimit-policy"] == f'"api";q={limit};w=60'
        assert re.fullmatch(r'"api";r=0;t=(59|60)', refused.headers["ratelimit"])
        await asyncio.sleep(wait)
        assert (await client.get(PATH, headers=who.headers)).status_code == 200


@pytest.mark.parametrize("store", ["memory", "postgresql"])
async def test_a_burst_of_parallel_calls_is_counted_exactly(running: RunningApp, who: Caller, store: str) -> None:
    async with running(rate_limit_store=store) as app, client_of(app) as client:
        began = time.monotonic()
        found = statuses(await calls(client, 130, who.headers))
        assert in_limit(found[200], began)
        assert set(found) == {200, 429}


async def test_success_counts_down_in_the_header_fields(client: httpx.AsyncClient, who: Caller) -> None:
    for number in range(1, 4):
        answer = await client.get(PATH, headers=who.headers)
        assert answer.headers["x-ratelimit-limit"] == "100"
        assert answer.headers["x-ratelimit-remaining"] == str(100 - number)
        assert answer.headers["ratelimit-policy"] == '"api";q=100;w=60'
        assert answer.headers["ratelimit"].startswith(f'"api";r={100 - number};t=')
        assert "retry-after" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_all_keys_and_addresses_of_an_account_share_its_limit(app: FastAPI, who: Caller) -> None:
    async with client_of(app) as here, client_of(app, "198.51.100.7") as there:
        assert await share_a_limit((here, who.headers), (there, who.headers))


async def test_refused_calls_cost_the_account_nothing_and_the_address_its_guard(
    running: RunningApp, who: Caller
) -> None:
    """With a default of 6 requests a minute, the guard of an address takes 60 refusals."""
    async with (
        running(rate_limit_default_requests=6) as app,
        client_of(app) as here,
        client_of(app, "198.51.100.7") as there,
    ):
        await exhaust(here, who.headers, 100)
        refused = await calls(here, 120, who.headers)
        assert set(statuses(refused)) <= {200, 429}
        guarded = await here.get("/v1/subscription/plans")
        document = problem(guarded, 429, "rate_limited")
        assert "refused" in document["detail"]
        assert guarded.headers["retry-after"] == "1"
        # Elsewhere, the account has what its own limit gives it.
        await asyncio.sleep(1)
        assert (await there.get(PATH, headers=who.headers)).status_code == 200


async def test_who_has_a_bad_credential_is_counted_as_anonymous(client: httpx.AsyncClient) -> None:
    bad = {"Authorization": "Bearer fk_live_nobody"}
    began = time.monotonic()
    found = statuses(await calls(client, 150, bad))
    # As an anonymous caller, the address has 100 calls a minute.
    assert in_limit(found[401], began)
    assert found[401] + found[429] == 150


async def test_the_anonymous_are_counted_by_address(app: FastAPI) -> None:
    path = "/v1/subscription/plans"
    async with client_of(app) as here, client_of(app, "192.0.2.2") as there:
        began = time.monotonic()
        found = statuses(await calls(here, 120, path=path))
        assert in_limit(found[200], began)
        assert (await there.get(path)).status_code == 200


async def test_an_ipv6_caller_is_its_network(app: FastAPI) -> None:
    path = "/v1/subscription/plans"
    async with client_of(app, "2001:db8::1") as here, client_of(app, "2001:db8::ffff") as near:
        assert await share_a_limit((here, {}), (near, {}), path=path)
    async with client_of(app, "::ffff:192.0.2.50") as mapped, client_of(app, "192.0.2.50") as plain:
        assert await share_a_limit((mapped, {}), (plain, {}), path=path)


async def forwarded(client: httpx.AsyncClient, claim: str) -> int:
    answer = await client.get("/v1/subscription/plans", headers={"X-Forwarded-For": claim})
    return answer.status_code


async def test_what_an_untrusted_peer_claims_has_no_effect(client: httpx.AsyncClient) -> None:
    answers = [await forwarded(client, f"203.0.113.{number}") for number in range(130)]
    assert answers.count(429) >= 5


async def test_a_trusted_proxy_names_the_client(running: RunningApp) -> None:
    async with running(trusted_proxies="10.0.0.0/8") as app:
        async with client_of(app, "10.0.0.1") as client:
            for number in range(130):
                # The client's own claims stand before what the proxies add, and are not believed.
                assert await forwarded(client, f"192.0.2.{number}, 203.0.113.{number % 100}, 10.1.1.1") == 200
            claims = [{"X-Forwarded-For": claim} for claim in ("203.0.113.200", "192.0.2.77, 203.0.113.200")]
            assert await share_a_limit(*((client, claim) for claim in claims), path="/v1/subscription/plans")
            for odd in ("", "unknown", "203.0.113.9:443", ",,,", "10.0.0.2", "[2001:db8::1]", "٣.٣.٣.٣", "x" * 5_000):
                answer = await client.get("/health", headers=[(b"x-forwarded-for", odd.encode("utf-8"))])
                assert answer.status_code == 200
        async with client_of(app, "192.0.2.9") as outside:
            answers = [await forwarded(outside, f"203.0.113.{number}") for number in range(130)]
            assert answers.count(429) >= 5


async def test_the_allow_list_lifts_limits_of_addresses_and_never_those_of_accounts(
    running: RunningApp, who: Caller
) -> None:
    async with running(rate_limit_allowlist="192.0.2.0/24") as app, client_of(app) as client:
        assert statuses(await calls(client, 150, path="/v1/subscription/plans")) == {200: 150}
        began = time.monotonic()
        found = statuses(await calls(client, 130, who.headers))
        assert in_limit(found[200], began)
        answer = await client.get("/v1/subscription/plans")
        assert "x-ratelimit-limit" not in answer.headers


async def test_the_deny_list_serves_nobody_there(running: RunningApp, who: Caller) -> None:
    async with running(rate_limit_denylist="192.0.2.0/24, 2001:db8::/32", trusted_proxies="10.0.0.1") as app:
        for address in ("192.0.2.1", "2001:db8::5", "::ffff:192.0.2.9"):
            async with client_of(app, address) as client:
                for path in (PATH, "/v1/subscription/plans", "/docs"):
                    problem(await client.get(path, headers=who.headers), 403, "address_denied")
        async with client_of(app, "10.0.0.1") as proxy:
            assert await forwarded(proxy, "192.0.2.1") == 403
            assert await forwarded(proxy, "198.51.100.1") == 200


async def test_service_keys_have_no_limit_by_default(client: httpx.AsyncClient, database: Database) -> None:
    host = await service_key(database, "usage:read", "usage:write")
    who = await customer(database, plan="enterprise")
    answers = await in_turns(150, lambda: consume(client, host, account_id=who.account_id))
    assert statuses(answers) == {200: 150}


async def test_the_catalog_has_the_word_over_the_default_limit_of_the_settings(running: RunningApp) -> None:
    async with running(rate_limit_default_requests=50) as app, client_of(app) as client:
        began = time.monotonic()
        found = statuses(await calls(client, 120, path="/v1/subscription/plans"))
        assert in_limit(found[200], began)


@pytest.fixture
async def failing(running: RunningApp) -> AsyncIterator[FastAPI]:
    """The application with routes that fail in the ways routes fail."""
    async with running() as app:

        async def broken() -> None:
            raise RuntimeError("a secret of ours")

        async def streamed() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"one "
                yield b"two"

            return StreamingResponse(parts(), media_type="text/plain")

        async def cut_off() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"one "
                raise RuntimeError("in the middle")

            return StreamingResponse(parts(), media_type="text/plain")

        app.add_api_route("/v1/broken", broken)
        app.add_api_route("/v1/streamed", streamed)
        app.add_api_route("/v1/cut-off", cut_off)
        yield app


async def test_a_500_tells_nothing_and_carries_the_header_fields(failing: FastAPI, who: Caller) -> None:
    async with client_of(failing) as client:
        answer = await client.get("/v1/broken", headers=who.headers)
    found = problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-ratelimit-remaining"] == "99"
    assert answer.headers["ratelimit-policy"] == '"api";q=100;w=60'
    assert found["request_id"].startswith("req_")


async def test_streams_carry_the_header_fields_and_a_cut_one_is_no_whole_answer(failing: FastAPI, who: Caller) -> None:
    async with client_of(failing) as client:
        answer = await client.get("/v1/streamed", headers=who.headers)
        assert (answer.text, answer.headers["x-ratelimit-remaining"]) == ("one two", "99")
        with pytest.raises(RuntimeError, match="in the middle"):
            await client.get("/v1/cut-off", headers=who.headers)


async def test_the_layer_is_the_outermost_part_but_for_the_front_of_the_gateway(app: FastAPI) -> None:
    assert isinstance(app, Application)
    assert isinstance(app.build_middleware_stack(), EnforcementLayer)
    assert isinstance(app.front, Front)


async def test_a_plan_without_the_feature_is_refused_by_name(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE plan_versions DISABLE TRIGGER USER"))
        await connection.execute(
            text("""
                UPDATE plan_versions v SET features = v.features || '{"api_access": false}'
                FROM subscription_plans p WHERE p.id = v.plan_id AND p.name = 'free'
            """)
        )
        await connection.execute(text("SELECT set_config('feature.scope', 'system', true)"))
        await connection.execute(text("UPDATE catalog_state SET applied_at = clock_timestamp()"))
    found = problem(await client.get("/v1/ping", headers=who.headers), 403, "feature_not_in_plan")
    assert [fix["plan"] for fix in found["fixes"]] == ["pro"]


async def test_the_layer_is_active_on_every_route_below_v1(app: FastAPI, database: Database) -> None:
    who = await customer(database, plan="enterprise")
    async with client_of(app) as client:
        for path in app.openapi()["paths"]:
            if not path.startswith("/v1/"):
                continue
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
                answer = await client.request(method, path.replace("{", "").replace("}", ""), headers=who.headers)
                assert answer.status_code < 500, (method, path)
                assert answer.headers["x-request-id"], (method, path)
                if path.startswith(DENIALS):  # the second half of an answer that was counted
                    assert "x-ratelimit-limit" not in answer.headers, (method, path)
                else:
                    assert answer.headers["x-ratelimit-limit"] == "1000", (method, path)
        answer = await client.get("/v1/nothing/here", headers=who.headers)
        problem(answer, 404, "not_found")
        assert "x-ratelimit-remaining" in answer.headers


async def test_a_request_id_is_taken_over_if_it_is_one(client: httpx.AsyncClient) -> None:
    for given, kept in (("abc-123", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("é", False)):
        answer = await client.get("/health", headers=[(b"x-request-id", given.encode())])
        assert (answer.headers["x-request-id"] == given) is kept


# The system's own routes


async def test_the_system_answers_about_itself(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/healthz"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.json()["status"] == "ok"
    assert (await client.get("/readyz")).json() == {"ready": True, "reasons": [], "notes": []}
    assert "<title>" in (await client.get("/docs")).text
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    metrics = await client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "# TYPE" in metrics.text


async def test_system_routes_are_not_rate_limited(client: httpx.AsyncClient) -> None:
    assert statuses(await calls(client, 300, path="/health")) == {200: 300}
    assert "x-ratelimit-limit" not in (await client.get("/health")).headers


async def test_every_error_that_a_route_states_has_a_page(client: httpx.AsyncClient, app: FastAPI) -> None:
    stated = set(re.findall(r"`([a-z0-9_]+)`:", str(app.openapi()["paths"])))
    assert {"quota_exceeded", "rate_limited", "unauthenticated", "temporarily_unavailable"} <= stated
    for code in sorted(stated | {"internal_error", "method_not_allowed", "body_too_large", "headers_too_large"}):
        page = await client.get(f"/errors/{code}")
        assert page.status_code == 200, code
        assert code in page.text
    for odd in ("nothing", "%3Cscript%3E", "%00", "x" * 3_000):
        answer = await client.get(f"/errors/{odd}")
        assert answer.status_code == 404
        assert "<" not in answer.text


async def test_made_up_paths_and_methods_do_not_grow_the_metrics(client: httpx.AsyncClient) -> None:
    for number in range(20):
        await client.get(f"/nothing/{number}")
        await client.request(f"METHOD{number}", "/health")
    text = (await client.get("/metrics")).text
    assert "/nothing/" not in text
    assert "METHOD" not in text


@pytest.mark.parametrize("setting", ["off", "local"])
async def test_a_database_that_would_lose_what_it_acknowledged_is_not_ready(
    running: RunningApp, database_url: str, setting: str
) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(driver_url(database_url), autocommit=True) as connection:
        command = sql.SQL("ALTER DATABASE {} SET synchronous_commit = {}")
        connection.execute(command.format(sql.Identifier(name), sql.Literal(setting)))
    async with running() as app, client_of(app) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert "synchronous_commit" in answer.json()["reasons"][0]
        assert (await client.get("/health")).status_code == 200
    async with running(database_durability="provider") as app, client_of(app) as client:
        assert (await client.get("/readyz")).status_code == 200


async def test_an_older_schema_is_not_ready(running: RunningApp, database_url: str) -> None:
    with psycopg.connect(driver_url(database_url), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '202510080825'")
    async with running() as app, client_of(app) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert "feature migrate" in answer.json()["reasons"][0]


async def test_without_its_database_it_says_so_and_stays_alive() -> None:
    settings = settings_for_tests(database_url="postgresql://nobody:x@127.0.0.1:1/nothing", log_level="ERROR")
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get("/health")).status_code == 200
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        for method, path in (("GET", "/v1/subscription/plans"), ("GET", "/v1/ping"), ("POST", "/v1/auth/login")):
            found = await client.request(method, path)
            problem(found, 503, "temporarily_unavailable")
            assert int(found.headers["retry-after"]) >= 1


async def test_every_route_below_v1_states_what_the_layer_around_it_answers(app: FastAPI) -> None:
    stated = {
        "403": ("account_suspended", "address_denied"),
        "429": ("rate_limited",),
        "431": ("headers_too_large",),
        "503": ("temporarily_unavailable",),
    }
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            for status, codes in stated.items() if path.startswith("/v1/") else ():
                response = operation["responses"].get(status, {})
                for code in codes:
                    assert f"`{code}`" in response.get("description", ""), (method, path, code)
