"""Counters, events, sums and records say the same whatever was spent; what is planted wrong is found and repaired, or
found and left alone where a month of events is away.
"""

import asyncio
import os
from datetime import timedelta

import httpx
import psycopg
import pytest
from sqlalchemy import text

from backend.core.settings import REPOSITORY
from backend.db.embedded import EmbeddedPostgres
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.fakes.clock import ManualClock
from backend.tests.home import home
from backend.tests.http.calls import Caller, Headers, customer, service_key, spent
from backend.tests.http.test_events_http import event, report
from backend.tests.http.test_series_http import retract
from backend.tests.moments import NOW
from backend.usage.integrity import check
from backend.usage.partitions import Finding, look_over, make_ahead
from backend.usage.records import check_records
from backend.usage.tasks import compare_all


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:write")


@pytest.fixture
async def who(client: httpx.AsyncClient, database: Database, host: Headers) -> Caller:
    """Somebody who has used every way of spending, in a month that has a table."""
    await make_ahead(database, now=NOW - timedelta(days=31))
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
    assert await check_records(database, now=NOW) == []
    assert await look_over(database, now=NOW) == []
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


_RECORD = "account_id = :id"
_WRONG_RECORDS = {
    "calls": f"UPDATE user_usage SET api_calls = api_calls + 1 WHERE {_RECORD}",
    "jobs": f"UPDATE user_usage SET jobs_created = jobs_created - 1 WHERE {_RECORD}",
    "megabytes": f"UPDATE user_usage SET storage_used_mb = 7 WHERE {_RECORD}",
    "minutes": f"UPDATE user_usage SET compute_minutes = 0 WHERE {_RECORD}",
    "all": f"UPDATE user_usage SET api_calls = 0, jobs_created = 0, storage_used_mb = 0 WHERE {_RECORD}",
}


async def records(database: Database, who: Caller) -> list[tuple[int, ...]]:
    async with database.read(who.person.account_id) as session:
        rows = await session.execute(
            text("SELECT api_calls, jobs_created, storage_used_mb, compute_minutes FROM user_usage")
        )
        return [tuple(row) for row in rows]


async def test_a_wrong_record_is_found_and_written_anew(database: Database, who: Caller) -> None:
    before = await records(database, who)
    assert before == [(7, before[0][1], 1, 2)]  # 200 bytes are a megabyte, 90 seconds two minutes
    for what, statement in _WRONG_RECORDS.items():
        await planted(database, statement, who)
        found = await check_records(database, now=NOW)
        assert found, what
        assert all(one.is_repaired for one in found), what
        assert await check_records(database, now=NOW) == [], what
        assert await records(database, who) == before, what


async def test_a_lost_record_is_found_and_nothing_else_takes_its_usage(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    other = await customer(database, plan="pro", now=NOW - timedelta(days=5))
    await client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 3}, headers=other.headers)
    await planted(database, f"DELETE FROM user_usage WHERE {_RECORD}", who)
    found = await check_records(database, now=NOW)
    assert {(one.meter, one.recorded, one.is_repaired) for one in found} == {
        ("api_calls", 0, False),
        ("jobs", 0, False),
    }
    assert await check_records(database, now=NOW) == found
    assert await records(database, other) == [(0, 3, 0, 0)]


async def calls_by_period(database: Database, who: Caller) -> list[int]:
    async with database.read(who.person.account_id) as session:
        return list((await session.scalars(text("SELECT api_calls FROM user_usage ORDER BY period_start"))).all())


async def test_a_day_that_comes_to_nothing_over_the_end_of_a_period_is_no_difference(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers
) -> None:
    who = await customer(database, now=NOW - timedelta(days=28) + timedelta(hours=6))
    await report(client, host, event(who, "a", meter="api_calls", amount=7))
    clock.advance(timedelta(hours=7))
    await retract(client, host, who, "a")
    before = await calls_by_period(database, who)
    assert (sum(before), before[0]) == (0, 7)
    assert await check_records(database, now=clock.now()) == []
    assert await calls_by_period(database, who) == before


async def test_records_of_a_test_account_are_right_whatever_its_clock_was_when_it_counted(
    client: httpx.AsyncClient, database: Database, host: Headers
) -> None:
    who = await customer(database, now=NOW - timedelta(days=28) + timedelta(hours=6))

    async def use(name: str, amount: int) -> None:
        await report(client, host, event(who, name, meter="api_calls", amount=amount))
        consumed = {"meter": "api_calls", "amount": amount}
        assert (await client.post("/v1/usage/consume", json=consumed, headers=who.headers)).status_code == 200
        assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
        await client.get("/v1/subscription/usage", headers=who.headers)

    await use("a", 25)
    async with database.system() as session:
        await session.execute(
            text("UPDATE accounts SET mode = 'test', clock_offset = '8 hours', version = version + 1 WHERE id = :id"),
            {"id": who.person.account_id},
        )
    await use("b", 3)
    before = await calls_by_period(database, who)
    assert before == [51, 7]
    assert await check_records(database, now=NOW) == []
    assert await calls_by_period(database, who) == before


