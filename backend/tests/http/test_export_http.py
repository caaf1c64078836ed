"""An export has all that took place in its range, whenever it was recorded and by whichever clock it was counted."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Caller, Headers, customer, service_key
from backend.tests.http.test_events_http import event, report
from backend.tests.http.test_series_http import ago, retract
from backend.tests.moments import NOW
from backend.usage.integrity import check


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database, plan="pro", now=NOW - timedelta(days=10))


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:write")


async def exported(client: httpx.AsyncClient, who: Caller, start: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/usage/export.json", params={"from": start, **parameters}, headers=who.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_what_was_taken_back_much_later_is_in_it(
    client: httpx.AsyncClient, who: Caller, host: Headers, clock: ManualClock
) -> None:
    await report(client, host, event(who, "a", amount=7))
    clock.advance(timedelta(days=45))
    await retract(client, host, who, "a")
    found = await exported(client, who, "2026-03-10", to="2026-03-11")
    assert [(one["amount"], one["source"]) for one in found] == [(7, "ingest"), (-7, "retraction")]


async def test_what_a_level_was_repaired_by_is_in_it(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "a", meter="storage", amount=7))
    async with database.account(who.person.account_id) as session:
        await session.execute(text("UPDATE meter_usage SET used = 9"))
    assert [one.fault for one in await check(database, now=NOW)] == ["counter"]
    found = await exported(client, who, "1970-01-01", to="1970-01-02")
    assert [(one["amount"], one["source"], one["counted"]) for one in found] == [(-2, "repair", False)]


async def test_what_was_counted_by_a_clock_that_is_moved_since_is_in_it(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "a", amount=7))
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET mode = 'test', clock_offset = '50 days'"))
    assert [one["id"] for one in await exported(client, who, "2026-03-10", to="2026-03-11")] == ["a"]


async def test_events_come_in_the_order_in_which_they_took_place_each_once(
    client: httpx.AsyncClient, who: Caller, host: Headers
) -> None:
    """Also where a page ends among many of the same moment, and of several meters."""
    for page in range(5):
        moment = ago(hours=page // 2)
        meter = ("jobs", "compute")[page % 2]
        await report(client, host, *(event(who, f"{page}-{n}", meter=meter, timestamp=moment) for n in range(1_000)))
    found = await exported(client, who, "2026-03-01")
    assert len({one["event_id"] for one in found}) == len(found) == 5_000
    assert found == sorted(found, key=lambda one: (datetime.fromisoformat(one["occurred_at"]), one["event_id"]))
    jobs = await exported(client, who, "2026-03-01", meter="jobs")
    assert jobs == [one for one in found if one["meter"] == "jobs"]
