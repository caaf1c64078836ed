"""Operators act as a user: they see what the user sees, write little or nothing, and everything bears both names."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.admin.permissions import PERMISSIONS, allowed
from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Headers, bearer, client_of, mails, problem
from backend.tests.http.conftest import RunningApp
from backend.tests.http.test_admin_http import Somebody, acts, last_act, somebody

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


async def test_every_route_that_writes_is_closed_or_written_down(
    client: httpx.AsyncClient, database: Database, running: RunningApp
) -> None:
    """A new route is closed until somebody lists it, whatever its body."""
    support, user = await somebody(client, database, "support", "support"), await somebody(client, database, "user")
    headers = await act_as(client, support, user)
    async with running() as app, client_of(app) as other:
        document = app.openapi()["paths"]
        names = {"user_id", "key_id", "session_id", "reservation_id", "override_id", "note_id", "bulk_action_id"}
        for path, known in document.items():
            if not path.startswith("/v1/") or path == "/v1/auth/logout":
                continue
            url = path
            for name in names:
                url = url.replace(f"{{{name}}}", "01920000-0000-7000-8000-000000000001")
            for method in known:
                if method in {"post", "put", "patch", "delete"}:
                    answer = await other.request(method, url, json={}, headers=headers)
                    assert answer.status_code == 403, (method, path, answer.text)
                    assert answer.json()["code"].startswith("impersonation_"), (method, path)


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
            assert (await last_act(database))["after"] == {"method": "POST", "path": "/v1/auth/logout"}
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
