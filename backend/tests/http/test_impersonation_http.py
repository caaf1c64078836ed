"""Operators act as a user: they see what the user sees, write little or nothing, and everything bears both names."""

import asyncio
from datetime import timedelta
from ipaddress import IPv4Address
from typing import Any, get_args
from uuid import UUID

import httpx
import jwt
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.admin.errors import NoOperator
from backend.admin.impersonation import Access, Impersonating
from backend.admin.operator import Operator
from backend.admin.permissions import PERMISSIONS, allowed
from backend.auth.service.sessions import Device, end_sessions
from backend.core.ids import UserId
from backend.db.audit import Actor
from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Headers, bearer, client_of, mails, problem
from backend.tests.http.conftest import RunningApp
from backend.tests.http.test_admin_http import Somebody, acts, last_act, somebody
from backend.tests.moments import NOW

_ACTING = text("""
    INSERT INTO sessions (id, user_id, impersonator_id, refresh_hash, rotated_at, created_at, last_seen_at, expires_at)
    VALUES (gen_random_uuid(), :user_id, :operator_id, '\\x00', :now, :now, :now,
        CAST(:now AS timestamptz) + interval '1 hour')
""")
_REQUESTS = text("SELECT * FROM audit_events WHERE action = 'impersonation.request' ORDER BY id")


async def act_as(client: httpx.AsyncClient, who: Somebody, user: Somebody, access: str = "read") -> Headers:
    answer = await client.post(
        f"/v1/admin/users/{user.id}/impersonate", json={"reason": "ticket 7", "access": access}, headers=who.headers
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return bearer(answer.json()["access_token"])


async def used(client: httpx.AsyncClient, user: Somebody) -> int:
    answer = await client.get("/v1/subscription/usage", headers=user.headers)
    found: int = answer.json()["usage"]["jobs_created"]
    return found


async def test_it_is_the_users_own_view_and_both_are_named_in_the_log(
    client: httpx.AsyncClient, database: Database
) -> None:
    support, user = await somebody(client, database, "support", "support"), await somebody(client, database, "user")
    headers = await act_as(client, support, user)
    act = await last_act(database)
    assert (act["action"], act["reason"], act["target_id"]) == ("user.impersonate", "ticket 7", user.id)
    assert act["after"]["access"] == "read"
    assert "token" not in str(act["after"])
    me = (await client.get("/v1/auth/me", headers=headers)).json()
    assert (me["email"], me["roles"]) == (user.email, [])
    assert (me["impersonation"]["operator_id"], me["impersonation"]["may_write"]) == (support.id, False)
    own = (await client.get("/v1/auth/me", headers=user.headers)).json()
    assert own["impersonation"] is None
    for path in ("subscription/usage", "subscription/rate-limits", "keys", "decisions", "auth/sessions"):
        assert (await client.get(f"/v1/{path}", headers=headers)).status_code == 200, path


async def test_who_looks_writes_and_spends_nothing(client: httpx.AsyncClient, database: Database) -> None:
    support, user = await somebody(client, database, "support", "support"), await somebody(client, database, "user")
    headers = await act_as(client, support, user)
    before = await acts(database)
    for method, path, body in (
        ("POST", "/v1/usage/consume", {"meter": "jobs", "amount": 1}),
        ("POST", "/v1/usage/reserve", {"meter": "jobs", "amount": 1}),
        ("POST", "/v1/usage/check", {"meter": "jobs", "amount": 1}),
        ("GET", "/v1/ping", None),
        ("GET", "/v1/gateway/authorize", None),
    ):
        answer = await client.request(method, path, json=body, headers=headers)
        problem(answer, 403, "impersonation_read_only")
    assert await used(client, user) == 0
    assert await acts(database) == before


# What nobody does for somebody else, whatever they were given.
LOCKED: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/v1/auth/change-password", {"new_password": "correct horse battery"}),
    ("POST", "/v1/auth/2fa/enable-init", {}),
    ("POST", "/v1/auth/2fa/disable", {}),
    ("POST", "/v1/auth/2fa/recovery-codes", {}),
    ("DELETE", "/v1/auth/sessions", None),
    ("PATCH", "/v1/auth/me", {"name": "Eve"}),
    ("POST", "/v1/keys", {"name": "mine"}),
    ("DELETE", "/v1/keys/01920000-0000-7000-8000-000000000001", None),
    ("POST", "/v1/admin/users/01920000-0000-7000-8000-000000000001/lock", {"reason": "x"}),
    ("PUT", "/v1/accounts/org", {}),
)


