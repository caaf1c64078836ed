"""Keys over HTTP: made, listed, rotated, revoked, limited, and verified for host applications."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from backend.auth.service.keys_service import MOST_KEYS, create_key
from backend.core.ids import AccountId, UserId
from backend.db.session import Database
from backend.tests.factories.users import PASSWORD
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import (
    Caller,
    Headers,
    bearer,
    client_of,
    customer,
    problem,
    service_key,
    signed_up,
    spent,
    table_counts,
)
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW

DAY = 86_400
NOBODYS = "01920000-0000-7000-8000-000000000001"


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> Headers:
    return bearer((await signed_up(client, "ada@example.com"))["access_token"])


async def signed_in(client: httpx.AsyncClient) -> Headers:
    """The same user again, for tokens do not last for hours."""
    answer = await client.post("/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD})
    return bearer(answer.json()["access_token"])


async def made(client: httpx.AsyncClient, headers: Headers, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/keys", json={"name": "ci", **body}, headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(client: httpx.AsyncClient, headers: Headers) -> list[dict[str, Any]]:
    answer = await client.get("/v1/keys", headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def works(client: httpx.AsyncClient, key: str) -> bool:
    answer = await client.get("/v1/subscription/usage", headers=bearer(key))
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code == 200


async def rotated(client: httpx.AsyncClient, headers: Headers, key_id: str, **body: Any) -> str:
    answer = await client.post(f"/v1/keys/{key_id}/rotate", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == key_id
    return str(answer.json()["key"])


async def test_a_key_is_shown_once_and_spends_for_its_account(
    client: httpx.AsyncClient, database: Database, owner: Headers
) -> None:
    key = await made(client, owner, name="  CI <script>alert(1)</script> é ", scopes=["usage:write", "usage:write"])
    assert set(key) == {"id", "key", "prefix", "scopes"}
    assert key["key"].startswith(key["prefix"])
    assert key["scopes"] == ["usage:write"]
    assert (await client.get("/v1/ping", headers=bearer(key["key"]))).status_code == 200
    (item,) = await listed(client, owner)
    assert item["name"] == "  CI <script>alert(1)</script> é "
    assert (item["id"], item["prefix"], item["is_mine"]) == (key["id"], key["prefix"], True)
    assert (item["expires_at"], item["last_used_at"], item["rotated_at"]) == (None, None, None)
    async with database.read() as session:
        rows = (await session.execute(text("SELECT * FROM api_keys"))).all()
    assert key["key"] not in str(rows)


async def test_a_key_of_a_test_account_says_so(client: httpx.AsyncClient, database: Database, owner: Headers) -> None:
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET mode = 'test'"))
    key = await made(client, owner)
    assert key["key"].startswith("fk_test_")
    assert await works(client, key["key"])


async def test_a_key_of_before_checksums_works(client: httpx.AsyncClient, database: Database, owner: Headers) -> None:
    key = await made(client, owner)
    async with database.system() as session:
        old = "fk_live_" + "x" * 43
        await session.execute(text("UPDATE api_keys SET key_hash = sha256(CAST(:old AS bytea))"), {"old": old.encode()})
    assert await works(client, old)
    assert not await works(client, key["key"])


async def test_scopes_bound_what_a_key_may_do(client: httpx.AsyncClient, owner: Headers) -> None:
    key = await made(client, owner, scopes=["usage:read"])
    assert await works(client, key["key"])
    problem(await client.get("/v1/ping", headers=bearer(key["key"])), 403, "scope_missing")


async def test_a_key_ends_when_it_expires(client: httpx.AsyncClient, clock: ManualClock, owner: Headers) -> None:
    key = await made(client, owner, expires_at=(NOW + timedelta(minutes=2)).isoformat())
    headers = bearer(key["key"])
    for _ in range(3):  # remembered by now
        assert (await client.get("/v1/ping", headers=headers)).status_code == 200
    clock.advance(timedelta(minutes=2))
    problem(await client.get("/v1/ping", headers=headers), 401, "unauthenticated")
    assert [item["id"] for item in await listed(client, owner)] == [key["id"]]
    answer = await client.post(f"/v1/keys/{key['id']}/rotate", headers=owner)
    problem(answer, 409, "key_over")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"name": "x" * 10_000},
        {"name": "two\nlines"},
        {"name": "right-to-left \u202e"},
        {"name": "bell \u0007"},
        {"name": 7},
        {"name": "x", "scopes": ["admin"]},
        {"name": "x", "scopes": ["accounts:create"]},
        {"name": "x", "scopes": ["keys:verify"]},
        {"name": "x", "scopes": ["usage:read"] * 21},
        {"name": "x", "scopes": "usage:read"},
        {"name": "x", "expires_at": (NOW - timedelta(seconds=1)).isoformat()},
        {"name": "x", "expires_at": NOW.isoformat()},
        {"name": "x", "expires_at": "2026-12-01T00:00:00"},
        {"name": "x", "expires_at": "0001-01-01T00:00:00+14:00"},
        {"name": "x", "expires_at": "9999-12-31T23:59:59-14:00"},
        {"name": "x", "expires_at": "10000-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "2027-02-30T00:00:00Z"},
        {"name": "x", "expires_at": -1},
        {"name": "x", "expires_at": 4_000_000_000},
        {"name": "x", "rate_limit_per_minute": -1},
        {"name": "x", "rate_limit_per_minute": 2**63},
        {"name": "x", "rate_limit_per_minute": 1.5},
        {"name": "x", "rate_limit_per_minute": True},
        {"name": "x", "kind": "service"},
        {"name": "x", "account_id": NOBODYS},
        {"name": "x", "user_id": NOBODYS},
    ],
    ids=str,
)
async def test_what_makes_no_key(
    client: httpx.AsyncClient, database: Database, owner: Headers, body: dict[str, Any]
) -> None:
    before = await table_counts(database)
    problem(await client.post("/v1/keys", json=body, headers=owner), 422, "invalid_input")
    assert await table_counts(database) == before


async def test_a_name_that_cannot_be_stored(client: httpx.AsyncClient, owner: Headers) -> None:
    for body in (b'{"name": "a\\u0000b"}', b'{"name": "\\ud800"}'):
        headers = {**owner, "Content-Type": "application/json"}
        problem(await client.post("/v1/keys", content=body, headers=headers), 400, "malformed_body")


async def test_a_key_makes_no_keys(client: httpx.AsyncClient, database: Database, owner: Headers) -> None:
    key = await made(client, owner)
    host = await service_key(database, "usage:read", "usage:write", "accounts:create", "keys:verify")
    for headers in (bearer(key["key"]), host):
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("POST", f"/{key['id']}/rotate"),
            ("DELETE", f"/{key['id']}"),
        ):
            body = {"name": "x"} if (method, path) == ("POST", "") else None
            answer = await client.request(method, f"/v1/keys{path}", json=body, headers=headers)
            problem(answer, 403, "scope_missing")
    assert await works(client, key["key"])


async def test_an_account_has_so_many_keys_and_no_more(
    client: httpx.AsyncClient, database: Database, owner: Headers
) -> None:
    me = (await client.get("/v1/auth/me", headers=owner)).json()
    async with database.system() as session:
        for number in range(MOST_KEYS - 2):
            await create_key(
                session,
                name=f"key {number}",
                account_id=AccountId(UUID(me["account"]["id"])),
                user_id=UserId(UUID(me["id"])),
                scopes=(),
                now=NOW,
            )
    answers = await asyncio.gather(*(client.post("/v1/keys", json={"name": "x"}, headers=owner) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 6
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert "Revoke one" in problem(refused, 409, "too_many_keys")["detail"]
    one = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
    assert (await client.delete(f"/v1/keys/{one}", headers=owner)).status_code == 200
    await made(client, owner)


async def test_the_list_comes_in_pages(client: httpx.AsyncClient, owner: Headers) -> None:
    ids = [(await made(client, owner, name=f"key {number}"))["id"] for number in range(5)]
    seen, after = [], None
    for _ in range(3):
        parameters = {"limit": 2} | ({"after": after} if after else {})
        page = (await client.get("/v1/keys", params=parameters, headers=owner)).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next_after"]
    assert after is None
    assert seen == ids[::-1]
    for bad in ({"limit": 0}, {"limit": -1}, {"limit": 10**9}, {"after": "x"}, {"after": "\0"}):
        problem(await client.get("/v1/keys", params=bad, headers=owner), 422, "invalid_input")
    nobodys = (await client.get("/v1/keys", params={"after": str(UUID(int=0))}, headers=owner)).json()
    assert nobodys["items"] == []


async def test_the_old_secret_works_until_its_overlap_is_over(
    client: httpx.AsyncClient, clock: ManualClock, owner: Headers
) -> None:
    key = await made(client, owner)
    second = await rotated(client, owner, key["id"])
    assert await works(client, key["key"])
    assert await works(client, second)
    (item,) = await listed(client, owner)
    assert second.startswith(item["prefix"])
    assert item["rotated_at"] is not None
    clock.advance(timedelta(hours=12))
    owner = await signed_in(client)
    third = await rotated(client, owner, key["id"], overlap_seconds=7 * DAY)
    assert [await works(client, each) for each in (key["key"], second, third)] == [True] * 3
    clock.advance(timedelta(hours=12))
    owner = await signed_in(client)
    assert [await works(client, each) for each in (key["key"], second, third)] == [False, True, True]
    last = await rotated(client, owner, key["id"], overlap_seconds=0)
    assert [await works(client, each) for each in (second, third, last)] == [False, False, True]
    assert (await listed(client, owner))[0]["replaced_until"] is None


async def test_a_remembered_old_secret_ends_with_its_overlap(
    client: httpx.AsyncClient, clock: ManualClock, owner: Headers
) -> None:
    key = await made(client, owner)
    await rotated(client, owner, key["id"], overlap_seconds=60)
    for _ in range(3):
        assert (await client.get("/v1/ping", headers=bearer(key["key"]))).status_code == 200
    clock.advance(timedelta(seconds=60))
    problem(await client.get("/v1/ping", headers=bearer(key["key"])), 401, "unauthenticated")


async def test_rotations_at_the_same_time_all_give_a_secret_that_works(
    client: httpx.AsyncClient, owner: Headers
) -> None:
    key = await made(client, owner)
    found = await asyncio.gather(*(rotated(client, owner, key["id"]) for _ in range(5)))
    assert len(set(found)) == 5
    assert all([await works(client, each) for each in (key["key"], *found)])
    for _ in range(5):
        await rotated(client, owner, key["id"])
    answer = await client.post(f"/v1/keys/{key['id']}/rotate", headers=owner)
    assert "overlap_seconds 0" in problem(answer, 409, "too_many_secrets")["detail"]
    await rotated(client, owner, key["id"], overlap_seconds=0)
    assert not any([await works(client, each) for each in (key["key"], *found)])


async def test_a_rotation_that_is_not_asked_for_in_numbers(client: httpx.AsyncClient, owner: Headers) -> None:
    key = await made(client, owner)
    for odd in (-1, 7 * DAY + 1, "60", True, 1.5, None, 2**63):
        answer = await client.post(f"/v1/keys/{key['id']}/rotate", json={"overlap_seconds": odd}, headers=owner)
        problem(answer, 422, "invalid_input")
    assert (await listed(client, owner))[0]["rotated_at"] is None


async def test_a_revoked_key_works_nowhere_with_any_of_its_secrets(client: httpx.AsyncClient, owner: Headers) -> None:
    key = await made(client, owner)
    second = await rotated(client, owner, key["id"])
    for each in (key["key"], second):
        assert (await client.get("/v1/ping", headers=bearer(each))).status_code == 200
    assert (await client.delete(f"/v1/keys/{key['id']}", headers=owner)).status_code == 200
    await asyncio.sleep(1)  # as long as any process may go by what it remembers
    for each in (key["key"], second):
        problem(await client.get("/v1/ping", headers=bearer(each)), 401, "unauthenticated")
    assert await listed(client, owner) == []
    problem(await client.delete(f"/v1/keys/{key['id']}", headers=owner), 404, "key_unknown")
    problem(await client.post(f"/v1/keys/{key['id']}/rotate", headers=owner), 404, "key_unknown")


async def test_a_repeated_request_has_one_effect_and_the_same_answer(
    client: httpx.AsyncClient, database: Database, owner: Headers
) -> None:
    once = {**owner, "Idempotency-Key": "k1"}
    first = await client.post("/v1/keys", json={"name": "x"}, headers=once)
    again = await client.post("/v1/keys", json={"name": "x"}, headers=once)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (again.headers["idempotency-replayed"], "idempotency-replayed" in first.headers) == ("true", False)
    assert len(await listed(client, owner)) == 1
    other = await client.post("/v1/keys", json={"name": "y"}, headers=once)
    problem(other, 422, "idempotency_key_reused")
    turns = [await client.post(f"/v1/keys/{first.json()['id']}/rotate", headers=once) for _ in range(2)]
    assert turns[0].json() == turns[1].json()
    assert await works(client, first.json()["key"])
    async with database.read() as session:
        kept = (await session.scalars(text("SELECT answer FROM idempotency_keys"))).all()
    assert len(kept) == 2
    for answer in kept:  # what lies there for a day opens no door
        assert b"fk_live_" not in bytes(answer)


async def team(client: httpx.AsyncClient, database: Database, **roles: str) -> dict[str, Headers]:
    """Users of ours in one account of the host, each in a role."""
    host = await service_key(database, "accounts:create")
    assert (await client.put("/v1/accounts/team", json={}, headers=host)).status_code == 200
    found = {}
    for name, role in roles.items():
        token = bearer((await signed_up(client, f"{name}@example.com"))["access_token"])
        me = (await client.get("/v1/auth/me", headers=token)).json()
        path = f"/v1/accounts/team/members/{me['id']}"
        assert (await client.put(path, json={"role": role}, headers=host)).status_code == 200
        found[name] = {**token, "Feature-Account": "external:team"}
    return found


async def test_who_manages_sees_all_keys_and_developers_their_own(
    client: httpx.AsyncClient, database: Database
) -> None:
    who = await team(client, database, boss="admin", dev="developer", other="developer", money="billing", eye="viewer")
    keys = {name: await made(client, who[name], name=name) for name in ("boss", "dev", "other")}
    seen = {name: {item["name"] for item in await listed(client, who[name])} for name in keys}
    assert seen == {"boss": {"boss", "dev", "other"}, "dev": {"dev"}, "other": {"other"}}
    for name in ("money", "eye"):
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{keys['dev']['id']}")):
            body = {"name": "x"} if method == "POST" else None
            answer = await client.request(method, f"/v1/keys{path}", json=body, headers=who[name])
            problem(answer, 403, "role_missing")
    theirs, unknown = keys["other"]["id"], str(uuid4())
    for method, path in (("POST", "/{}/rotate"), ("DELETE", "/{}")):
        answers = [
            await client.request(method, f"/v1/keys{path.format(each)}", headers=who["dev"])
            for each in (theirs, unknown)
        ]
        first, second = (problem(answer, 404, "key_unknown") for answer in answers)
        assert first["detail"] == second["detail"]
    assert await works(client, keys["other"]["key"])
    assert (await client.delete(f"/v1/keys/{theirs}", headers=who["boss"])).status_code == 200
    assert not await works(client, keys["other"]["key"])


async def test_a_key_loses_what_its_user_loses(client: httpx.AsyncClient, database: Database) -> None:
    who = await team(client, database, dev="developer")
    key = await made(client, who["dev"])
    assert (await client.get("/v1/ping", headers=bearer(key["key"]))).status_code == 200
    async with database.system() as session:
        await session.execute(text("DELETE FROM account_members WHERE role = 'developer'"))
    assert not await works(client, key["key"])


async def test_a_limit_of_its_own_counts_beside_that_of_the_account(
    client: httpx.AsyncClient, clock: ManualClock, owner: Headers
) -> None:
    tight, free = await made(client, owner, rate_limit_per_minute=5), await made(client, owner)
    statuses = [(await client.get("/v1/ping", headers=bearer(tight["key"]))).status_code for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    refused = await client.get("/v1/ping", headers=bearer(tight["key"]))
    found = problem(refused, 429, "rate_limited")
    assert (found["limit"], found["per_seconds"]) == (5, 60)
    assert int(refused.headers["retry-after"]) in range(1, 13)
    assert '"key";q=5;w=60' in refused.headers["ratelimit-policy"]
    passed = await client.get("/v1/ping", headers=bearer(free["key"]))
    assert passed.status_code == 200
    # 100 requests a minute of the account: 2 to make keys, 5 that passed, and this one; refusals took none of them.
    assert int(passed.headers["x-ratelimit-remaining"]) == 92


async def test_the_tighter_limit_is_shown(client: httpx.AsyncClient, owner: Headers) -> None:
    key = await made(client, owner, rate_limit_per_minute=50)
    answer = await client.get("/v1/subscription/usage", headers=bearer(key["key"]))
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("50", "49")
    assert answer.headers["ratelimit-policy"].startswith('"api";q=100;w=60, "key";q=50;w=60')


async def test_a_limit_of_nothing_lets_nothing_pass(
    client: httpx.AsyncClient, database: Database, owner: Headers
) -> None:
    key = await made(client, owner, rate_limit_per_minute=0)
    refused = await client.get("/v1/ping", headers=bearer(key["key"]))
    found = problem(refused, 429, "rate_limited")
    assert (found["limit"], found["retryable"], "retry-after" in refused.headers) == (0, False, False)


async def test_a_limit_is_exact_over_processes(running: RunningApp, database: Database, clock: ManualClock) -> None:
    who = await customer(database, plan="enterprise")
    async with database.system() as session:
        key = await create_key(
            session,
            name="x",
            account_id=who.person.account_id,
            user_id=None,
            scopes=(),
            rate_limit_per_minute=20,
            now=NOW,
        )
    headers = bearer(key.key)
    shared = {"rate_limit_store": "postgresql"}
    async with (
        running(**shared) as one,
        running(**shared) as two,
        client_of(one) as first,
        client_of(two) as second,
    ):
        began = time.monotonic()
        answers = await asyncio.gather(
            *(client.get("/v1/ping", headers=headers) for _ in range(25) for client in (first, second))
        )
        came_back = (time.monotonic() - began) // 3 + 1  # one in three seconds, by the clock of the database
    passed = sum(answer.status_code == 200 for answer in answers)
    assert passed + sum(answer.status_code == 429 for answer in answers) == 50
    assert 20 <= passed <= 20 + came_back


async def test_the_last_use_is_shown_and_written_once_a_minute(
    running: RunningApp, database: Database, clock: ManualClock
) -> None:
    async with running() as app, client_of(app) as client:
        headers = bearer((await signed_up(client, "ada@example.com"))["access_token"])
        key = await made(client, headers)
        for _ in range(3):
            await client.get("/v1/ping", headers=bearer(key["key"]))
        assert (await listed(client, headers))[0]["last_used_at"] is None  # no request waits for it
        await app.state.key_uses.flush()
        assert (await listed(client, headers))[0]["last_used_at"] == NOW.isoformat().replace("+00:00", "Z")
        clock.advance(timedelta(seconds=59))
        await client.get("/v1/subscription/usage", headers=bearer(key["key"]))
        await app.state.key_uses.flush()
        assert (await listed(client, headers))[0]["last_used_at"] == NOW.isoformat().replace("+00:00", "Z")
        clock.advance(timedelta(seconds=1))
        await client.get("/v1/subscription/usage", headers=bearer(key["key"]))
    async with database.read() as session:  # what was noted is written when the process ends
        at = await session.scalar(text("SELECT last_used_at FROM api_keys WHERE name = 'ci'"))
    assert at == NOW + timedelta(minutes=1)


class TestVerify:
    """What a host application is told of a key that a customer has sent it."""

    @pytest.fixture
    async def host(self, database: Database) -> Headers:
        return await service_key(database, "keys:verify")

    @pytest.fixture
    async def who(self, database: Database) -> Caller:
        return await customer(database)

    @staticmethod
    def key_of(who: Caller) -> str:
        return who.headers["Authorization"].removeprefix("Bearer ")

    @staticmethod
    async def verify(client: httpx.AsyncClient, host: Headers, key: str, **body: Any) -> dict[str, Any]:
        answer = await client.post("/v1/keys/verify", json={"key": key, **body}, headers=host)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def test_whose_it_is(self, client: httpx.AsyncClient, database: Database, host: Headers, who: Caller) -> None:
        async with database.system() as session:
            await session.execute(
                text("UPDATE accounts SET external_id = 'org-7' WHERE id = :id"), {"id": who.person.account_id}
            )
        found = await self.verify(client, host, self.key_of(who))
        assert (found["valid"], found["allowed"], found["code"]) == (True, True, "allowed")
        assert found["account"] == {"id": who.account_id, "external_id": "org-7"}
        assert found["user_id"] == found["subject"] == str(who.person.user_id)
        assert (found["scopes"], found["plan"]["name"], found["decision"]) == ([], "free", None)
        assert await spent(database, who) == (0, 0)

    async def test_it_spends_in_the_same_step(
        self, client: httpx.AsyncClient, database: Database, host: Headers, who: Caller
    ) -> None:
        found = await self.verify(client, host, self.key_of(who), meter="jobs", amount=9)
        assert (found["allowed"], found["decision"]["used"]) == (True, 9)
        found = await self.verify(client, host, self.key_of(who), meter="jobs", amount=2)
        assert (found["valid"], found["allowed"], found["code"]) == (True, False, "quota_exceeded")
        assert (found["decision"]["allowed"], found["decision"]["remaining"]) == (False, 1)
        found = await self.verify(client, host, self.key_of(who), meter="jobs")
        assert found["decision"]["remaining"] == 0
        assert await spent(database, who) == (10, 10)

    async def test_a_repetition_spends_nothing(
        self, client: httpx.AsyncClient, database: Database, host: Headers, who: Caller
    ) -> None:
        once = {**host, "Idempotency-Key": "one"}
        found = [await self.verify(client, once, self.key_of(who), meter="jobs", amount=3) for _ in range(2)]
        assert found[0]["decision"] == found[1]["decision"]
        assert await spent(database, who) == (3, 3)

    async def test_a_bad_key_is_nobodys(
        self, client: httpx.AsyncClient, database: Database, clock: ManualClock, host: Headers, owner: Headers
    ) -> None:
        gone, short, turned = [await made(client, owner, name=name) for name in ("gone", "short", "turned")]
        brief = await made(client, owner, expires_at=(NOW + timedelta(minutes=1)).isoformat())
        await client.delete(f"/v1/keys/{gone['id']}", headers=owner)
        await rotated(client, owner, turned["id"], overlap_seconds=60)
        clock.advance(timedelta(minutes=1))
        hosts = host["Authorization"].removeprefix("Bearer ")
        wanted = {
            gone["key"]: "key_revoked",
            brief["key"]: "key_expired",
            turned["key"]: "key_replaced",
            hosts: "key_unknown",
            "fk_live_" + "x" * 43: "key_unknown",
            short["key"][:-1] + ("A" if short["key"][-1] != "A" else "B"): "key_malformed",
            "fk_live_x": "key_malformed",
            "é": "key_malformed",
            "x" * 4_096: "key_malformed",
        }
        for key, code in wanted.items():
            found = await self.verify(client, host, key, meter="jobs")
            assert (found["valid"], found["allowed"], found["code"]) == (False, False, code)
            told = {name for name, value in found.items() if value} - {"code", "detail"}
            assert told == set()

    async def test_what_stands_against_a_good_key(
        self, client: httpx.AsyncClient, database: Database, host: Headers, owner: Headers
    ) -> None:
        reads = await made(client, owner, scopes=["usage:read"])
        tight = await made(client, owner, rate_limit_per_minute=1)
        closed = await made(client, owner, rate_limit_per_minute=0)
        for key, code in (
            (reads, "scope_missing"),
            (tight, "allowed"),
            (tight, "rate_limited"),
            (closed, "rate_limited"),
        ):
            found = await self.verify(client, host, key["key"], meter="jobs")
            assert (found["valid"], found["allowed"], found["code"]) == (True, code == "allowed", code)
            assert found["key_id"] == key["id"]
        assert found["retry_after"] is None
        async with database.system() as session:
            await session.execute(text("UPDATE accounts SET status = 'suspended'"))
        found = await self.verify(client, host, tight["key"])
        assert (found["valid"], found["allowed"], found["code"]) == (True, False, "account_suspended")

    async def test_its_refusals_are_those_of_the_customer(
        self, running: RunningApp, database: Database, host: Headers, who: Caller
    ) -> None:
        async with running() as app, client_of(app) as client:
            await self.verify(client, host, self.key_of(who), meter="jobs", amount=11)
            await app.state.denials.flush()
        async with database.read() as session:
            row = (await session.execute(text("SELECT account_id, subject, path, code FROM denials"))).one()
        assert tuple(row) == (who.person.account_id, str(who.person.user_id), "/v1/keys/verify", "quota_exceeded")

    async def test_only_a_host_application_may_ask(
        self, client: httpx.AsyncClient, database: Database, who: Caller, owner: Headers
    ) -> None:
        body = {"key": self.key_of(who), "meter": "jobs"}
        other = await service_key(database, "usage:read", "usage:write", "accounts:create")
        for headers in (who.headers, owner, other):
            problem(await client.post("/v1/keys/verify", json=body, headers=headers), 403, "scope_missing")
        problem(await client.post("/v1/keys/verify", json=body), 401, "unauthenticated")
        assert await spent(database, who) == (0, 0)

    async def test_what_cannot_be_asked(
        self, client: httpx.AsyncClient, database: Database, host: Headers, who: Caller
    ) -> None:
        key = self.key_of(who)
        for body, code in (
            ({"key": key, "amount": 1}, "invalid_input"),
            ({"key": key, "meter": "jobs", "amount": 0}, "invalid_input"),
            ({"key": key, "meter": "storage", "amount": -1}, "invalid_input"),
            ({"key": key, "meter": "jobs", "amount": 2**63}, "invalid_input"),
            ({"key": "", "meter": "jobs"}, "invalid_input"),
            ({"key": "x" * 4_097}, "invalid_input"),
            ({"meter": "jobs"}, "invalid_input"),
            ({"key": key, "meter": "nothing"}, "meter_unknown"),
        ):
            problem(await client.post("/v1/keys/verify", json=body, headers=host), 422, code)
        assert await spent(database, who) == (0, 0)
