"""Reported usage over HTTP: each event once, a bad one by itself, in the window in which it took place."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.http.calls import Caller, Headers, customer, problem, scoped_key, service_key, spent, table_counts
from backend.tests.moments import NOW
from backend.usage.model import Identity

EVENTS = "/v1/usage/events"


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database, plan="pro")


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "usage:write")


def event(who: Caller, id_: str = "e1", **changes: Any) -> dict[str, Any]:
    return {"id": id_, "meter": "jobs", "amount": 1, "account_id": who.account_id, **changes}


async def report(client: httpx.AsyncClient, host: Headers, *events: Any) -> httpx.Response:
    return await client.post(EVENTS, json={"events": list(events)}, headers=host)


def statuses(answer: httpx.Response) -> list[tuple[str | None, str, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(item["id"], item["status"], item["code"]) for item in answer.json()["items"]]


async def windows(database: Database, who: Caller, meter: str) -> dict[datetime, int]:
    async with database.read(who.person.account_id) as session:
        rows = await session.execute(
            text("SELECT window_start, used FROM meter_usage WHERE meter = :meter AND used <> 0"), {"meter": meter}
        )
        return {row.window_start: row.used for row in rows}


async def test_events_are_counted_once_and_bad_ones_stand_alone(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    first = await report(
        client,
        host,
        event(who, "a", amount=3),
        event(who, "b", meter="unheard"),
        event(who, "c", amount=0),
        event(who, "a", amount=3),
        event(who, "a", amount=4),
        {"id": "d"},
        "nonsense",
        event(who, "e", account_id="external:nobody"),
        event(who, "f", timestamp=(NOW - timedelta(days=36)).isoformat()),
        event(who, "g", timestamp=(NOW + timedelta(minutes=6)).isoformat()),
        event(who, "h", timestamp=2),
        event(who, "i", amount=2),
    )
    assert statuses(first) == [
        ("a", "accepted", None),
        ("b", "rejected", "meter_unknown"),
        ("c", "rejected", "invalid_input"),
        ("a", "duplicate", None),
        ("a", "rejected", "idempotency_conflict"),
        ("d", "rejected", "invalid_input"),
        (None, "rejected", "invalid_input"),
        ("e", "rejected", "account_unknown"),
        ("f", "rejected", "timestamp_too_old"),
        ("g", "rejected", "timestamp_too_new"),
        ("h", "rejected", "invalid_input"),
        ("i", "accepted", None),
    ]
    assert await spent(database, who) == (5, 5)
    again = await report(client, host, event(who, "a", amount=3), event(who, "i", amount=2))
    assert [status for _, status, _ in statuses(again)] == ["duplicate", "duplicate"]
    assert await spent(database, who) == (5, 5)


_BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"amount": 0}, 422, "invalid_input"),
    ({"amount": -1}, 422, "invalid_input"),
    ({"amount": 10**30}, 422, "invalid_input"),
    ({"amount": True}, 422, "invalid_input"),
    ({"amount": "1"}, 422, "invalid_input"),
    ({"meter": "unheard"}, 422, "meter_unknown"),
    ({"operation": "set"}, 422, "invalid_input"),
    ({"account_id": "0" * 32}, 404, "account_unknown"),
    ({"timestamp": "2026-02-30T00:00:00Z"}, 422, "invalid_input"),
    ({"timestamp": "2026-03-10T00:00:00"}, 422, "invalid_input"),
    ({"timestamp": "9999-12-31T23:59:59.999999+00:00"}, 422, "timestamp_too_new"),
    ({"timestamp": "0001-01-01T00:00:00+14:00"}, 422, "timestamp_too_old"),
    ({"id": ""}, 422, "invalid_input"),
    ({"id": "x" * 256}, 422, "invalid_input"),
    ({"surprise": 1}, 422, "invalid_input"),
]


async def test_one_bad_event_answers_with_its_error_and_changes_nothing(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    before = await table_counts(database)
    for changes, status, code in _BAD:
        found = problem(await report(client, host, event(who, **changes)), status, code)
        assert [item["status"] for item in found["items"]] == ["rejected"]
    assert await table_counts(database) == before


async def test_what_is_no_list_of_events_is_refused(client: httpx.AsyncClient, host: Headers) -> None:
    bodies: list[Any] = [{}, {"events": []}, {"events": {}}, {"events": [{}] * 1_001}, {"events": [{}], "x": 1}]
    for body in bodies:
        problem(await client.post(EVENTS, json=body, headers=host), 422, "invalid_input")


async def test_only_hosts_report(client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    reading = await service_key(database, "usage:read")
    for headers in (who.headers, await scoped_key(database, who, "usage:write"), reading):
        problem(await report(client, headers, event(who)), 403, "scope_missing")
    problem(await report(client, {}, event(who)), 401, "unauthenticated")
    assert await spent(database, who) == (0, 0)


async def test_the_same_id_of_two_accounts_is_two_events(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    other = await customer(database)
    assert Counter(status for _, status, _ in statuses(await report(client, host, event(who), event(other)))) == {
        "accepted": 2
    }
    assert (await spent(database, who), await spent(database, other)) == ((1, 1), (1, 1))


async def test_a_thousand_at_once_of_one_id_are_one_event(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    async def insist(number: int) -> httpx.Response:
        """A busy server may ask to come again; whether it has counted is then not known, so the same is sent again."""
        while True:
            answer = await report(client, host, event(who, "same"), event(who, f"n{number}"))
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(float(answer.headers["retry-after"]))

    answers = await asyncio.gather(*(insist(number) for number in range(1_000)))
    found = [{id_: status for id_, status, _ in statuses(answer)} for answer in answers]
    assert Counter(each["same"] for each in found) == {"accepted": 1, "duplicate": 999}
    assert await spent(database, who) == (1_001, 1_001)


async def test_facts_pass_a_limit_and_admissions_after_them_do_not(
    client: httpx.AsyncClient, database: Database, host: Headers
) -> None:
    free = await customer(database)
    assert statuses(await report(client, host, event(free, amount=25)))[0][1] == "accepted"
    refused = await client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1}, headers=free.headers)
    found = problem(refused, 402, "quota_exceeded")
    assert found["used"] == 25
    usage = (await client.get("/v1/subscription/usage", headers=free.headers)).json()
    jobs = next(meter for meter in usage["meters"] if meter["meter"] == "jobs")
    assert (jobs["used"], jobs["remaining"]) == (25, 0)


async def test_a_late_event_lands_in_its_own_day_and_one_of_a_closed_period_in_the_present_one(
    client: httpx.AsyncClient, database: Database, host: Headers
) -> None:
    who = await customer(database, plan="pro", now=NOW)  # its period begins now
    midnight = NOW.replace(hour=0)
    moments = [NOW + timedelta(minutes=4), NOW, NOW - timedelta(microseconds=1), NOW - timedelta(days=3)]
    answer = await report(
        client,
        host,
        *(
            event(who, f"{number}", meter="api_calls", amount=10**number, timestamp=moment.isoformat())
            for number, moment in enumerate(moments)
        ),
    )
    assert {status for _, status, _ in statuses(answer)} == {"accepted"}
    assert await windows(database, who, "api_calls") == {midnight: 1_111}


async def test_levels_are_added_to_and_set(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    answer = await report(
        client,
        host,
        event(who, "1", meter="storage", amount=500),
        event(who, "2", meter="storage", amount=-200),
        event(who, "3", meter="storage", amount=1_000, operation="set"),
        event(who, "4", meter="storage", amount=-5_000),
        event(who, "5", meter="storage", amount=70),
        event(who, "3", meter="storage", amount=1_000, operation="set"),
        event(who, "3", meter="storage", amount=1_000),
    )
    assert [status for _, status, _ in statuses(answer)] == ["accepted"] * 5 + ["duplicate", "rejected"]
    assert await spent(database, who, "storage") == (70, 70)


async def test_cloud_events_are_read_too(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    one = {
        "specversion": "1.0",
        "id": "1",
        "source": "/workers/7",
        "type": "jobs",
        "subject": who.account_id,
        "time": NOW.isoformat(),
        "datacontenttype": "application/json",
        "traceparent": "00-1-2-3",
        "data": {"amount": 2, "model": "large"},
    }
    media = {"Content-Type": "application/cloudevents+json"}
    answer = await client.post(EVENTS, json=one, headers={**host, **media})
    assert statuses(answer) == [("/workers/7#1", "accepted", None)]
    batch = [one, {**one, "source": "/workers/8"}, {**one, "id": "2", "data": {}}, {**one, "specversion": "0.3"}]
    media = {"Content-Type": "application/cloudevents-batch+json"}
    answer = await client.post(EVENTS, json=batch, headers={**host, **media})
    assert [status for _, status, _ in statuses(answer)] == ["duplicate", "accepted", "accepted", "rejected"]
    assert await spent(database, who) == (5, 5)
    async with database.read(who.person.account_id) as session:
        kept = await session.scalars(text("SELECT properties FROM usage_events WHERE properties IS NOT NULL"))
        assert {"model": "large"} in kept.all()


async def test_consuming_what_was_reported_says_how_the_counter_stands(
    client: httpx.AsyncClient, who: Caller, host: Headers
) -> None:
    assert statuses(await report(client, host, event(who, "k"))) == [("k", "accepted", None)]
    again = await client.post(
        "/v1/usage/consume", json={"meter": "jobs", "amount": 1, "idempotency_key": "k"}, headers=who.headers
    )
    assert (again.status_code, again.json()["allowed"], again.json()["used"]) == (200, True, 1)
    other = await client.post(
        "/v1/usage/consume", json={"meter": "jobs", "amount": 2, "idempotency_key": "k"}, headers=who.headers
    )
    problem(other, 409, "idempotency_conflict")


async def test_what_is_decided_after_an_identity_that_another_process_takes_is_decided_anew(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    """A level is set after an amount that turns out to be a repetition; that one must not count in what is set."""
    level = {"meter": "storage", "operation": "add"}
    assert statuses(await report(client, host, event(who, "begin", **level, amount=1_000)))[0][1] == "accepted"
    identity = Identity.of(who.person.account_id, "a", {"meter": "storage", "amount": 100, "properties": None})
    async with database.system() as session:
        await session.execute(
            text(
                "INSERT INTO usage_event_keys (digest, account_id, content_hash, event_id, recorded_at)"
                " VALUES (:digest, :account_id, :content_hash, gen_random_uuid(), now())"
            ),
            {"digest": identity.digest, "account_id": who.person.account_id, "content_hash": identity.content_hash},
        )
        facts = [
            event(who, "a", **level, amount=100),
            event(who, "b", meter="storage", operation="set", amount=500),
            event(who, "c", **level, amount=-200),
        ]
        reported = asyncio.create_task(report(client, host, *facts))
        await asyncio.sleep(0.3)  # it waits for the end of this transaction
        assert not reported.done()
    assert statuses(await reported) == [("a", "duplicate", None), ("b", "accepted", None), ("c", "accepted", None)]
    assert await spent(database, who, "storage") == (300, 300)


async def test_one_identity_that_is_taken_spoils_no_others_request(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    """The level would fall below nothing without what is taken: others of the batch are answered all the same."""
    other = await customer(database)
    identity = Identity.of(who.person.account_id, "a", {"meter": "storage", "amount": 100, "properties": None})
    async with database.system() as session:
        await session.execute(
            text(
                "INSERT INTO usage_event_keys (digest, account_id, content_hash, event_id, recorded_at)"
                " VALUES (:digest, :account_id, :content_hash, gen_random_uuid(), now())"
            ),
            {"digest": identity.digest, "account_id": who.person.account_id, "content_hash": identity.content_hash},
        )
        both = [event(who, "a", meter="storage", amount=100), event(who, "b", meter="storage", amount=-100)]
        calls = [asyncio.create_task(report(client, host, *both))]
        calls += [asyncio.create_task(report(client, host, event(other, f"o{number}"))) for number in range(3)]
        await asyncio.sleep(0.3)
    answers = await asyncio.gather(*calls)
    assert [status for _, status, _ in statuses(answers[0])] == ["duplicate", "accepted"]
    assert [statuses(answer)[0][1] for answer in answers[1:]] == ["accepted"] * 3
    assert (await spent(database, who, "storage"), await spent(database, other)) == ((0, 0), (3, 3))


CLOUD = "application/cloudevents+json"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data_base64": "eyJhbW91bnQiOiA1MH0="}, "base64"),
        ({"time": "yesterday"}, "such as 2026-11-25T12:00:00Z"),
        ({"time": "2026-03-10T12:00:00"}, "such as 2026-11-25T12:00:00Z"),
        ({"datacontenttype": "text/plain"}, "datacontenttype"),
    ],
)
async def test_a_cloud_event_that_cannot_be_read_is_refused_in_words(
    client: httpx.AsyncClient, who: Caller, host: Headers, changes: dict[str, Any], said: str
) -> None:
    body = {"specversion": "1.0", "id": "1", "source": "/x", "type": "jobs", "subject": who.account_id, **changes}
    answer = await client.post(EVENTS, json=body, headers={**host, "Content-Type": CLOUD})
    assert said in problem(answer, 422, "invalid_input")["detail"]


async def test_no_two_cloud_events_of_different_sources_are_one(
    client: httpx.AsyncClient, database: Database, who: Caller, host: Headers
) -> None:
    pairs = [("/x#y", "z"), ("/x", "y#z"), ("/x%23y", "z")]
    for source, id_ in pairs:
        body = {"specversion": "1.0", "id": id_, "source": source, "type": "jobs", "subject": who.account_id}
        body["datacontenttype"] = "application/json; charset=utf-8"
        answer = await client.post(EVENTS, json=body, headers={**host, "Content-Type": CLOUD})
        assert statuses(answer)[0][1] == "accepted"
    assert await spent(database, who) == (3, 3)


async def test_whoever_reads_makes_no_account(client: httpx.AsyncClient, database: Database) -> None:
    host = await service_key(database, "usage:read", "usage:write", "accounts:create")
    since = "from=2026-03-01&"
    for path in (f"/v1/usage/series?meter=jobs&{since}", "/v1/usage/notices?", f"/v1/usage/export.csv?{since}"):
        problem(await client.get(f"{path}account_id=external:typo", headers=host), 404, "account_unknown")
    used = await client.post(
        "/v1/usage/consume", json={"meter": "jobs", "amount": 1, "account_id": "external:new"}, headers=host
    )
    assert used.json()["used"] == 1