@pytest.mark.parametrize("access", ["read", "write"])
async def test_sign_in_keys_and_the_back_office_are_closed(
    client: httpx.AsyncClient, database: Database, access: str
) -> None:
    admin, user = await somebody(client, database, "admin", "admin"), await somebody(client, database, "user")
    headers = await act_as(client, admin, user, access)
    before = await acts(database)
    for method, path, body in LOCKED:
        problem(await client.request(method, path, json=body, headers=headers), 403, "impersonation_locked")
    problem(await client.get("/v1/admin/users", headers=headers), 403, "permission_missing")
    assert await acts(database) == before
    assert (await client.get("/v1/auth/me", headers=user.headers)).json()["name"] is None


IDS = ("user_id", "key_id", "session_id", "reservation_id", "override_id", "note_id", "bulk_action_id")


@pytest.mark.parametrize("access", ["read", "write"])
async def test_every_route_that_writes_is_closed_but_those_that_use_the_account(
    client: httpx.AsyncClient, database: Database, running: RunningApp, access: str
) -> None:
    """A new route is closed until somebody lists it, whatever its body."""
    admin, user = await somebody(client, database, "admin", "admin"), await somebody(client, database, "user")
    headers = await act_as(client, admin, user, access)
    opened = set()
    async with running() as app, client_of(app) as other:
        for path, known in app.openapi()["paths"].items():
            if not path.startswith("/v1/") or path == "/v1/auth/logout":
                continue
            url = path
            for name in IDS:
                url = url.replace(f"{{{name}}}", "01920000-0000-7000-8000-000000000001")
            for method in known.keys() & {"post", "put", "patch", "delete"}:
                answer = await other.request(method, url, json={}, headers=headers)
                if answer.status_code != 403 or not answer.json()["code"].startswith("impersonation_"):
                    opened.add(path)
    assert all(path.startswith("/v1/usage/") for path in opened), opened
    assert bool(opened) == (access == "write")


async def test_with_access_to_write_a_spend_is_written_down_first(
    client: httpx.AsyncClient, database: Database
) -> None:
    admin, user = await somebody(client, database, "admin", "admin"), await somebody(client, database, "user")
    headers = await act_as(client, admin, user, "write")
    answer = await client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 1}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert (await client.get("/v1/ping", headers=headers)).status_code == 200
    assert await used(client, user) == 1
    async with database.read() as session:
        written = (await session.execute(_REQUESTS)).all()
    assert [(row.after["method"], row.after["path"]) for row in written] == [
        ("POST", "/v1/usage/consume"),
        ("GET", "/v1/ping"),
    ]
    assert {(str(row.actor_id), str(row.real_actor_id)) for row in written} == {(user.id, admin.id)}
    assert written[0].request_id == answer.headers["X-Request-Id"]
    page = await client.get("/v1/admin/audit-logs", params={"actor": admin.id}, headers=admin.headers)
    assert page.json()["total"] == 3


@pytest.mark.parametrize("role", PERMISSIONS)
@pytest.mark.parametrize("access", ["read", "write"])
async def test_who_may(client: httpx.AsyncClient, database: Database, role: str, access: str) -> None:
    caller, user = await somebody(client, database, "caller", role), await somebody(client, database, "user")
    before = await acts(database)
    answer = await client.post(
        f"/v1/admin/users/{user.id}/impersonate", json={"reason": "x", "access": access}, headers=caller.headers
    )
    roles = frozenset({role})
    may = allowed(roles, "users.impersonate") and (access == "read" or allowed(roles, "users.impersonate_write"))
    assert answer.status_code == (200 if may else 403), answer.text
    assert await acts(database) == before + may