async def test_days_and_periods_that_an_upgrade_or_an_end_divides_are_no_difference(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers
) -> None:
    """A period ends at 18:00 and an upgrade comes at noon, so days and months of counters reach over both edges."""
    who = await customer(database, now=NOW - timedelta(days=28, hours=18))

    async def use(name: str) -> None:
        for _ in range(3):
            assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
        consumed = {"meter": "jobs", "amount": 1}
        assert (await client.post("/v1/usage/consume", json=consumed, headers=who.headers)).status_code == 200
        late, moment = (clock.now() - timedelta(hours=3)).isoformat(), clock.now().isoformat()
        await report(
            client,
            host,
            event(who, f"{name} 1", meter="api_calls", amount=5, timestamp=late),
            event(who, f"{name} 2", meter="api_calls", amount=7, timestamp=moment),
            event(who, f"{name} 3", meter="compute", amount=61, timestamp=late),
            event(who, f"{name} 4", meter="storage", amount=10**6, timestamp=moment),
        )
        await client.get("/v1/subscription/usage", headers=who.headers)
        assert await check_records(database, now=clock.now()) == [], name

    await use("before")
    clock.advance(timedelta(minutes=5))
    async with database.system() as session:
        await upgrade_user_plan(session, who.person.user_id, "pro", now=clock.now())
    clock.advance(timedelta(seconds=40))  # within the minute of what was spent from memory before
    await use("upgraded")
    for step in (
        timedelta(hours=6),
        timedelta(days=30, hours=17, minutes=58),
        timedelta(minutes=4),
        timedelta(days=31),
    ):
        clock.advance(step)
        await use(str(step))
    assert len(await records(database, who)) >= 3


MARCH = "usage_events_202603"
_TO_MARCH = "FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00')"
# What is planted, what is found of the months, and how it is undone.
_WRONG_MONTHS = {
    "detached": (
        [f"ALTER TABLE usage_events DETACH PARTITION {MARCH}"],
        "detached",
        [f"ALTER TABLE usage_events ATTACH PARTITION {MARCH} {_TO_MARCH}"],
    ),
    "gone": (
        [f"ALTER TABLE usage_events DETACH PARTITION {MARCH}", f"ALTER TABLE {MARCH} RENAME TO elsewhere"],
        "missing",
        [f"ALTER TABLE elsewhere RENAME TO {MARCH}", f"ALTER TABLE usage_events ATTACH PARTITION {MARCH} {_TO_MARCH}"],
    ),
    "of other bounds": (
        [
            "ALTER TABLE usage_events DETACH PARTITION usage_events_202605",
            "ALTER TABLE usage_events ATTACH PARTITION usage_events_202605"
            " FOR VALUES FROM ('2026-06-01 00:00+00') TO ('2026-07-01 00:00+00')",
        ],
        "misnamed",
        [
            "ALTER TABLE usage_events DETACH PARTITION usage_events_202605",
            "ALTER TABLE usage_events ATTACH PARTITION usage_events_202605"
            " FOR VALUES FROM ('2026-05-01 00:00+00') TO ('2026-06-01 00:00+00')",
        ],
    ),
}


async def as_owner(database: Database, statements: list[str]) -> None:
    async with database.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_what_is_wrong_with_a_month_is_found_and_nothing_is_made_up_for_it(
    database: Database, who: Caller
) -> None:
    before = await spent(database, who)
    for what, (plant, fault, undo) in _WRONG_MONTHS.items():
        await as_owner(database, plant)
        first = await compare_all(database, now=NOW)
        assert fault in {finding.fault for finding in first.months}, what
        is_away = fault in ("detached", "missing")
        assert {one.fault for one in first.differences} == ({"events"} if is_away else set()), what
        assert not first.is_explained
        assert await compare_all(database, now=NOW) == first, what
        await as_owner(database, undo)
        second = await compare_all(database, now=NOW)
        assert (second.months, second.differences, second.records) == ([], [], []), what
        assert await spent(database, who) == before, what


