"""Events taken back and corrected: where it is counted, what cannot be, and what a correction may say."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Caller, Headers, customer, problem, service_key, spent
from backend.tests.http.test_events_http import event, report, statuses, windows
from backend.tests.http.test_series_http import ago, retract, used
from backend.tests.moments import NOW
from backend.usage.integrity import check
from backend.usage.records import check_records


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database, plan="pro", now=NOW - timedelta(days=10))


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:write")


async def uncounted(database: Database, who: Caller) -> list[int]:
    async with database.read(who.person.account_id) as session:
        rows = await session.scalars(text("SELECT amount FROM usage_events WHERE NOT counted ORDER BY id"))
        return list(rows.all())


async def test_taking_back_more_than_a_period_has_left_is_shown_and_not_counted(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "late", amount=5))
    clock.advance(timedelta(days=31))
    await report(client, host, event(who, "present", amount=2))
    answer = await retract(client, host, who, "late")
    assert (answer.json()["amount_before"], answer.json()["counted"]) == (5, -2)
    assert await uncounted(database, who) == [-3]
    assert (await used(client, who), await spent(database, who)) == (0, (5, 5))
    assert (await retract(client, host, who, "late")).json()["counted"] == 0
    # What was not counted on the way down is not counted on the way up either.
    assert (await retract(client, host, who, "late", "correct", amount=2)).json()["counted"] == 0
    assert (await retract(client, host, who, "late", "correct", amount=5)).json()["counted"] == 2
    assert await uncounted(database, who) == [-3, 2, 1]
    assert (await used(client, who), await spent(database, who)) == (2, (7, 7))
    assert await check(database, now=clock.now()) == []
    assert await check_records(database, now=clock.now()) == []


async def test_what_is_retracted_from_a_closed_period_and_corrected_again_counts_once(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, who: Caller, host: Headers
) -> None:
    await report(client, host, event(who, "late", amount=5))
    clock.advance(timedelta(days=31))
    for amount, before, counted, total in ((0, 5, 0, 5), (5, 0, 0, 5), (8, 5, 3, 8), (0, 8, -3, 5), (6, 0, 1, 6)):
        answer = await retract(client, host, who, "late", "correct", amount=amount)
        assert answer.json() == {
            "id": "late",
            "meter": "jobs",
            "amount_before": before,
            "amount": amount,
            "counted": counted,
        }
        assert await spent(database, who) == (total, total)
    assert await uncounted(database, who) == [-5, 5, -5, 5]


async def test_a_level_is_taken_back_to_nothing_at_most_and_comes_back_as_far(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(
        client,
        host,
        event(who, "up", meter="storage", amount=500),
        event(who, "down", meter="storage", amount=-400),
    )
    assert (await retract(client, host, who, "up")).json()["counted"] == -100
    assert (await retract(client, host, who, "up", "correct", amount=450)).json()["counted"] == 50
    assert await spent(database, who, "storage") == (50, 50)


async def test_a_correction_reaches_the_part_of_a_day_in_which_the_period_began(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers
) -> None:
    who = await customer(database, plan="pro", now=NOW)  # at 12:00
    calls = {"meter": "api_calls", "amount": 7}
    await report(
        client,
        host,
        event(who, "in it", **calls),
        event(who, "before it and reported in it", **calls, timestamp=ago(hours=1)),
        event(who, "long before it", **calls, timestamp=ago(days=3)),
    )
    clock.advance(timedelta(days=2))
    await report(client, host, event(who, "later", **calls))
    first, later = NOW.replace(hour=0), NOW.replace(hour=0) + timedelta(days=2)
    for left, id_ in ((14, "in it"), (7, "before it and reported in it"), (0, "long before it")):
        assert (await retract(client, host, who, id_)).json()["counted"] == -7
        assert await windows(database, who, "api_calls") == {later: 7} | ({first: left} if left else {})
    assert await check_records(database, now=clock.now()) == []


async def test_a_correction_of_a_closed_period_spares_the_day_in_which_that_ended(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers
) -> None:
    who = await customer(database, plan="pro", now=NOW - timedelta(days=28))  # a period ends at 12:00
    clock.set(NOW - timedelta(hours=1))
    calls = {"meter": "api_calls", "amount": 7}
    await report(client, host, event(who, "closed", **calls, timestamp=ago(hours=1)))
    clock.set(NOW + timedelta(days=2))
    await report(client, host, event(who, "present", **{**calls, "amount": 3}))
    assert (await retract(client, host, who, "closed")).json()["counted"] == -3
    assert await windows(database, who, "api_calls") == {NOW.replace(hour=0): 7}
    assert await uncounted(database, who) == [-4]
    assert await check_records(database, now=clock.now()) == []


async def test_what_was_counted_ahead_is_taken_from_the_next_period(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers
) -> None:
    who = await customer(database, plan="pro", now=NOW - timedelta(days=28))
    clock.set(NOW - timedelta(minutes=3))
    await report(client, host, event(who, "present", amount=4), event(who, "ahead", amount=7, timestamp=ago(days=0)))
    assert (await retract(client, host, who, "ahead", "correct", amount=2)).json()["counted"] == -5
    assert await windows(database, who, "jobs") == {NOW - timedelta(days=28): 4, NOW: 2}
    assert await check_records(database, now=NOW) == []


async def test_no_one_is_shown_that_they_used_less_than_nothing(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers
) -> None:
    who = await customer(database, plan="pro", now=NOW - timedelta(days=28))  # a period ends at 12:00
    clock.set(NOW - timedelta(hours=1))
    await report(client, host, event(who, "a", meter="api_calls", amount=7))
    clock.set(NOW + timedelta(hours=1))
    await report(client, host, event(who, "b", meter="api_calls", amount=2))
    assert (await retract(client, host, who, "a")).json()["counted"] == -7
    shown = (await client.get("/v1/subscription/usage", headers=who.headers)).json()
    assert shown["usage"]["api_calls"] == 0
    async with database.read(who.person.account_id) as session:
        recorded = await session.scalars(text("SELECT api_calls FROM user_usage ORDER BY period_start"))
        assert recorded.all() == [7, -5]
    assert await check_records(database, now=clock.now()) == []


async def test_what_a_correction_says_must_mean_something_for_the_meter(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    await report(
        client,
        host,
        event(who, "count", amount=5),
        event(who, "level", meter="storage", amount=400, properties={"of": ["a", 1.5, None, {"b": "é"}]}),
        event(who, "set", meter="storage", amount=500, operation="set"),
        event(who, "cut", meter="storage", amount=-900),
        event(who, "again", meter="storage", amount=300, properties={}),
    )
    body = {"meter": "storage", "amount": 60, "idempotency_key": "spent"}
    assert (await client.post("/v1/usage/consume", json=body, headers=who.headers)).status_code == 200
    problem(await retract(client, host, who, "count", "correct", amount=-40), 422, "invalid_input")
    for id_ in ("set", "cut"):
        problem(await retract(client, host, who, id_, "correct", amount=450), 409, "amount_unknown")
    assert (await spent(database, who), await spent(database, who, "storage")) == ((5, 5), (360, 360))
    for id_, amount, counted in (("level", 350, -50), ("again", -20, -310), ("spent", 70, 10), ("set", 0, -10)):
        assert (await retract(client, host, who, id_, "correct", amount=amount)).json()["counted"] == counted
    assert await spent(database, who, "storage") == (0, 0)


async def test_reports_of_a_suspended_account_can_be_taken_back(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    async with database.system() as session:
        await session.execute(
            text("UPDATE accounts SET status = 'suspended', version = version + 1 WHERE id = :id"),
            {"id": who.person.account_id},
        )
    assert statuses(await report(client, host, event(who, "a", amount=5))) == [("a", "accepted", None)]
    assert (await retract(client, host, who, "a", "correct", amount=3)).json()["counted"] == -2
    assert (await retract(client, host, who, "a")).json()["counted"] == -3
    assert await spent(database, who) == (0, 0)