async def test_never_as_an_operator_nor_as_who_cannot_sign_in(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    reader, user = await somebody(client, database, "reader", "read_only"), await somebody(client, database, "user")
    await client.post(f"/v1/admin/users/{user.id}/lock", json={"reason": "x"}, headers=root.headers)
    before = await acts(database)
    for target, status, code in (
        (reader.id, 403, "target_protected"),
        (root.id, 403, "target_protected"),
        (user.id, 409, "state_conflict"),
        ("01920000-0000-7000-8000-000000000001", 404, "user_unknown"),
    ):
        answer = await client.post(f"/v1/admin/users/{target}/impersonate", json={"reason": "x"}, headers=root.headers)
        problem(answer, status, code)
    for body in ({}, {"reason": " "}, {"reason": "x", "access": "all"}, {"reason": "x", "minutes": 600}):
        answer = await client.post(f"/v1/admin/users/{user.id}/impersonate", json=body, headers=root.headers)
        assert answer.status_code == 422
    assert await acts(database) == before


@pytest.mark.parametrize(
    "how", ["time", "left", "ended by the user", "operator locked", "operator demoted", "made an operator", "locked"]
)
async def test_it_ends(running: RunningApp, database: Database, clock: ManualClock, how: str) -> None:
    async with running() as app, client_of(app) as client:
        root = await somebody(client, database, "root", "superadmin")
        admin, user = await somebody(client, database, "admin", "admin"), await somebody(client, database, "user")
        headers = await act_as(client, admin, user)

        async def set_roles(whom: Somebody, roles: list[str]) -> None:
            answer = await client.post(f"/v1/admin/users/{whom.id}/roles", json={"roles": roles}, headers=root.headers)
            assert answer.status_code == 200

        if how == "time":
            clock.advance(timedelta(minutes=29, seconds=59))
            assert (await client.get("/v1/auth/me", headers=headers)).status_code == 200
            clock.advance(timedelta(seconds=1))
        elif how == "left":
            answer = await client.post("/v1/auth/logout", headers={**headers, "X-Feature-Client": "web"})
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers  # the browser's cookie is the operator's own
            act = await last_act(database)
            assert (act["action"], act["target_id"], str(act["real_actor_id"])) == (
                "user.impersonate.end",
                user.id,
                admin.id,
            )
        elif how == "ended by the user":
            listed = (await client.get("/v1/auth/sessions", headers=user.headers)).json()["items"]
            (theirs,) = [one for one in listed if one["is_operator"]]
            assert (theirs["user_agent"], theirs["address"]) == (None, None)
            await client.delete(f"/v1/auth/sessions/{theirs['id']}", headers=user.headers)
        elif how == "operator locked":
            await client.post(f"/v1/admin/users/{admin.id}/lock", json={"reason": "x"}, headers=root.headers)
        elif how == "operator demoted":
            await set_roles(admin, ["read_only"])
        elif how == "made an operator":
            await set_roles(user, ["support"])
        else:
            await client.post(f"/v1/admin/users/{user.id}/lock", json={"reason": "x"}, headers=root.headers)
        problem(await client.get("/v1/auth/me", headers=headers), 401, "unauthenticated")


async def test_the_user_is_told_where_the_setting_says_so(running: RunningApp, database: Database) -> None:
    for tells in (True, False):
        async with running(impersonation_tells_user=tells) as app, client_of(app) as client:
            support = await somebody(client, database, f"support-{tells}".lower(), "support")
            user = await somebody(client, database, f"user-{tells}".lower())
            before = len(await mails(client, user.email))
            await act_as(client, support, user)
            sent = (await mails(client, user.email))[: len(await mails(client, user.email)) - before]
            listed = (await client.get("/v1/auth/sessions", headers=user.headers)).json()["items"]
            assert len(sent) == (1 if tells else 0)
            assert sum(one["is_operator"] for one in listed) == (1 if tells else 0)
            whole = (await client.get(f"/v1/admin/users/{user.id}", headers=support.headers)).json()
            assert [one["impersonator_id"] for one in whole["sessions"]].count(support.id) == 1


async def test_looking_around_costs_the_user_nothing(client: httpx.AsyncClient, database: Database) -> None:
    support, user = await somebody(client, database, "support", "support"), await somebody(client, database, "user")
    headers = await act_as(client, support, user)
    before = (await client.get("/v1/subscription/rate-limits", headers=user.headers)).json()
    answers = [await client.get("/v1/subscription/usage", headers=headers) for _ in range(160)]
    assert {answer.status_code for answer in answers[:100]} == {200}
    refused = [answer for answer in answers if answer.status_code != 200]
    problem(refused[0], 429, "rate_limited")  # their session has a limit of its own, which refills meanwhile
    after = (await client.get("/v1/subscription/rate-limits", headers=user.headers)).json()
    assert before["scopes"]["api"]["remaining"] - after["scopes"]["api"]["remaining"] <= 1


async def test_odd_paths_are_written_down_by_their_route(client: httpx.AsyncClient, database: Database) -> None:
    admin, user = await somebody(client, database, "admin", "admin"), await somebody(client, database, "user")
    headers = await act_as(client, admin, user, "write")
    for path in ("/v1/usage/%00", "/v1/usage/" + "x" * 3_000, "/v1/usage/%ED%A0%80"):
        assert (await client.post(path, json={}, headers=headers)).status_code in {404, 405}, path
    async with database.read() as session:
        written = (await session.execute(_REQUESTS)).all()
    assert {row.after["path"] for row in written} == {"other"}


async def test_who_turns_the_second_factor_off_acts_no_more(client: httpx.AsyncClient, database: Database) -> None:
    support, user = await somebody(client, database, "support", "support"), await somebody(client, database, "user")
    headers = await act_as(client, support, user)
    async with database.system() as session:
        await session.execute(text("UPDATE users SET mfa_enabled = false WHERE id = :id"), {"id": support.id})
    problem(await client.get("/v1/auth/me", headers=headers), 401, "unauthenticated")


async def test_a_role_that_is_taken_away_meanwhile_begins_nothing(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    admin, user = await somebody(client, database, "admin", "admin"), await somebody(client, database, "user")
    actor = Actor("user", UserId(UUID(admin.id)))
    admitted = Operator(UserId(UUID(admin.id)), frozenset({"admin"}), actor)
    async with database.system() as session:
        await session.execute(text("UPDATE user_roles SET role = 'read_only' WHERE user_id = :id"), {"id": admin.id})

    async def begin(access: Access) -> None:
        async with database.system() as session:
            begins = Impersonating(session, admitted, app.state.sessions, app.state.settings, NOW)
            device = Device(None, IPv4Address("192.0.2.1"))
            await begins.begin(UUID(user.id), access=access, reason="x", device=device)

    for access in get_args(Access):
        with pytest.raises(NoOperator):
            await begin(access)


async def test_one_at_a_time_and_one_mail_for_it(client: httpx.AsyncClient, database: Database) -> None:
    support = await somebody(client, database, "support", "support")
    one, two = await somebody(client, database, "one"), await somebody(client, database, "two")
    before = len(await mails(client, one.email))
    first = await act_as(client, support, one)
    again = await act_as(client, support, one)
    assert len(await mails(client, one.email)) == before + 1
    problem(await client.get("/v1/auth/me", headers=first), 401, "unauthenticated")
    assert (await client.get("/v1/auth/me", headers=again)).status_code == 200
    await act_as(client, support, two)
    problem(await client.get("/v1/auth/me", headers=again), 401, "unauthenticated")


async def test_a_token_of_acting_is_of_another_kind_than_a_users_own(
    client: httpx.AsyncClient, database: Database
) -> None:
    support, user = await somebody(client, database, "support", "support"), await somebody(client, database, "user")
    headers = await act_as(client, support, user)
    kind = jwt.get_unverified_header(headers["Authorization"].removeprefix("Bearer "))["typ"]
    own = jwt.get_unverified_header(user.headers["Authorization"].removeprefix("Bearer "))["typ"]
    assert (kind, own) == ("acting+jwt", "at+jwt")
    async with database.system() as session:  # as a schema that knows nothing of acting would have it
        await session.execute(text("UPDATE sessions SET impersonator_id = NULL, may_write = true"))
    problem(await client.get("/v1/auth/me", headers=headers), 401, "unauthenticated")
    assert (await client.get("/v1/auth/me", headers=user.headers)).status_code == 200


async def test_two_who_act_as_the_same_users_are_ended_at_once(client: httpx.AsyncClient, database: Database) -> None:
    operators = [await somebody(client, database, f"op{number}", "support") for number in range(2)]
    users = [await somebody(client, database, f"user{number}") for number in range(6)]

    async def end(operator: Somebody) -> int:
        async with database.system() as session:
            return await end_sessions(session, user_id=UserId(UUID(operator.id)), now=NOW, reason="x")

    for turn in range(10):
        async with database.system() as session:
            for operator, order in zip(operators, (users, users[::-1]), strict=True):
                for user in order:
                    await session.execute(_ACTING, {"user_id": user.id, "operator_id": operator.id, "now": NOW})
        ended = await asyncio.gather(*(end(operator) for operator in operators))
        assert [count >= len(users) for count in ended] == [True, True], turn
