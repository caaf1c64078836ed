"""Looking on: usage and refusals as they come, of one's own account, without loss, and no longer than one may."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.auth.service.keys_service import create_key
from backend.core.clock import SystemClock
from backend.core.ids import AccountId, uuid7
from backend.db.session import AccountSession, Database
from backend.enforcement import listening as beginning
from backend.enforcement import live, streams
from backend.enforcement.listening import position
from backend.tests.faults.people import customer, service_headers
from backend.tests.http.calls import Caller, bearer, client_of, consume, problem, signed_up
from backend.tests.http.conftest import RunningApp
from backend.tests.http.listeners import LIVE, Listener, events_of, listening
from backend.tests.test_enforcement_denials import denied

_EVENT = text("""
    INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, occurred_at, window_start)
    VALUES (:account_id, :id, :at, 'jobs', :amount, 'consume', :at, :at)
""")


@pytest.fixture
def clock() -> SystemClock:
    """Ids bear the time of the machine, so here the clock goes as it does."""
    return SystemClock()


@pytest.fixture
async def app(running: RunningApp) -> AsyncIterator[FastAPI]:
    async with running(live_stream_seconds=60, rate_limit_allowlist="192.0.2.1") as made:
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database, plan="pro")


async def write(
    session: AccountSession, account_id: AccountId, amount: int = 1, *, ago: timedelta = timedelta(0)
) -> UUID:
    """An event as a spend appends it; `ago` is how long ago."""
    now = SystemClock().now() - ago
    event_id = (
        uuid7() if not ago else UUID(int=int(now.timestamp() * 1_000) << 80 | 7 << 76 | 2 << 62 | uuid4().int >> 70)
    )
    await session.execute(_EVENT, {"account_id": account_id, "id": event_id, "at": now, "amount": amount})
    return event_id


def amounts(listener: Listener) -> list[int]:
    return [said["amount"] for said in listener.of("usage")]


async def spend(client: httpx.AsyncClient, who: Caller, amount: int = 1) -> None:
    assert (await consume(client, who.headers, amount)).status_code == 200


# What is seen


async def test_usage_and_refusals_are_seen_as_they_come(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    await spend(client, who, 2)
    async with listening(app, who.headers) as seen:
        assert seen.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert seen.headers["cache-control"] == "no-store"
        assert seen.headers["x-accel-buffering"] == "no"
        assert "content-length" not in seen.headers
        assert amounts(seen) == [2]
        await spend(client, who, 3)
        refused = problem(await consume(client, who.headers, 600), 402, "quota_exceeded")
        await seen.until(lambda found: found.of("denial"))
        await seen.until(lambda found: len(found.of("usage")) == 2)
        assert amounts(seen) == [2, 3]
        usage = seen.of("usage")[-1]
        assert usage["meter"] == "jobs"
        assert usage["source"] == "consume"
        assert UUID(usage["key_id"])
        assert set(usage) == {
            "id",
            "meter",
            "amount",
            "source",
            "counted",
            "occurred_at",
            "recorded_at",
            "key_id",
        }
        denial = seen.of("denial")[0]
        assert denial["id"] == refused["decision_id"]
        assert (denial["request_id"], denial["code"]) == (refused["request_id"], "quota_exceeded")
        assert (denial["used"], denial["limit"], denial["requested"], denial["count"]) == (5, 500, 600, 1)
        assert "account_id" not in denial
        assert "subject" not in denial
        jobs = {each["meter"]: each for each in seen.of("meters")[-1]["meters"]}["jobs"]
        assert jobs == {"meter": "jobs", "used": 5, "held": 0, "limit": 500, "remaining": 495}
    assert app.state.live.streams == []


async def test_calls_from_memory_grow_under_one_id(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    async with listening(app, who.headers) as seen:
        for _ in range(2):
            for _ in range(3):
                assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
            known = len(seen.of("usage"))
            await seen.until(lambda found, known=known: len(found.of("usage")) > known)

        def sums(found: Listener) -> int:
            return sum({said["id"]: said["amount"] for said in found.of("usage")}.values())

        await seen.until(lambda found: sums(found) == 6)
        names = [name for kind, name, _ in seen.events if kind == "usage"]
        assert len(names) == len(set(names))


async def test_nothing_of_another_account_is_ever_seen(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    who, other = await customer(database), await customer(database)
    async with listening(app, who.headers) as seen, listening(app, other.headers) as theirs:
        await spend(client, other, 3)
        problem(await consume(client, other.headers, 600), 402, "quota_exceeded")
        await theirs.until(lambda found: found.of("denial") and found.of("usage"))
        await spend(client, who, 1)
        await seen.until(lambda found: found.of("usage"))
        assert amounts(seen) == [1]
        assert seen.of("denial") == []
        assert amounts(theirs) == [3]
    async with listening(app, who.headers, last_event_id=theirs.last_id) as again:
        assert amounts(again) == [1]
        assert again.of("denial") == []


async def test_a_host_looks_on_for_an_account(
    app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller
) -> None:
    host = await service_headers(database)
    async with listening(app, host, query=f"account_id={who.account_id}") as seen:
        await spend(client, who, 4)
        await seen.until(lambda found: amounts(found) == [4])
    async with listening(app, host) as refused:
        assert refused.status == 422


async def test_who_begins_sees_the_newest_fifty_of_fifteen_minutes(
    app: FastAPI, database: Database, who: Caller
) -> None:
    async with database.account(who.person.account_id) as session:
        await write(session, who.person.account_id, 999, ago=timedelta(minutes=16))
        for number in range(1, 61):
            await write(session, who.person.account_id, number)
    async with listening(app, who.headers) as seen:
        assert amounts(seen) == list(range(11, 61))
        assert seen.of("gap") == []


# Going on


async def test_who_goes_on_misses_nothing_of_what_concurrent_writers_commit(
    app: FastAPI, database: Database, who: Caller
) -> None:
    account_id, written, stop = who.person.account_id, set(), asyncio.Event()

    async def writer(pause: float) -> None:
        while not stop.is_set():
            async with database.account(account_id) as session:
                event_id = await write(session, account_id)
                await asyncio.sleep(pause)  # others, made later, are committed before
            written.add(str(event_id))

    writers = [asyncio.create_task(writer(pause)) for pause in (0.03, 0.08, 0.4, 1.3)]  # below 500 in all
    seen: set[str] = set()
    last = None
    for _ in range(5):
        async with listening(app, who.headers, last_event_id=last) as part:
            assert part.of("gap") == []
            await asyncio.sleep(0.8)
            seen |= {said["id"] for said in part.of("usage")}
            last = part.last_id if part.of("usage") else last
        await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*writers)
    async with listening(app, who.headers, last_event_id=last) as part:
        assert part.of("gap") == []
        seen |= {said["id"] for said in part.of("usage")}
    assert len(written) > 50
    assert written <= seen


async def test_a_late_commit_is_seen_by_who_looks_on_and_by_who_comes_back(
    app: FastAPI, database: Database, who: Caller
) -> None:
    account_id = who.person.account_id
    async with database.account(account_id) as early:
        late = await write(early, account_id, 1)
        async with database.account(account_id) as session:
            await write(session, account_id, 2)
        async with listening(app, who.headers) as gone:
            assert amounts(gone) == [2]
        async with listening(app, who.headers) as seen:
            await asyncio.sleep(2.5)
            assert amounts(seen) == [2]
            await early.commit()
            await seen.until(lambda found: amounts(found) == [2, 1])
            assert seen.last_id == f"{late}.1"
    async with listening(app, who.headers, last_event_id=gone.last_id) as back:
        assert set(amounts(back)) == {1, 2}


async def test_each_is_sent_once_to_one_who_stays(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    async with listening(app, who.headers) as seen:
        for _ in range(12):
            await spend(client, who)
            await asyncio.sleep(0.2)
        await asyncio.sleep(1.5)
        names = [name for kind, name, _ in seen.events if kind == "usage"]
        assert len(names) == len(set(names)) == 12


async def test_too_much_and_too_old_begin_anew_after_a_gap(
    app: FastAPI, database: Database, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = who.person.account_id
    async with database.account(account_id) as session:
        old = await write(session, account_id, ago=timedelta(minutes=20))
        before = await write(session, account_id, 7, ago=timedelta(minutes=5))
        for number in range(60):
            await write(session, account_id, number + 100, ago=timedelta(minutes=4))
    async with listening(app, who.headers, last_event_id=f"{old}.1") as seen:
        assert seen.events[0] == ("gap", None, {"reason": "too_old"})
        assert len(seen.of("usage")) == 50
    async with listening(app, who.headers, last_event_id=f"{before}.7") as seen:
        assert seen.of("gap") == []
        assert len(seen.of("usage")) == 61
    monkeypatch.setattr(beginning, "MOST_MISSED", 60)
    async with listening(app, who.headers, last_event_id=f"{before}.7") as seen:
        assert seen.events[0] == ("gap", None, {"reason": "too_much"})
        assert len(seen.of("usage")) == 50


HOSTILE = [
    "x",
    b"\0".decode("latin-1"),
    "ÿþ",
    "9" * 8_000,
    "-1",
    str(uuid4()),
    str(UUID(int=0)),
    str(UUID(int=(1 << 128) - 1)),
    "ffffffff-ffff-7fff-bfff-ffffffffffff.9",
    "00000000-0000-7000-8000-000000000000",
    "01920000-0000-7000-8000-00000000000",
    "'; DROP TABLE denials; --",
    "%00",
]


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_position_breaks_anything(app: FastAPI, client: httpx.AsyncClient, who: Caller, given: str) -> None:
    await spend(client, who, 3)
    async with listening(app, who.headers, last_event_id=given) as seen:
        assert seen.status == 200
        assert seen.events[0][0] == "gap"
        assert amounts(seen) == [3]


def test_an_empty_position_is_none() -> None:
    now = SystemClock().now()
    assert position(None, now) is position("", now) is None
    found = position(f"{uuid7()}.12", now)
    assert found is not None
    assert abs(found - now) < timedelta(seconds=5)


# One who does not read


async def test_a_slow_reader_loses_the_oldest_and_is_told(
    app: FastAPI, database: Database, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_WAITING", 10)
    account_id = who.person.account_id
    async with listening(app, who.headers) as slow, listening(app, who.headers) as quick:
        slow.reads.clear()
        for number in range(1, 41):
            async with database.account(account_id) as session:
                await write(session, account_id, number)
            if number % 8 == 0:
                await quick.until(lambda found, number=number: number in amounts(found))
        slow.reads.set()
        await slow.until(lambda found: 40 in amounts(found))
        assert slow.of("gap") == [{"reason": "too_slow"}]
        assert amounts(slow)[-10:] == list(range(31, 41))
        assert amounts(quick) == list(range(1, 41))
        assert quick.of("gap") == []


async def test_more_than_a_look_can_read_is_a_gap(
    app: FastAPI, database: Database, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MOST_ROWS", 20)
    async with listening(app, who.headers) as seen:
        async with database.account(who.person.account_id) as session:
            for number in range(1, 41):
                await write(session, who.person.account_id, number)
        await seen.until(lambda found: 40 in amounts(found))
        assert seen.of("gap") == [{"reason": "too_slow"}]
        assert amounts(seen) == list(range(21, 41))


# How many, and how long


async def test_one_look_serves_all(app: FastAPI, client: httpx.AsyncClient, database: Database, who: Caller) -> None:
    other = await customer(database)
    looked = []
    found, look = app.state.live, app.state.live._look

    async def counting() -> None:
        looked.append(1)
        await look()

    async with listening(app, who.headers), listening(app, who.headers), listening(app, other.headers):
        found._look = counting
        await asyncio.sleep(2.6)
        assert 2 <= len(looked) <= 3
        assert app.state.database.engine.pool.checkedout() == 0
    await asyncio.sleep(1.5)
    assert found._looking.task.done()


async def test_five_of_an_account_and_so_many_of_a_process(
    app: FastAPI, database: Database, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await customer(database)
    monkeypatch.setattr(live, "MOST_OF_PROCESS", 6)
    async with listening(app, who.headers), listening(app, who.headers), listening(app, who.headers):
        async with listening(app, who.headers), listening(app, who.headers) as fifth:
            assert fifth.status == 200
            async with listening(app, who.headers) as sixth:
                assert sixth.status == 429
                refused = json.loads(sixth.text)
                assert (refused["code"], refused["limit"]) == ("concurrency_limited", 5)
            async with listening(app, other.headers) as another:
                assert another.status == 200
                async with listening(app, other.headers) as over:
                    assert over.status == 503
                    assert over.headers["retry-after"] == "5"
        async with listening(app, who.headers) as again:
            assert again.status == 200


async def test_it_ends_by_itself_and_says_so(running: RunningApp, who: Caller) -> None:
    async with running(live_stream_seconds=0.5) as app, listening(app, who.headers) as seen:
        await seen.until(lambda found: found.is_over, 3)
        assert seen.text.startswith("retry: ")
        assert seen.text.endswith(": bye\n\n")


async def test_a_quiet_one_hears_that_somebody_is_still_there(
    app: FastAPI, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 0.2)
    async with listening(app, who.headers) as seen:
        await seen.until(lambda found: found.of(":").count("still here") >= 3, 3)


async def ended_by(app: FastAPI, database: Database, headers: dict[str, str], statement: str, **values: Any) -> None:
    async with listening(app, headers) as seen:
        assert seen.status == 200
        async with database.system() as session:
            await session.execute(text(statement), values)
        await seen.until(lambda found: found.is_over, 2.5)
        assert seen.text.endswith(": bye\n\n")
    async with listening(app, headers) as refused:
        assert refused.status in {401, 403}


async def test_a_revoked_key_sees_no_more(app: FastAPI, database: Database, who: Caller) -> None:
    raised = "WITH r AS (UPDATE api_keys SET revoked_at = now() WHERE account_id = :id)"
    await ended_by(
        app,
        database,
        who.headers,
        f"{raised} UPDATE accounts SET version = version + 1 WHERE id = :id",
        id=who.person.account_id,
    )


async def test_a_suspended_account_sees_no_more(app: FastAPI, database: Database, who: Caller) -> None:
    statement = "UPDATE accounts SET status = 'suspended', version = version + 1 WHERE id = :id"
    await ended_by(app, database, who.headers, statement, id=who.person.account_id)


async def test_a_revoked_key_of_a_host_sees_no_more(app: FastAPI, database: Database, who: Caller) -> None:
    async with database.system() as session:
        made = await create_key(
            session, name="h", account_id=None, user_id=None, scopes=("usage:read",), now=SystemClock().now()
        )
    headers = bearer(made.key)
    async with listening(app, headers, query=f"account_id={who.account_id}") as seen:
        async with database.system() as session:
            await session.execute(text("UPDATE api_keys SET revoked_at = now() WHERE kind = 'service'"))
        await seen.until(lambda found: found.is_over, 2.5)


async def test_who_signs_out_sees_no_more_and_others_do(app: FastAPI, client: httpx.AsyncClient) -> None:
    pair = await signed_up(client, "ada@example.com")
    headers = bearer(pair["access_token"])
    again = await client.post(
        "/v1/auth/login", json={"email": "ada@example.com", "password": "a long walk to the lighthouse"}
    )
    async with listening(app, headers) as seen, listening(app, bearer(again.json()["access_token"])) as other:
        assert (await client.post("/v1/auth/logout", headers=headers)).status_code == 200
        await seen.until(lambda found: found.is_over, 2.5)
        await asyncio.sleep(1.2)
        assert not other.is_over


async def test_who_is_gone_is_forgotten(app: FastAPI, who: Caller) -> None:
    async with listening(app, who.headers) as seen:
        assert len(app.state.live.streams) == 1
        seen.leave()
    assert app.state.live.streams == []


async def test_a_database_that_goes_away_ends_nothing_and_nothing_is_lost(
    app: FastAPI, client: httpx.AsyncClient, who: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, nowhere = app.state.live, Database("postgresql://nobody:x@127.0.0.1:1/nothing")
    async with listening(app, who.headers) as seen:
        there = found._database
        monkeypatch.setattr(found, "_database", nowhere)
        await spend(client, who, 3)
        await asyncio.sleep(1.5)
        assert not seen.is_over
        assert seen.of("usage") == []
        monkeypatch.setattr(found, "_database", there)
        await seen.until(lambda found: amounts(found) == [3])
    await nowhere.close()


async def test_a_process_that_ends_takes_no_new_ones(app: FastAPI, who: Caller) -> None:
    async with listening(app, who.headers) as seen:
        app.state.live.end()
        await seen.until(lambda found: found.is_over, 0.5)
        assert seen.text.endswith(": bye\n\n")
    async with listening(app, who.headers) as refused:
        assert refused.status == 503


async def test_refusals_of_one_second_come_as_one(app: FastAPI, database: Database, who: Caller) -> None:
    async with listening(app, who.headers) as seen:
        for number in range(1_000):
            app.state.denials.note(
                "k", uuid7(), f"r{number}", SystemClock().now(), lambda: denied(who.person.account_id)
            )
        await seen.until(lambda found: found.of("denial"))
        assert [said["count"] for said in seen.of("denial")] == [1_000]


def test_a_stream_is_read_as_the_standard_says() -> None:
    assert events_of("retry: 2\n\nevent: a\nid: 1\ndata: {}\n\n: x\n\n") == [("a", "1", {}), (":", None, "x")]


async def test_it_costs_no_calls(app: FastAPI, client: httpx.AsyncClient, who: Caller) -> None:
    async with listening(app, who.headers):
        found = (await client.get("/v1/subscription/usage", headers=who.headers)).json()
    assert {item["meter"]: item["used"] for item in found["meters"]}["api_calls"] == 0
    answer = await client.get(LIVE)
    problem(answer, 401, "unauthenticated")
