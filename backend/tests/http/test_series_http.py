"""Usage over time, taken back and corrected: the quota, the series and the export say the same."""

import asyncio
import csv
import io
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.http.calls import Caller, Headers, customer, problem, scoped_key, service_key, spent
from backend.tests.http.test_events_http import event, report, statuses
from backend.tests.moments import NOW

SERIES, EXPORT = "/v1/usage/series", "/v1/usage/export.csv"


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database, plan="pro", now=NOW - timedelta(days=10))


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:write")


async def used(client: httpx.AsyncClient, who: Caller, meter: str = "jobs") -> int:
    meters = (await client.get("/v1/subscription/usage", headers=who.headers)).json()["meters"]
    return int(next(one for one in meters if one["meter"] == meter)["used"])


async def series(client: httpx.AsyncClient, who: Caller, **parameters: Any) -> list[tuple[str, int]]:
    parameters = {"meter": "jobs", "from": (NOW - timedelta(days=3)).date().isoformat(), **parameters}
    answer = await client.get(SERIES, params=parameters, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return [(point["start"], point["amount"]) for point in answer.json()["points"]]


async def retract(
    client: httpx.AsyncClient, host: Headers, who: Caller, id_: str, verb: str = "retract", **body: Any
) -> httpx.Response:
    body = {"reason": "counted by mistake", "account_id": who.account_id, **body}
    return await client.post(f"/v1/usage/events/{id_}/{verb}", json=body, headers=host)


def ago(**time: float) -> str:
    return (NOW - timedelta(**time)).isoformat()


async def test_what_is_retracted_is_free_again_and_gone_from_its_own_day(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "a", amount=7, timestamp=ago(days=2)), event(who, "b", amount=2))
    assert await used(client, who) == 9
    answer = await retract(client, host, who, "a")
    assert answer.json() == {"id": "a", "meter": "jobs", "amount_before": 7, "amount": 0, "counted": -7}
    assert await used(client, who) == 2
    assert [amount for _, amount in await series(client, who)] == [0, 0, 0, 2]
    again = await retract(client, host, who, "a", reason="twice")
    assert again.json() == {"id": "a", "meter": "jobs", "amount_before": 0, "amount": 0, "counted": 0}
    assert await spent(database, who) == (2, 2)
    # The id has been used, whatever became of its event.
    assert statuses(await report(client, host, event(who, "a", amount=7), event(who, "c")))[0][1] == "duplicate"


async def test_a_correction_counts_the_difference(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "a", amount=7))
    for amount, before in ((5, 7), (11, 5), (11, 11), (0, 11), (3, 0)):
        answer = await retract(client, host, who, "a", "correct", amount=amount)
        assert answer.json() == {
            "id": "a",
            "meter": "jobs",
            "amount_before": before,
            "amount": amount,
            "counted": amount - before,
        }
        assert await spent(database, who) == (amount, amount)


async def test_twenty_retract_at_once_and_one_does(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "a", amount=7), event(who, "b", amount=1))
    answers = await asyncio.gather(*(retract(client, host, who, "a") for _ in range(20)))
    assert sorted(answer.json()["counted"] for answer in answers) == [-7] + [0] * 19
    assert await spent(database, who) == (1, 1)


async def test_what_was_consumed_with_a_key_can_be_taken_back_too(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    body = {"meter": "jobs", "amount": 4, "idempotency_key": "order/17#x"}
    assert (await client.post("/v1/usage/consume", json=body, headers=who.headers)).status_code == 200
    answer = await retract(client, host, who, "order%2F17%23x")
    assert answer.json()["counted"] == -4
    assert await spent(database, who) == (0, 0)


async def test_who_may_not_and_what_is_not_there(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "a"), event(who, "b"))
    other = await customer(database)
    problem(await retract(client, who.headers, who, "a"), 403, "scope_missing")
    problem(await retract(client, host, who, "unheard"), 404, "event_unknown")
    problem(await retract(client, host, other, "a"), 404, "event_unknown")
    problem(await retract(client, host, who, "a", reason=""), 422, "invalid_input")
    assert await spent(database, who) == (2, 2)


async def test_series_by_day_hour_and_month_count_every_way_of_spending(
    client: httpx.AsyncClient, who: Caller, host: Headers
) -> None:
    await report(
        client,
        host,
        event(who, "1", amount=2, timestamp=ago(days=2)),
        event(who, "2", amount=4, timestamp=ago(hours=3)),
        event(who, "3", amount=8, timestamp=ago(hours=3, minutes=-20)),
    )
    await client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 16}, headers=who.headers)
    held = await client.post("/v1/usage/reserve", json={"meter": "jobs", "amount": 50}, headers=who.headers)
    path = f"/v1/usage/reservations/{held.json()['reservation_id']}/commit"
    assert (await client.post(path, json={"amount": 32}, headers=who.headers)).json()["counted"] == 32
    days = await series(client, who)
    assert days == [
        ("2026-03-07T00:00:00Z", 0),
        ("2026-03-08T00:00:00Z", 2),
        ("2026-03-09T00:00:00Z", 0),
        ("2026-03-10T00:00:00Z", 60),
    ]
    hours = await series(client, who, step="hour", **{"from": ago(hours=4), "to": ago(hours=1)})
    assert hours == [("2026-03-10T08:00:00Z", 0), ("2026-03-10T09:00:00Z", 12), ("2026-03-10T10:00:00Z", 0)]
    months = await series(client, who, step="month", **{"from": "2026-01-15"})
    assert months == [("2026-01-01T00:00:00Z", 0), ("2026-02-01T00:00:00Z", 0), ("2026-03-01T00:00:00Z", 62)]


