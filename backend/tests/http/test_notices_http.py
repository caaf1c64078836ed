"""Notices of usage over HTTP: every way of counting leads to them, and who may read them sees them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.subscription.tasks import tell_all
from backend.tests.http.calls import Caller, Headers, consume, customer, mails, problem, service_key
from backend.tests.http.test_events_http import event, report
from backend.tests.http.test_series_http import retract
from backend.tests.moments import NOW
from backend.usage.integrity import check

NOTICES, USAGE = "/v1/usage/notices", "/v1/subscription/usage"


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:read", "usage:write")


async def tell(database: Database) -> None:
    await tell_all(database, catalogs=Catalogs(), app_url="http://localhost:5173/app", now=NOW)


async def notices(client: httpx.AsyncClient, headers: Headers, **query: str) -> list[dict[str, Any]]:
    answer = await client.get(NOTICES, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def meter(client: httpx.AsyncClient, who: Caller, name: str) -> dict[str, Any]:
    answer = await client.get(USAGE, headers=who.headers)
    found: dict[str, Any] = next(one for one in answer.json()["meters"] if one["meter"] == name)
    return found


Way = Callable[[httpx.AsyncClient, Database, Caller, Headers, int], Awaitable[None]]


async def by_consume(client: httpx.AsyncClient, database: Database, who: Caller, host: Headers, amount: int) -> None:
    assert (await consume(client, who.headers, amount)).status_code == 200


async def by_commit(client: httpx.AsyncClient, database: Database, who: Caller, host: Headers, amount: int) -> None:
    body = {"meter": "jobs", "amount": amount}
    held = await client.post("/v1/usage/reserve", json=body, headers=who.headers)
    path = f"/v1/usage/reservations/{held.json()['reservation_id']}/commit"
    assert (await client.post(path, json={}, headers=who.headers)).status_code == 200


async def by_event(client: httpx.AsyncClient, database: Database, who: Caller, host: Headers, amount: int) -> None:
    answer = await report(client, host, event(who, f"event-{amount}", amount=amount))
    assert answer.json()["items"][0]["status"] == "accepted"


async def by_correction(client: httpx.AsyncClient, database: Database, who: Caller, host: Headers, amount: int) -> None:
    await report(client, host, event(who, f"corrected-{amount}", amount=1))
    assert (await retract(client, host, who, f"corrected-{amount}", "correct", amount=amount)).status_code == 200


async def by_repair(client: httpx.AsyncClient, database: Database, who: Caller, host: Headers, amount: int) -> None:
    await report(client, host, event(who, f"repaired-{amount}", amount=amount))
    async with database.system() as session:
        await session.execute(
            text(
                "UPDATE meter_usage SET used = used - :amount, notice_at = used - :amount + 1"
                " WHERE account_id = :id AND meter = 'jobs'"
            ),
            {"amount": amount, "id": who.person.account_id},
        )
        await session.execute(text("DELETE FROM usage_notices_due"))
    assert await check(database, now=NOW)


WAYS: Mapping[str, Way] = {
    "consume": by_consume,
    "commit": by_commit,
    "event": by_event,
    "correct": by_correction,
    "repair": by_repair,
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_of_counting_leads_to_a_notice(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers, way: str
) -> None:
    for amount, percents in ((7, []), (1, [80]), (2, [100, 95, 80])):
        await WAYS[way](client, database, who, host, amount)
        await tell(database)
        assert [item["percent"] for item in await notices(client, who.headers)] == percents
    subjects = [mail["subject"] for mail in await mails(client, who.person.email)]
    assert subjects == ["All of your jobs are used", "80 % of your jobs are used"]


async def test_calls_that_are_spent_from_memory_lead_to_a_notice(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    for _ in range(79):
        assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    assert (await meter(client, who, "api_calls"))["used"] == 79
    await tell(database)
    assert await notices(client, who.headers) == []
    assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    assert (await meter(client, who, "api_calls"))["used"] == 80
    await tell(database)
    (item,) = await notices(client, who.headers)
    assert item == {
        "meter": "api_calls",
        "percent": 80,
        "used": 80,
        "limit": 100,
        "window_start": "2026-03-10T00:00:00Z",
        "resets_at": "2026-03-11T00:00:00Z",
        "reached_at": "2026-03-10T12:00:00Z",
    }
    assert (await meter(client, who, "api_calls"))["notice_percent"] == 80


async def test_what_was_taken_back_and_comes_again_is_told_once(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "all", amount=10))
    await tell(database)
    assert (await meter(client, who, "jobs"))["blocked_since"] == "2026-03-10T12:00:00Z"
    await retract(client, host, who, "all")
    await tell(database)
    found = await meter(client, who, "jobs")
    assert (found["notice_percent"], found["blocked_since"]) == (None, None)
    await report(client, host, event(who, "again", amount=9))
    await tell(database)
    found = await meter(client, who, "jobs")
    assert (found["notice_percent"], found["blocked_since"]) == (80, None)
    assert [item["percent"] for item in await notices(client, who.headers)] == [100, 95, 80]
    assert len(await mails(client, who.person.email)) == 1


async def test_a_host_reads_those_of_an_account_and_nobody_elses(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    other = await customer(database)
    await consume(client, who.headers, 8)
    await tell(database)
    assert len(await notices(client, host, account_id=who.account_id)) == 1
    assert await notices(client, other.headers) == []
    problem(
        await client.get(NOTICES, params={"account_id": who.account_id}, headers=other.headers), 404, "account_unknown"
    )
    problem(await client.get(NOTICES, headers=host), 422, "invalid_input")


async def test_a_fact_beyond_the_limit_is_told_with_what_is_used(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "much", amount=25))
    await tell(database)
    assert {(item["used"], item["limit"]) for item in await notices(client, who.headers)} == {(25, 10)}
    (mail,) = await mails(client, who.person.email)
    assert "Jobs: 25 of 10 are used on the Free Plan." in mail["text"]
