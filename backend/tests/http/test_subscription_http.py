"""/v1/subscription over HTTP."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Caller, Headers, consume, customer, problem, reserve, service_key, signed_up
from backend.tests.moments import NOW


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


async def read(client: httpx.AsyncClient, who: Caller, what: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/subscription/{what}", headers=who.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def upgrade(database: Database, who: Caller, plan: str, days: int = 30) -> None:
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, plan, duration_days=days, now=NOW)


PLANS = {
    "free": (0, None, (10, 100, 100, 60), 1.0, 100),
    "pro": (1_999, "monthly", (500, 10_000, 10_000, 6_000), 5.0, 500),
    "enterprise": (9_999, "monthly", (None, None, None, None), 10.0, 1_000),
}


async def test_anybody_reads_the_plans_with_their_described_members(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/subscription/plans")
    plans = answer.json()["plans"]
    assert [plan["name"] for plan in plans] == list(PLANS)
    for plan in plans:
        price, billing, limits, multiplier, rate = PLANS[plan["name"]]
        assert (plan["price_cents"], plan["currency"], plan["billing_period"]) == (price, "USD", billing)
        assert limits == (
            plan["max_jobs_per_month"],
            plan["max_storage_mb"],
            plan["max_api_calls_per_day"],
            plan["max_compute_minutes_per_month"],
        )
        assert (plan["rate_limit_multiplier"], plan["is_active"]) == (multiplier, True)
        assert plan["rate_limits"]["api"] == {"requests": rate, "per_seconds": 60, "burst": rate}
        assert len(plan["features"]) == 7
        assert plan["features"]["api_access"] is True
        assert plan["features"]["sso"] is (plan["name"] == "enterprise")
        one = await client.get(f"/v1/subscription/plans/{plan['name']}")
        assert one.json() == {"plan": plan}
    for unknown in ("gold", "FREE", "free%20", "%00", "%ff"):
        problem(await client.get(f"/v1/subscription/plans/{unknown}"), 404, "plan_not_found")


async def test_a_new_user_is_on_free_without_a_subscription(client: httpx.AsyncClient, who: Caller) -> None:
    found = await read(client, who, "me")
    assert found["subscription"] is None
    assert found["plan"]["name"] == "free"


async def test_a_subscription_is_shown_until_it_ends(
    client: httpx.AsyncClient, database: Database, who: Caller, clock: ManualClock
) -> None:
    await upgrade(database, who, "pro", days=30)
    found = await read(client, who, "me")
    subscription = found["subscription"]
    assert (found["plan"]["name"], subscription["status"]) == ("pro", "active")
    assert subscription["user_id"] == str(who.person.user_id)
    assert subscription["expires_at"] == (NOW + timedelta(days=30)).isoformat().replace("+00:00", "Z")
    assert subscription["trial_end"] is None
    clock.set(NOW + timedelta(days=30) - timedelta(microseconds=1))
    assert (await read(client, who, "me"))["plan"]["name"] == "pro"
    clock.advance(timedelta(microseconds=1))
    assert (await read(client, who, "me"))["plan"]["name"] == "free", "also before any sweep has run"


async def test_usage_shows_what_was_spent_a_moment_ago(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    await consume(client, who.headers, 3)
    await consume(client, who.headers, 1_500_000, "storage")
    await consume(client, who.headers, 61, "compute")
    for _ in range(5):
        await client.get("/v1/ping", headers=who.headers)
    body = {"meter": "compute", "amount": 100, "ttl": 60}
    await client.post("/v1/usage/reserve", json=body, headers=who.headers)
    found = await read(client, who, "usage")
    assert found["limits"] == {"jobs": 10, "storage": 100, "api_calls": 100, "compute_minutes": 60}
    assert found["usage"] == {
        "period_start": "2026-03-10T12:00:00Z",
        "period_end": "2026-04-10T12:00:00Z",
        "jobs_created": 3,
        "storage_used_mb": 2,
        "api_calls": 5,
        "compute_minutes": 2,
    }
    meters = {meter["meter"]: meter for meter in found["meters"]}
    assert sorted(meters) == ["api_calls", "compute", "jobs", "storage"]
    shown = {
        name: (meter["used"], meter["held"], meter["limit"], meter["remaining"], meter["window"])
        for name, meter in meters.items()
    }
    assert shown == {
        "api_calls": (5, 0, 100, 95, "day"),
        "compute": (61, 100, 3_600, 3_439, "period"),
        "jobs": (3, 0, 10, 7, "period"),
        "storage": (1_500_000, 0, 100_000_000, 98_500_000, "none"),
    }
    assert meters["storage"]["resets_at"] is None


async def test_unlimited_is_null_everywhere(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    await upgrade(database, who, "enterprise")
    await consume(client, who.headers, 10**9)
    found = await read(client, who, "usage")
    assert set(found["limits"].values()) == {None}
    assert {(meter["limit"], meter["remaining"]) for meter in found["meters"]} == {(None, None)}
    answer = await client.get("/v1/ping", headers=who.headers)
    assert answer.headers["ratelimit-policy"] == '"api";q=1000;w=60'


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise"])
async def test_rate_limits_are_those_of_the_plan(
    client: httpx.AsyncClient, database: Database, who: Caller, plan: str
) -> None:
    if plan != "free":
        await upgrade(database, who, plan)
    _, _, _, multiplier, rate = PLANS[plan]
    in_flight = {"free": 1, "pro": 5, "enterprise": 50}[plan]
    found = await read(client, who, "rate-limits")
    assert found == {
        "base_limit": 100,
        "multiplier": multiplier,
        "effective_limit": rate,
        "plan_name": plan,
        "scopes": {"api": {"requests": rate, "per_seconds": 60, "burst": rate, **found_state(found, left=rate - 1)}},
        "jobs_in_flight": {"limit": in_flight, "used": 0, "remaining": in_flight},
    }


async def test_what_can_be_done_about_a_plan_depends_on_who_asks(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    async def offers(headers: Headers | None) -> list[tuple[str, str | None]]:
        answer = await client.get("/v1/subscription/plans", headers=headers)
        return [(plan["offer"]["action"], plan["offer"]["direction"]) for plan in answer.json()["plans"]]

    assert await offers(None) == [("sign_up", None)] * 3
    assert await offers(who.headers) == [("keep", None), ("ask", "up"), ("ask", "up")]
    await upgrade(database, who, "pro")
    assert await offers(who.headers) == [("ask", "down"), ("keep", None), ("ask", "up")]


async def test_jobs_in_flight_are_a_limit_with_a_state(client: httpx.AsyncClient, who: Caller) -> None:
    assert (await reserve(client, who.headers, meter="jobs", amount=1)).status_code == 200
    assert (await read(client, who, "rate-limits"))["jobs_in_flight"] == {"limit": 1, "used": 1, "remaining": 0}


def found_state(found: dict[str, Any], *, left: int) -> dict[str, Any]:
    """The state after one request: one fewer, and full again within a second or the time of one."""
    full_at = datetime.fromisoformat(found["scopes"]["api"]["full_at"])
    assert timedelta(0) < full_at - NOW <= timedelta(seconds=1)
    return {"remaining": left, "full_at": found["scopes"]["api"]["full_at"]}


async def test_a_downgrade_below_what_is_used_refuses_and_deletes_nothing(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    await upgrade(database, who, "pro")
    await consume(client, who.headers, 200_000_000, "storage")
    await upgrade(database, who, "free")
    storage = next(meter for meter in (await read(client, who, "usage"))["meters"] if meter["meter"] == "storage")
    assert (storage["used"], storage["limit"], storage["remaining"]) == (200_000_000, 100_000_000, 0)
    problem(await consume(client, who.headers, 1, "storage"), 402, "quota_exceeded")


@pytest.mark.parametrize("what", ["me", "usage", "rate-limits"])
async def test_who_has_no_account_is_told_so(client: httpx.AsyncClient, database: Database, what: str) -> None:
    path = f"/v1/subscription/{what}"
    problem(await client.get(path), 401, "unauthenticated")
    host = await service_key(database, "usage:read", "usage:write", "accounts:create", "keys:verify")
    problem(await client.get(path, headers=host), 403, "scope_missing")


async def test_me_is_whole(client: httpx.AsyncClient) -> None:
    pair = await signed_up(client, "ada@example.com")
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    found = (await client.get("/v1/auth/me", headers=headers)).json()
    assert (found["email"], found["status"], found["roles"], found["mfa_enabled"]) == (
        "ada@example.com",
        "active",
        [],
        False,
    )
    assert (found["subscription"], found["plan"]) == (None, {"name": "free", "display_name": "Free Plan"})
    assert (found["account"]["kind"], found["account"]["time_zone"]) == ("personal", "UTC")


async def test_where_usage_leads_is_said_after_a_day_of_the_account_whatever_was_reported_of_before(
    client: httpx.AsyncClient, database: Database, who: Caller, clock: ManualClock
) -> None:
    """Six minutes of use tell nothing, with an event of days before them neither."""
    async with database.system() as session:
        await session.execute(
            text("UPDATE accounts SET created_at = :at WHERE id = :id"),
            {"at": NOW - timedelta(minutes=6), "id": who.person.account_id},
        )
    host = await service_key(database, "usage:write")
    event = {"meter": "compute", "account_id": who.account_id}
    events = [
        {**event, "id": "before", "amount": 900, "timestamp": (NOW - timedelta(days=2)).isoformat()},
        {**event, "id": "now", "amount": 60},
    ]
    answer = await client.post("/v1/usage/events", json={"events": events}, headers=host)
    assert [item["status"] for item in answer.json()["items"]] == ["accepted", "accepted"]

    async def projection() -> Any:
        meters = (await read(client, who, "usage"))["meters"]
        return next(meter for meter in meters if meter["meter"] == "compute")["projection"]

    assert await projection() is None
    clock.advance(timedelta(hours=23, minutes=50))
    assert await projection() is None
    clock.advance(timedelta(minutes=10))
    found = await projection()
    assert found is not None
    # 60 a day, not 960 in three.
    days = (datetime.fromisoformat(found["at"]) - clock.now()) / timedelta(days=1)
    assert found["low"] <= 960 + 60 * days <= found["high"]