async def test_events_in_a_table_that_is_not_their_months_are_found(database: Database, who: Caller) -> None:
    await as_owner(
        database,
        [
            f"ALTER TABLE usage_events DETACH PARTITION {MARCH}",
            "ALTER TABLE usage_events DETACH PARTITION usage_events_202604",
            f"UPDATE {MARCH} SET recorded_at = recorded_at + interval '31 days'"
            f" WHERE id = (SELECT min(id::text)::uuid FROM {MARCH})",
            f"ALTER TABLE usage_events ATTACH PARTITION {MARCH}"
            " FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-05-01 00:00+00')",
        ],
    )
    found = await look_over(database, now=NOW)
    assert found == [Finding("detached", "usage_events_202604"), Finding("misnamed", MARCH)]


_UNREAD = f"""
    ALTER TABLE usage_events DETACH PARTITION {MARCH};
    UPDATE {MARCH} SET recorded_at = recorded_at - interval '31 days'
        WHERE id = (SELECT min(id::text)::uuid FROM {MARCH});
    ALTER TABLE {MARCH} ADD CONSTRAINT believed CHECK (
        recorded_at >= '2026-03-01 00:00+00' AND recorded_at < '2026-04-01 00:00+00'
    ) NOT VALID;
    UPDATE pg_constraint SET convalidated = true WHERE conname = 'believed';
    ALTER TABLE usage_events ATTACH PARTITION {MARCH} {_TO_MARCH};
"""


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="only the superuser of a server of ours may plant it")
async def test_an_event_in_another_months_table_is_found(database: Database, who: Caller) -> None:
    """PostgreSQL refuses it, unless it is made to believe that it has looked."""
    with (
        EmbeddedPostgres(home()).hold() as server,
        psycopg.connect(server.admin_url(database.url.rpartition("/")[2])) as connection,
    ):
        connection.execute(_UNREAD)
    assert await look_over(database, now=NOW) == [Finding("misplaced", MARCH, 1)]


async def test_events_without_a_month_are_said_and_counted(
    client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    await as_owner(
        database,
        [
            "SELECT set_config('feature.scope', 'system', true)",
            f"ALTER TABLE usage_events DETACH PARTITION {MARCH}",
            f"INSERT INTO usage_events SELECT * FROM {MARCH}",
            f"DROP TABLE {MARCH}",
        ],
    )
    compared = await compare_all(database, now=NOW)
    assert [(finding.fault, finding.part) for finding in compared.months] == [("default", MARCH)]
    assert compared.months[0].rows
    assert (compared.differences, compared.records, compared.is_explained) == ([], [], True)
    await as_owner(database, _moving_a_month())
    assert (await compare_all(database, now=NOW)).months == []


def _moving_a_month() -> list[str]:
    """What the operators' document says, literally."""
    document = (REPOSITORY / "docs" / "operations.md").read_text()
    block = document.partition("```sql\nBEGIN;\n")[2].partition("COMMIT;\n```")[0]
    return [statement for statement in block.split(";\n") if statement.strip()]


async def test_what_cannot_be_explained_is_left_alone(database: Database, who: Caller) -> None:
    for statement in (_WRONG["counter raised"][0], _WRONG["event lost"][0]):
        await planted(database, statement, who)
    first = await check(database, now=NOW)
    assert [found.fault for found in first] == ["unexplained"]
    assert await check(database, now=NOW) == first


async def test_an_account_that_somebody_holds_keeps_neither_others_from_repair_nor_itself_for_explained(
    client: httpx.AsyncClient, database: Database
) -> None:
    people = sorted([await customer(database, plan="pro") for _ in range(2)], key=lambda one: one.person.account_id)
    for who in people:
        consumed = {"meter": "jobs", "amount": 3}
        assert (await client.post("/v1/usage/consume", json=consumed, headers=who.headers)).status_code == 200
        await planted(database, _WRONG["counter raised"][0], who)
        await planted(database, _WRONG_RECORDS["calls"], who)
    held, free = people
    async with database.account(held.person.account_id) as session:
        await session.execute(text("SELECT 1 FROM meter_usage FOR UPDATE"))
        compared = await compare_all(database, now=NOW)
    assert [(one.account_id, one.fault) for one in compared.differences] == [
        (held.person.account_id, "unread"),
        (free.person.account_id, "counter"),
    ]
    found = [(one.account_id, one.meter, one.is_repaired) for one in compared.records]
    assert found == [(held.person.account_id, None, False), (free.person.account_id, "api_calls", True)]
    assert not compared.is_explained
    assert await spent(database, free) == (3, 3)
    again = await compare_all(database, now=NOW)
    assert {one.account_id for one in again.differences} == {one.account_id for one in again.records}
    assert [one.account_id for one in again.differences] == [held.person.account_id]
    assert again.is_explained


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
        compared = await compare_all(database, now=NOW)
        assert (compared.months, compared.differences, compared.records) == ([], [], [])
    stop.set()
    await spending
