"""Counters, events and sums say the same whatever was spent; what is planted wrong is found and repaired."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.http.calls import Caller, Headers, customer, service_key, spent
from backend.tests.http.test_events_http import event, report
from backend.tests.http.test_series_http import retract
from backend.tests.moments import NOW
from backend.usage.integrity import check


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:write")


@pytest.fixture
async def who(client: httpx.AsyncClient, database: Database, host: Headers) -> Caller:
    """Somebody who has used every way of spending."""
    who = await customer(database, plan="pro", now=NOW - timedelta(days=5))
    await report(
        client,
        host,
        *(event(who, f"e{n}", amount=n + 1, timestamp=(NOW - timedelta(hours=n)).isoformat()) for n in range(20)),
        event(who, "s1", meter="storage", amount=500),
        event(who, "s2", meter="storage", amount=200, operation="set"),
    )
    await retract(client, host, who, "e3")
    await retract(client, host, who, "e4", "correct", amount=2)
    for _ in range(7):
        assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    consumed = {"meter": "jobs", "amount": 3}
    assert (await client.post("/v1/usage/consume", json=consumed, headers=who.headers)).status_code == 200
    held = await client.post("/v1/usage/reserve", json={"meter": "compute", "amount": 600}, headers=who.headers)
    path = f"/v1/usage/reservations/{held.json()['reservation_id']}/commit"
    assert (await client.post(path, json={"amount": 90}, headers=who.headers)).status_code == 200
    await client.get("/v1/subscription/usage", headers=who.headers)  # what was spent from memory is settled
    return who


async def planted(database: Database, statement: str, who: Caller) -> None:
    async with database.system() as session:
        changed = await session.execute(text(f"{statement} RETURNING 1"), {"id": who.person.account_id})
        assert changed.all()


async def test_every_way_of_spending_leaves_them_the_same(database: Database, who: Caller) -> None:
    assert await check(database, now=NOW) == []
    assert (await spent(database, who))[0] > 0


_WHICH = "account_id = :id AND meter = 'jobs'"
_ONE_EVENT = f"id = (SELECT id FROM usage_events WHERE {_WHICH} ORDER BY id LIMIT 1)"
_ONE_SUM = f"bucket_start = (SELECT min(bucket_start) FROM usage_rollups WHERE {_WHICH})"
_WRONG = {
    "counter raised": (f"UPDATE meter_usage SET used = used + 5 WHERE {_WHICH}", "counter"),
    "counter lowered": (f"UPDATE meter_usage SET used = used - 5 WHERE {_WHICH}", "counter"),
    "counter lost": (f"DELETE FROM meter_usage WHERE {_WHICH}", "counter"),
    "event lost": (f"DELETE FROM usage_events WHERE {_ONE_EVENT}", "events"),
    "event altered": (f"UPDATE usage_events SET amount = amount + 9 WHERE {_ONE_EVENT}", "events"),
    "all events lost": (f"DELETE FROM usage_events WHERE {_WHICH}", "events"),
    "sum altered": (f"UPDATE usage_rollups SET amount = amount - 1 WHERE {_WHICH} AND {_ONE_SUM}", "sums"),
    "sum lost": (f"DELETE FROM usage_rollups WHERE {_WHICH} AND {_ONE_SUM}", "sums"),
    "sum in another quarter": (
        f"UPDATE usage_rollups SET bucket_start = bucket_start - interval '1 day' WHERE {_WHICH} AND {_ONE_SUM}",
        "sums",
    ),
    "sum of nothing": (
        "INSERT INTO usage_rollups SELECT account_id, 'jobs', bucket_start - interval '9 days', key_id, 4"
        f" FROM usage_rollups WHERE {_WHICH} AND {_ONE_SUM}",
        "sums",
    ),
}


async def test_what_was_planted_is_found_and_repaired(database: Database, who: Caller) -> None:
    before = await spent(database, who)
    for what, (statement, fault) in _WRONG.items():
        await planted(database, statement, who)
        looked_at = await check(database, now=NOW, repairs=False)
        assert [(found.meter, found.fault) for found in looked_at] == [("jobs", fault)], what
        assert await check(database, now=NOW) == looked_at, what
        assert await check(database, now=NOW) == [], what
        assert await spent(database, who) == before, what


async def test_what_cannot_be_explained_is_left_alone(database: Database, who: Caller) -> None:
    for statement in (_WRONG["counter raised"][0], _WRONG["event lost"][0]):
        await planted(database, statement, who)
    first = await check(database, now=NOW)
    assert [found.fault for found in first] == ["unexplained"]
    assert await check(database, now=NOW) == first


async def test_what_is_spent_meanwhile_is_no_difference(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    stop = asyncio.Event()

    async def spend() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await report(client, host, event(who, f"m{number}"), event(who, f"n{number}", meter="storage", amount=7))

    spending = asyncio.create_task(spend())
    for _ in range(15):
        assert await check(database, now=NOW) == []
    stop.set()
    await spending
