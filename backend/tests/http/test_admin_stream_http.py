"""Operators look on: refusals of everybody and what was done, as it comes, bounded, and no longer than they may."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.admin import happenings, watching
from backend.core.clock import SystemClock
from backend.core.ids import AccountId, uuid7
from backend.db.audit import COMMAND, Target, record
from backend.db.session import Database
from backend.tests.faults.people import customer
from backend.tests.http.calls import Headers, client_of, problem
from backend.tests.http.conftest import RunningApp
from backend.tests.http.listeners import Listener, listening
from backend.tests.http.test_admin_http import Somebody, somebody
from backend.tests.test_enforcement_denials import denied

STREAM = "/v1/admin/stream"
_WITH_FACTOR = text("""
    INSERT INTO totp_secrets (user_id, secret, last_step, confirmed_at) VALUES (:id, 'a.secret', 0, now())
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
async def admin(client: httpx.AsyncClient, database: Database) -> Somebody:
    return await somebody(client, database, "ada", "admin")


def looks_on(app: FastAPI, headers: Headers, **given: Any) -> Any:
    return listening(app, headers, path=STREAM, **given)


def refuse(app: FastAPI, account_id: AccountId, *, code: str = "quota_exceeded", number: int = 1) -> list[UUID]:
    """Refusals that are all of another kind."""
    ids = [uuid7() for _ in range(number)]
    for each in ids:
        app.state.denials.note(each, each, f"r-{each}", SystemClock().now(), lambda: denied(account_id, code))
    return ids


async def act(database: Database, action: str = "user.lock", **details: Any) -> UUID:
    async with database.system() as session:
        return record(session, COMMAND, action, Target("user", uuid4()), now=SystemClock().now(), **details)


def ids(listener: Listener, kind: str = "denial") -> list[str]:
    return [said["id"] for said in listener.of(kind)]


async def test_refusals_of_all_and_acts_are_seen_as_they_come(
    app: FastAPI, client: httpx.AsyncClient, database: Database, admin: Somebody
) -> None:
    one, other = await customer(database), await customer(database)
    (before,) = refuse(app, one.person.account_id)
    await app.state.denials.flush()
    async with looks_on(app, admin.headers) as seen:
        assert seen.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert seen.headers["cache-control"] == "no-store"
        await seen.until(lambda found: found.of("denial"))
        assert ids(seen) == [str(before)]
        (after,) = refuse(app, other.person.account_id)
        await seen.until(lambda found: len(found.of("denial")) == 2)
        assert ids(seen) == [str(before), str(after)]
        denial = seen.of("denial")[-1]
        assert denial["account_id"] == str(other.person.account_id)
        assert denial["user_id"] == str(other.person.user_id)
        assert denial["account_name"]
        assert denial["request_id"] == f"r-{after}"
        assert "subject" not in denial
        assert "key_id" not in denial
        reason = "<script>alert(1)</script>\n\nevent: denial"
        answer = await client.post(
            f"/v1/admin/users/{one.person.user_id}/lock", json={"reason": reason}, headers=admin.headers
        )
        assert answer.status_code == 200
        await seen.until(lambda found: any(said["action"] == "user.lock" for said in found.of("act")))
        done = seen.of("act")[-1]
        assert (done["action"], done["reason"], done["actor_email"]) == ("user.lock", reason, admin.email)
        assert done["target_id"] == str(one.person.user_id)
        assert "before" not in done
        assert len(ids(seen)) == len(set(ids(seen)))
    assert app.state.watching._streams == set()


async def test_only_who_reads_the_log_sees_acts(
    app: FastAPI, client: httpx.AsyncClient, database: Database, admin: Somebody
) -> None:
    support = await somebody(client, database, "sue", "support")
    who = await customer(database)
    async with looks_on(app, support.headers) as seen, looks_on(app, admin.headers) as all_of_it:
        await act(database)
        await all_of_it.until(lambda found: found.of("act"))
        refuse(app, who.person.account_id)
        await seen.until(lambda found: found.of("denial"))
        assert seen.of("act") == []
    answer = await client.get(STREAM, params={"only": "act"}, headers=support.headers)
    problem(answer, 403, "permission_missing")


async def test_what_is_wanted_is_chosen(app: FastAPI, database: Database, admin: Somebody) -> None:
    one, other = await customer(database), await customer(database)
    mine = f"account_id={one.account_id}"
    async with (
        looks_on(app, admin.headers, query=mine) as of_one,
        looks_on(app, admin.headers, query="code=rate_limited") as by_code,
        looks_on(app, admin.headers, query="only=act") as acts,
    ):
        (first,) = refuse(app, one.person.account_id)
        (second,) = refuse(app, other.person.account_id, code="rate_limited")
        await act(database, "user.unlock")
        await acts.until(lambda found: found.of("act"))
        await by_code.until(lambda found: found.of("denial"))
        await of_one.until(lambda found: found.of("denial"))
        assert ids(of_one) == [str(first)]
        assert ids(by_code) == [str(second)]
        assert ids(acts) == []
        assert of_one.of("act") == by_code.of("act") == []
    async with looks_on(app, admin.headers, query=mine) as again:
        await again.until(lambda found: found.of("denial"))
        assert ids(again) == [str(first)]


