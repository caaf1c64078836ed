"""The back office over HTTP: who may do what to whom, and that each act is written down with its transaction."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.admin.permissions import PERMISSIONS, OperatorRole
from backend.auth.service.operators import grant_role
from backend.core.ids import UserId
from backend.db.session import Database
from backend.tests.factories.users import PASSWORD
from backend.tests.http.calls import Headers, bearer, link_token, mails, service_key, signed_up
from backend.tests.turns import turns_true

NOBODY = "01920000-0000-7000-8000-000000000001"
_LAST = text("SELECT * FROM audit_events ORDER BY id DESC LIMIT 1")
_COUNT = text("SELECT count(*) FROM audit_events")


@dataclass(frozen=True)
class Somebody:
    """A signed-in user."""

    id: str
    email: str
    headers: Headers


async def somebody(
    client: httpx.AsyncClient, database: Database, name: str, *roles: str, second_factor: bool = True
) -> Somebody:
    email = f"{name}@example.com"
    headers = bearer((await signed_up(client, email))["access_token"])
    me = (await client.get("/v1/auth/me", headers=headers)).json()
    async with database.system() as session:
        await session.execute(
            text("UPDATE users SET mfa_enabled = :on WHERE id = :id"),
            {"on": bool(roles) and second_factor, "id": me["id"]},
        )
        for role in roles:
            await grant_role(session, user_id=UserId(UUID(me["id"])), role=role)
    return Somebody(me["id"], email, headers)


async def last_act(database: Database) -> Mapping[str, Any]:
    async with database.read() as session:
        return dict((await session.execute(_LAST)).one()._mapping)


async def is_refused(client: httpx.AsyncClient, headers: Headers) -> bool:
    return (await client.get("/v1/ping", headers=headers)).status_code == 401


async def acts(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(_COUNT) or 0


# What is done to one user, with its body.
ACTS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("PATCH", "users/{id}", {"name": "Ada"}),
    ("POST", "users/{id}/lock", {"reason": "a test"}),
    ("POST", "users/{id}/unlock", None),
    ("POST", "users/{id}/roles", {"roles": []}),
    ("POST", "users/{id}/revoke-sessions", None),
    ("POST", "users/{id}/reset-2fa", None),
    ("POST", "users/{id}/resend-verification", None),
    ("POST", "users/{id}/clear-rate-limits", None),
    ("POST", "users/{id}/upgrade-plan", {"plan_name": "pro"}),
    ("POST", "users/{id}/impersonate", {"reason": "a test"}),
    ("POST", "users/{id}/notes", {"text": "a test"}),
    ("DELETE", "users/{id}", None),
)


async def call(
    client: httpx.AsyncClient, who: Headers, method: str, path: str, target: str, body: Any
) -> httpx.Response:
    return await client.request(method, f"/v1/admin/{path.format(id=target)}", json=body, headers=who)


@pytest.mark.parametrize("role", PERMISSIONS)
async def test_operators_are_told_what_their_roles_allow(
    client: httpx.AsyncClient, database: Database, role: OperatorRole
) -> None:
    caller = await somebody(client, database, "caller", role)
    told = (await client.get("/v1/admin/me", headers=caller.headers)).json()
    assert (told["user_id"], told["email"], told["roles"]) == (caller.id, caller.email, [role])
    assert set(told["permissions"]) == PERMISSIONS[role]
    assert told["permissions"] == sorted(told["permissions"])


async def test_operators_need_a_second_factor_and_superadmins_do_not(
    client: httpx.AsyncClient, database: Database
) -> None:
    admin = await somebody(client, database, "admin", "admin", second_factor=False)
    answer = await client.get("/v1/admin/users", headers=admin.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed")
    root = await somebody(client, database, "root", "superadmin", second_factor=False)
    assert (await client.get("/v1/admin/users", headers=root.headers)).status_code == 200


async def test_operators_are_changed_by_superadmins_and_the_last_of_them_stays(
    client: httpx.AsyncClient, database: Database
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    admin = await somebody(client, database, "admin", "admin")
    before = await acts(database)
    changes: tuple[tuple[str, str, Any], ...] = (
        ("POST", "users/{id}/lock", {"reason": "x"}),
        ("PATCH", "users/{id}", {"email": "taken-over@example.com"}),
        ("POST", "users/{id}/revoke-sessions", None),
        ("DELETE", "users/{id}", None),
    )
    for method, path, body in changes:
        answer = await call(client, admin.headers, method, path, root.id, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "target_protected"), path
    ends: tuple[tuple[str, str, Any], ...] = (
        ("POST", "users/{id}/lock", {"reason": "x"}),
        ("DELETE", "users/{id}", None),
        ("POST", "users/{id}/roles", {"roles": ["admin"]}),
    )
    for method, path, body in ends:
        answer = await call(client, root.headers, method, path, root.id, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "target_protected"), path
    assert await acts(database) == before
    answer = await call(client, root.headers, "POST", "users/{id}/roles", admin.id, {"roles": ["superadmin", "admin"]})
    assert answer.json() == {"roles": ["admin", "superadmin"]}
    answer = await call(client, root.headers, "POST", "users/{id}/roles", root.id, {"roles": ["read_only"]})
    assert answer.status_code == 200
    act = await last_act(database)
    assert (act["before"], act["after"]) == ({"roles": ["superadmin"]}, {"roles": ["read_only"]})


async def test_a_locked_user_is_out_at_once_and_a_deleted_one_frees_the_address(
    client: httpx.AsyncClient, database: Database
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    user = await somebody(client, database, "user")
    await call(client, root.headers, "POST", "users/{id}/upgrade-plan", user.id, {"plan_name": "pro"})
    answer = await call(client, root.headers, "POST", "users/{id}/lock", user.id, {"reason": "unpaid"})
    assert answer.status_code == 200
    assert (await client.get("/v1/auth/me", headers=user.headers)).status_code == 401
    act = await last_act(database)
    assert (act["action"], act["reason"], str(act["actor_id"])) == ("user.lock", "unpaid", root.id)
    assert (act["before"], act["after"]) == ({"status": "active"}, {"status": "suspended"})
    answer = await call(client, root.headers, "POST", "users/{id}/lock", user.id, {"reason": "again"})
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")
    assert (await call(client, root.headers, "DELETE", "users/{id}", user.id, None)).status_code == 200
    whole = (await call(client, root.headers, "GET", "users/{id}", user.id, None)).json()
    assert (whole["status"], whole["usage"], whole["plan"]) == ("deleted", None, "free")
    for method, path, body in ACTS:
        answer = await call(client, root.headers, method, path, user.id, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "user_unknown"), path
    assert (await signed_up(client, user.email))["access_token"]


async def test_search_by_address_name_id_plan_and_role(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    ada, ben = await somebody(client, database, "ada.lovelace"), await somebody(client, database, "ben_50%")
    await call(client, root.headers, "PATCH", "users/{id}", ben.id, {"name": "Benjamin Ünal"})
    await call(client, root.headers, "POST", "users/{id}/upgrade-plan", ada.id, {"plan_name": "pro"})

    async def found(**query: Any) -> list[str]:
        answer = await client.get("/v1/admin/users", params=query, headers=root.headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["total"] == len(body["items"])
        assert body["total_is_exact"]
        return [item["id"] for item in body["items"]]

    assert await found() == [ben.id, ada.id, root.id]
    assert await found(q="LOVE") == [ada.id]
    assert await found(q="ad") == [ada.id]
    assert await found(q="ünal") == [ben.id]
    assert await found(q="50%@exa") == [ben.id]
    assert await found(q="50%") == []
    assert await found(q="_") == await found(q="%") == []
    assert await found(q=ada.id) == [ada.id]
    assert await found(plan="pro") == [ada.id]
    assert await found(plan="free", sort="created_at") == [root.id, ben.id]
    assert await found(plan="nothing") == []
    assert await found(role="superadmin") == [root.id]
    assert await found(status="suspended") == []
    assert await found(sort="email") == [ada.id, ben.id, root.id]
    whole = (await client.get(f"/v1/admin/users/{ada.id}", headers=root.headers)).json()
    assert (whole["plan"], whole["subscription"]["status"]) == ("pro", "active")
    assert len(whole["sessions"]) == 1
    assert whole["usage"]["usage"]["api_calls"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "users?page=0", None, 422),
        ("GET", "users?page=501&page_size=20", None, 422),
        ("GET", "users?page_size=101", None, 422),
        ("GET", "users?status=odd", None, 422),
        ("GET", "users?sort=password_hash", None, 422),
        ("GET", "users?q=%00", None, 422),
        ("GET", "users/no-id", None, 422),
        ("GET", f"users/{NOBODY}", None, 404),
        ("PATCH", "users/{id}", {"email": None}, 422),
        ("PATCH", "users/{id}", {"email": "no address"}, 422),
        ("PATCH", "users/{id}", {"email": "root@example.com"}, 409),
        ("PATCH", "users/{id}", {"role": "superadmin"}, 422),
        ("PATCH", "users/{id}", {"is_superadmin": True}, 422),
        ("PATCH", "users/{id}", {"plan_id": NOBODY}, 422),
        ("PATCH", "users/{id}", {"name": "a\u0000b"}, 400),
        ("POST", "users/{id}/lock", {}, 422),
        ("POST", "users/{id}/lock", {"reason": ""}, 422),
        ("POST", "users/{id}/lock", {"reason": " \t"}, 422),
        ("PATCH", "users/{id}", {"name": "  "}, 422),
        ("POST", "users/{id}/lock", {"reason": "x" * 501}, 422),
        ("POST", "users/{id}/unlock", None, 409),
        ("POST", "users/{id}/roles", {"roles": ["god"]}, 422),
        ("POST", "users/{id}/reset-2fa", None, 409),
        ("POST", "users/{id}/resend-verification", None, 409),
        ("POST", "users/{id}/upgrade-plan", {"plan_name": "none"}, 422),
        ("POST", "users/{id}/upgrade-plan", {"plan_name": "pro", "duration_days": 0}, 422),
        ("POST", f"users/{NOBODY}/lock", {"reason": "x"}, 404),
        ("GET", "audit-logs?from=yesterday", None, 422),
        ("GET", "audit-logs?from=1", None, 422),
        ("GET", "audit-logs?actor=me", None, 422),
        ("GET", "audit-logs?action=%00", None, 422),
    ],
)
async def test_bad_input_is_told_and_changes_nothing(
    client: httpx.AsyncClient, database: Database, method: str, path: str, body: Any, status: int
) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    before = (await client.get(f"/v1/admin/users/{user.id}", headers=root.headers)).json()
    answer = await call(client, root.headers, method, path, user.id, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert await acts(database) == 0
    after = (await client.get(f"/v1/admin/users/{user.id}", headers=root.headers)).json()
    assert [after[name] for name in ("email", "name", "status", "roles", "plan")] == [
        before[name] for name in ("email", "name", "status", "roles", "plan")
    ]


async def test_limits_links_and_factors_are_reset(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    assert (
        await client.post("/v1/auth/register", json={"email": "new@example.com", "password": PASSWORD})
    ).status_code == 202
    listed = await client.get("/v1/admin/users", params={"status": "unverified"}, headers=root.headers)
    (new,) = listed.json()["items"]
    sent = len(await mails(client, "new@example.com"))
    assert (
        await call(client, root.headers, "POST", "users/{id}/resend-verification", new["id"], None)
    ).status_code == 200
    assert len(await mails(client, "new@example.com")) == sent + 1

    user = await somebody(client, database, "user")
    wrong = {"email": user.email, "password": "not this password"}
    answers = [(await client.post("/v1/auth/login", json=wrong)).status_code for _ in range(11)]
    assert answers[-1] == 429
    assert (await call(client, root.headers, "POST", "users/{id}/clear-rate-limits", user.id, None)).status_code == 200
    right = await client.post("/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert right.status_code == 200
    spent = await client.get("/v1/ping", headers=user.headers)
    answer = await call(client, root.headers, "POST", "users/{id}/clear-rate-limits", user.id, None)
    assert spent.status_code == 200
    assert answer.json()["cleared_count"] >= 1
    ended = await call(client, root.headers, "POST", "users/{id}/revoke-sessions", user.id, None)
    assert ended.json() == {"revoked_count": 2}


async def test_statistics_count_what_is_there(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    user = await somebody(client, database, "user")
    await call(client, root.headers, "POST", "users/{id}/upgrade-plan", user.id, {"plan_name": "pro"})
    found = (await client.get("/v1/admin/stats", headers=root.headers)).json()
    assert (found["total_users"], found["active_users"], found["superadmins"]) == (2, 2, 1)
    assert found["subscriptions_by_plan"] == {"pro": 1}
    assert found["total_active_subscriptions"] == 1
    assert found["active_sessions"] == 2
    assert found["mrr_cents"] == 0
    async with database.system() as session:
        await session.execute(
            text("""
                UPDATE user_subscriptions s SET price_id = r.id FROM plan_prices r
                WHERE r.plan_version_id = s.plan_version_id AND r.interval = 'month'
            """)
        )
    assert (await client.get("/v1/admin/stats", headers=root.headers)).json()["mrr_cents"] == 1_999


async def test_the_log_is_filtered_and_its_csv_runs_nothing(client: httpx.AsyncClient, database: Database) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    await call(client, root.headers, "POST", "users/{id}/lock", user.id, {"reason": '=HYPERLINK("http://evil")'})
    await call(client, root.headers, "POST", "users/{id}/unlock", user.id, None)

    async def actions(**query: Any) -> list[str]:
        answer = await client.get("/v1/admin/audit-logs", params=query, headers=root.headers)
        return [item["action"] for item in answer.json()["items"]]

    assert await actions() == await actions(action="user.") == ["user.unlock", "user.lock"]
    assert await actions(action="user.lock", target_id=user.id, actor=root.id) == ["user.lock"]
    assert await actions(action="use") == await actions(actor=user.id) == await actions(action="%.") == []
    assert await actions(**{"from": "2100-01-01T00:00:00Z"}) == []
    assert await actions(page_size=1, page=2) == ["user.lock"]
    csv = (await client.get("/v1/admin/audit-logs/export", headers=root.headers)).text
    assert csv.splitlines()[0].startswith("id,at,action,")
    assert '"\'=HYPERLINK(""http://evil"")"' in csv
    assert len(csv.splitlines()) == 3


async def test_who_reads_the_old_mailbox_keeps_nothing_when_an_address_is_changed(
    client: httpx.AsyncClient, database: Database
) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    await client.post("/v1/auth/forgot-password", json={"email": user.email})
    old_link = await link_token(client, user.email)
    answer = await call(client, root.headers, "PATCH", "users/{id}", user.id, {"email": "New@Example.com"})
    assert answer.status_code == 200
    act = await last_act(database)
    assert (act["action"], act["before"]) == ("user.change_address", {"email": user.email})
    assert act["after"] == {"email": "new@example.com"}
    assert (await mails(client, user.email))[0]["subject"] == "Your address was changed"
    assert (await client.get("/v1/auth/me", headers=user.headers)).status_code == 401
    reset = {"token": old_link, "new_password": PASSWORD}
    assert (await client.post("/v1/auth/reset-password", json=reset)).json()["code"] == "link_invalid"
    login = {"email": "new@example.com", "password": PASSWORD}
    assert (await client.post("/v1/auth/login", json=login)).status_code == 401
    token = await link_token(client, "new@example.com")
    assert (await client.get("/v1/auth/verify-email", params={"token": token})).status_code == 200
    assert (await client.post("/v1/auth/login", json=login)).status_code == 200


async def test_support_gives_nobody_another_address(client: httpx.AsyncClient, database: Database) -> None:
    support = await somebody(client, database, "support", "support")
    user = await somebody(client, database, "user")
    answer = await call(client, support.headers, "PATCH", "users/{id}", user.id, {"email": "mine@example.com"})
    assert (answer.status_code, answer.json()["permission"]) == (403, "users.address")
    assert await acts(database) == 0


@pytest.mark.parametrize("role", ["superadmin", "admin", "billing", "support"])
async def test_operators_do_not_help_themselves(client: httpx.AsyncClient, database: Database, role: str) -> None:
    me = await somebody(client, database, "me", role)
    override = {"meter": "jobs", "kind": "add", "amount": 1, "reason": "I like it"}
    wanted: tuple[tuple[str, str, Any], ...] = (
        ("PATCH", "users/{id}", {"email": "mine@example.com"}),
        ("POST", "users/{id}/reset-2fa", None),
        ("POST", "users/{id}/lock", {"reason": "x"}),
        ("DELETE", "users/{id}", None),
        ("POST", "users/{id}/upgrade-plan", {"plan_name": "enterprise"}),
        ("POST", "users/{id}/overrides", override),
    )
    for method, path, body in wanted:
        answer = await call(client, me.headers, method, path, me.id, body)
        if role == "superadmin" and path.endswith(("upgrade-plan", "overrides")):
            assert answer.status_code in (200, 201), answer.text
        else:
            assert answer.status_code == 403, path
            assert answer.json()["code"] in ("target_protected", "permission_missing")


async def test_nothing_of_a_deleted_user_works_and_others_keep_what_is_theirs(
    client: httpx.AsyncClient, database: Database
) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    host = await service_key(database, "accounts:create", "usage:read")
    await client.put("/v1/accounts/team", json={}, headers=host)
    for someone in (user, root):
        path = f"/v1/accounts/team/members/{someone.id}"
        assert (await client.put(path, json={"role": "developer"}, headers=host)).status_code == 200
    key = (await client.post("/v1/keys", json={"name": "ci"}, headers=user.headers)).json()["key"]
    assert (await client.get("/v1/ping", headers=bearer(key))).status_code == 200
    assert (await call(client, root.headers, "DELETE", "users/{id}", user.id, None)).status_code == 200
    for headers in (user.headers, bearer(key)):  # who remembers a caller asks again within a second
        await turns_true(functools.partial(is_refused, client, headers), seconds=1)
    members = (await client.get("/v1/accounts/team", headers=host)).json()["members"]
    assert [member["subject"] for member in members] == [root.id]
    async with database.read() as session:
        row = (await session.execute(text("SELECT * FROM users WHERE id = :id"), {"id": user.id})).one()
        assert (row.password_hash, row.status, row.mfa_enabled) == (None, "deleted", False)


async def test_a_user_whole_has_what_was_refused_to_them(
    app: FastAPI, client: httpx.AsyncClient, database: Database
) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    refused = await client.post("/v1/usage/consume", json={"meter": "jobs", "amount": 11}, headers=user.headers)
    assert refused.status_code == 402
    await app.state.denials.flush()
    whole = (await client.get(f"/v1/admin/users/{user.id}", headers=root.headers)).json()
    (denial,) = whole["denials"]
    assert (denial["code"], denial["meter"], denial["requested"], denial["limit"]) == ("quota_exceeded", "jobs", 11, 10)
    assert denial["request_ids"] == [refused.headers["X-Request-Id"]]


async def test_the_log_says_who_by_address_and_is_asked_by_it(client: httpx.AsyncClient, database: Database) -> None:
    root, support = (
        await somebody(client, database, "root", "superadmin"),
        await somebody(client, database, "support", "support"),
    )
    user = await somebody(client, database, "user")
    await call(client, root.headers, "POST", "users/{id}/lock", user.id, {"reason": "=1+1"})
    await call(client, root.headers, "POST", "users/{id}/unlock", user.id, None)
    url, headers = f"/v1/admin/users/{user.id}/impersonate", support.headers
    assert (await client.post(url, json={"reason": "x"}, headers=headers)).status_code == 200

    async def found(**query: str) -> list[tuple[str, str, str]]:
        answer = await client.get("/v1/admin/audit-logs", params=query, headers=root.headers)
        assert answer.status_code == 200, answer.text
        return [(each["action"], each["actor_email"], each["target_email"]) for each in answer.json()["items"]]

    locked, unlocked = ("user.lock", root.email, user.email), ("user.unlock", root.email, user.email)
    acted = ("user.impersonate", support.email, user.email)
    assert await found(target_id=user.email.upper()) == [acted, unlocked, locked]
    assert await found(target_id=user.id, actor=root.email) == await found(actor=root.id) == [unlocked, locked]
    assert await found(actor="nobody@example.com") == await found(target_id="nobody@example.com") == []
    for path in ("audit-logs", "audit-logs/export"):
        answer = await client.get(f"/v1/admin/{path}", params={"actor": "nobody"}, headers=root.headers)
        assert answer.status_code == 422
        assert "nobody" in answer.json()["detail"]
    sheet = (await client.get("/v1/admin/audit-logs/export", params={"actor": root.email}, headers=root.headers)).text
    first, *lines = sheet.splitlines()
    assert first.endswith("seal,actor_email,real_actor_email,target_email")
    assert [line.endswith(f"{root.email},,{user.email}") for line in lines] == [True, True]

    deleted = await client.delete(f"/v1/admin/users/{user.id}", params={"reason": "asked for it"}, headers=root.headers)
    assert deleted.status_code == 200
    act = await last_act(database)
    assert (act["reason"], act["before"]["sessions"], act["before"]["keys"]) == ("asked for it", 1, 0)
    assert (await found(target_id=user.email))[0] == ("user.delete", root.email, user.email)