async def test_calls_from_memory_are_in_the_series_at_once_and_by_key(client: httpx.AsyncClient, who: Caller) -> None:
    for _ in range(5):
        assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    answer = await client.get(
        SERIES, params={"meter": "api_calls", "from": NOW.date().isoformat(), "by_key": True}, headers=who.headers
    )
    found = answer.json()
    assert sum(point["amount"] for point in found["points"]) == 5
    assert [(key["amount"], key["key_id"] is None) for key in found["keys"]] == [(5, False)]


async def test_levels_are_shown_as_they_were(client: httpx.AsyncClient, who: Caller, host: Headers) -> None:
    await report(
        client,
        host,
        event(who, "1", meter="storage", amount=500, timestamp=ago(days=2)),
        event(who, "2", meter="storage", amount=-200, timestamp=ago(days=1)),
        event(who, "3", meter="storage", amount=1_000, operation="set"),
    )
    answer = await client.get(
        SERIES, params={"meter": "storage", "from": "2026-03-07", "to": "2026-03-10"}, headers=who.headers
    )
    points = answer.json()["points"]
    assert [(point["amount"], point["level"]) for point in points] == [(0, 0), (500, 500), (-200, 300)]


async def test_keys_of_the_account_have_their_names_also_when_they_are_revoked(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    body = {"meter": "jobs", "amount": 2}
    assert (await client.post("/v1/usage/consume", json=body, headers=who.headers)).status_code == 200
    await report(client, host, event(who, "1", amount=4))
    async with database.system() as session:
        await session.execute(text("UPDATE api_keys SET revoked_at = now() WHERE name = 'test'"))
    other = await scoped_key(database, who)
    answer = await client.get(SERIES, params={"meter": "jobs", "from": "2026-03-10", "by_key": True}, headers=other)
    found = {(key["key_name"], key["amount"]): key for key in answer.json()["keys"]}
    assert found.keys() == {("test", 2), (None, 4)}
    own, hosts = found["test", 2], found[None, 4]
    assert who.headers["Authorization"].removeprefix("Bearer ").startswith(own["key_prefix"])
    assert (hosts["key_prefix"], hosts["key_id"] is None) == (None, False)


_NO_RANGES = [
    {"meter": "unheard"},
    {"step": "week"},
    {"from": "yesterday"},
    {"from": "2026-02-30"},
    {"from": "2026-03-10T00:00:00"},
    {"from": "0001-01-01"},
    {"from": "9999-12-31T23:59:59Z"},
    {"from": "2026-03-10", "to": "2026-03-10"},
    {"from": "2025-01-01", "step": "hour"},
    {"from": ""},
]


async def test_what_is_no_range_is_refused(client: httpx.AsyncClient, who: Caller) -> None:
    for changes in _NO_RANGES:
        parameters = {"meter": "jobs", "from": "2026-03-01", **changes}
        answer = await client.get(SERIES, params=parameters, headers=who.headers)
        problem(answer, 422, "meter_unknown" if parameters["meter"] == "unheard" else "invalid_input")


async def test_an_export_has_every_event_and_no_formula(client: httpx.AsyncClient, who: Caller, host: Headers) -> None:
    await report(
        client,
        host,
        event(who, "=1+1", amount=2, timestamp=ago(days=2)),
        event(who, "plain", amount=4, properties={"model": "large"}),
        event(who, "level", meter="storage", amount=5),
    )
    await retract(client, host, who, "plain")
    answer = await client.get(EXPORT, params={"from": "2026-03-01", "meter": "jobs"}, headers=who.headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["id"], row["amount"], row["source"]) for row in rows] == [
        ("'=1+1", "2", "ingest"),
        ("plain", "4", "ingest"),
        ("", "-4", "retraction"),
    ]
    assert rows[1]["properties"] == '{"model":"large"}'
    assert rows[2]["corrects"] == rows[1]["event_id"]
    as_json = await client.get("/v1/usage/export.json", params={"from": "2026-03-01"}, headers=who.headers)
    assert [one["amount"] for one in as_json.json()] == [2, 4, 5, -4]
    nothing = await client.get(
        "/v1/usage/export.json", params={"from": "2026-01-01", "to": "2026-01-02"}, headers=who.headers
    )
    assert nothing.json() == []


async def test_an_export_of_many_pages_has_each_event_once(
    client: httpx.AsyncClient, who: Caller, host: Headers
) -> None:
    for page in range(5):
        moment = (NOW - timedelta(hours=page)).isoformat()
        await report(client, host, *(event(who, f"{page}-{n}", timestamp=moment) for n in range(1_000)))
    answer = await client.get("/v1/usage/export.json", params={"from": "2026-03-01"}, headers=who.headers)
    ids = [one["id"] for one in answer.json()]
    assert (len(ids), len(set(ids))) == (5_000, 5_000)
    assert datetime.fromisoformat(answer.json()[-1]["occurred_at"]) == NOW