async def test_of_many_the_newest_are_told_and_the_rest_is_counted(
    app: FastAPI, database: Database, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await customer(database)
    monkeypatch.setattr(watching, "MOST_TOLD", 10)
    async with looks_on(app, admin.headers) as seen:
        many = refuse(app, who.person.account_id, number=40)
        await app.state.denials.flush()
        await seen.until(lambda found: found.of("left_out"))
        assert seen.of("left_out") == [{"count": 30, "is_exact": True}]
        assert ids(seen) == [str(each) for each in many[-10:]]
        monkeypatch.setattr(watching, "MOST_READ", 20)
        refuse(app, who.person.account_id, number=40)
        await app.state.denials.flush()
        await seen.until(lambda found: len(found.of("left_out")) == 2)
        assert seen.of("left_out")[-1] == {"count": 10, "is_exact": False}


async def test_who_goes_on_misses_nothing_and_a_longer_absence_is_a_gap(
    app: FastAPI, database: Database, admin: Somebody
) -> None:
    who = await customer(database)
    refuse(app, who.person.account_id)
    await app.state.denials.flush()
    async with looks_on(app, admin.headers) as seen:
        await seen.until(lambda found: found.of("denial"))
        last = seen.last_id
    later = refuse(app, who.person.account_id, number=3)
    await app.state.denials.flush()
    async with looks_on(app, admin.headers, last_event_id=last) as back:
        await back.until(lambda found: len(found.of("denial")) >= 3)
        assert ids(back)[-3:] == [str(each) for each in later]
        assert back.of("gap") == []
    for given in ("x", str(UUID(int=0)), "00000000-0000-7000-8000-000000000000", "ÿ" * 50):
        async with looks_on(app, admin.headers, last_event_id=given) as lost:
            assert lost.status == 200
            await lost.until(lambda found: found.of("gap"))
            assert lost.of("gap") == [{"reason": "too_much"}]


@pytest.mark.parametrize("ended", ["session", "role", "factor", "lock"])
async def test_it_ends_when_they_may_no_longer(
    app: FastAPI, client: httpx.AsyncClient, database: Database, ended: str
) -> None:
    boss = await somebody(client, database, "grace", "superadmin")
    who = await somebody(client, database, "ada", "admin")
    path = f"/v1/admin/users/{who.id}"
    async with looks_on(app, who.headers) as seen, looks_on(app, boss.headers) as stays:
        if ended == "session":
            answer = await client.post("/v1/auth/logout", headers=who.headers)
        elif ended == "role":
            answer = await client.post(f"{path}/roles", json={"roles": ["support"]}, headers=boss.headers)
        elif ended == "lock":
            answer = await client.post(f"{path}/lock", json={"reason": "a test"}, headers=boss.headers)
        else:
            async with database.system() as session:
                await session.execute(_WITH_FACTOR, {"id": who.id})
            answer = await client.post(f"{path}/reset-2fa", headers=boss.headers)
        assert answer.status_code == 200, answer.text
        await seen.until(lambda found: found.is_over, seconds=5)
        assert ": bye" in seen.text
        await act(database, "a.after")
        await stays.until(lambda found: any(said["action"] == "a.after" for said in found.of("act")))
        assert all(said["action"] != "a.after" for said in seen.of("act"))


async def test_three_of_an_operator_and_so_many_of_a_process(
    app: FastAPI, client: httpx.AsyncClient, database: Database, admin: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await somebody(client, database, "sue", "support")
    monkeypatch.setattr(watching, "MOST_OF_PROCESS", 4)
    async with looks_on(app, admin.headers), looks_on(app, admin.headers), looks_on(app, admin.headers) as third:
        assert third.status == 200
        async with looks_on(app, admin.headers) as fourth:
            assert fourth.status == 429
            assert json.loads(fourth.text)["code"] == "concurrency_limited"
        async with looks_on(app, other.headers) as another:
            assert another.status == 200
            async with looks_on(app, other.headers) as over:
                assert over.status == 503
    async with looks_on(app, admin.headers) as again:
        assert again.status == 200


async def test_nobody_else_looks_on(app: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    nobody = await somebody(client, database, "eve")
    weak = await somebody(client, database, "max", "admin", second_factor=False)
    problem(await client.get(STREAM), 401, "unauthenticated")
    problem(await client.get(STREAM, headers=nobody.headers), 403, "permission_missing")
    problem(await client.get(STREAM, headers=weak.headers), 403, "second_factor_needed")
    for params in ({"only": "x"}, {"code": "x"}, {"account_id": "x"}):
        problem(await client.get(STREAM, headers=nobody.headers, params=params), 403, "permission_missing")


async def test_hostile_filters_are_refused(client: httpx.AsyncClient, admin: Somebody) -> None:
    for params in ({"only": "x"}, {"code": "x"}, {"account_id": "x"}):
        problem(await client.get(STREAM, headers=admin.headers, params=params), 422, "invalid_input")


async def test_all_end_with_the_process(app: FastAPI, admin: Somebody) -> None:
    async with looks_on(app, admin.headers) as seen:
        app.end_streams()  # type: ignore[attr-defined]  # of our application, whose fixture is a FastAPI
        await seen.until(lambda found: found.is_over, seconds=5)
    async with looks_on(app, admin.headers) as late:
        assert late.status == 503


async def test_a_look_reads_along_the_ids(database: Database) -> None:
    """However many refusals are kept or come in a minute, a look reads as many as it tells of, and sorts none."""
    async with database.read() as session:
        await session.execute(happenings._ALONG_THE_INDEX)
        arguments = {**happenings._since(SystemClock().now(), 10), "accounts": []}
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {happenings._LOOK.text}"), arguments))
    assert plan.count("Index Scan Backward") == plan.count("Index Cond: (id >= ") == 2, plan
    assert "Sort" not in plan, plan
