"""Every operation of the back office by everybody: as the table of permissions says, and each write is in the log.

An operation that is not listed here fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.admin.permissions import PERMISSIONS, Permission, allowed
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.tests.http.calls import Headers
from backend.tests.http.test_admin_http import acts, last_act, somebody

NOBODYS = "01920000-0000-7000-8000-000000000001"
DOCUMENT = {"document": (REPOSITORY / "plans.toml").read_text()}
GRANT = {"meter": "jobs", "kind": "add", "amount": 1, "reason": "a test"}


@dataclass(frozen=True)
class Operation:
    """One operation: which permission it needs (None: any role), and how the audit log names what it did.

    `refused` is what it answers to whom it is allowed where the target of this test is in no state for it.
    """

    method: str
    path: str
    permission: Permission | None
    body: Mapping[str, Any] | None = None
    action: str | None = None
    refused: int | None = None


# In an order in which each finds its target.
OPERATIONS = (
    Operation("GET", "me", None),
    Operation("GET", "stats", "stats.read"),
    Operation("GET", "health", "stats.read"),
    Operation("GET", "plans", "stats.read"),
    Operation("POST", "plans/preview", "stats.read", DOCUMENT),
    Operation("POST", "plans", "plans.write", {**DOCUMENT, "ticket": "none"}, refused=409),
    Operation("GET", "audit-logs", "audit.read"),
    Operation("GET", "audit-logs/export", "audit.read"),
    Operation("GET", "stream", "decisions.read"),
    Operation("GET", "decisions", "decisions.read"),
    Operation("GET", "decisions/{decision}", "decisions.read", refused=404),
    Operation("POST", "decisions/{decision}/simulate", "decisions.read", {"plan": "pro"}, refused=404),
    Operation("GET", "overrides", "users.read"),
    Operation("GET", "users", "users.read"),
    Operation("GET", "users/{user_id}", "users.read"),
    Operation("PATCH", "users/{user_id}", "users.edit", {"name": "Ada"}, "user.edit"),
    Operation("GET", "users/{user_id}/notes", "users.read"),
    Operation("POST", "users/{user_id}/notes", "notes.write", {"text": "a test"}, "user.notes.create"),
    Operation("DELETE", "users/{user_id}/notes/{note_id}", "notes.write", refused=404),
    Operation("GET", "users/{user_id}/overrides", "users.read"),
    Operation("POST", "users/{user_id}/overrides", "overrides.write", GRANT, "user.overrides.create"),
    Operation("DELETE", "users/{user_id}/overrides/{override_id}", "overrides.write", refused=404),
    Operation("GET", "accounts/{account_id}/overrides", "users.read"),
    Operation("POST", "accounts/{account_id}/overrides", "overrides.write", GRANT, "user.overrides.create"),
    Operation("DELETE", "accounts/{account_id}/overrides/{override_id}", "overrides.write", refused=404),
    Operation("POST", "users/{user_id}/impersonate", "users.impersonate", {"reason": "a test"}, "user.impersonate"),
    Operation("POST", "users/{user_id}/lock", "users.lock", {"reason": "a test"}, "user.lock"),
    Operation("POST", "users/{user_id}/unlock", "users.lock", None, "user.unlock"),
    Operation("POST", "users/{user_id}/roles", "users.roles", {"roles": []}, "user.roles"),
    Operation("POST", "users/{user_id}/revoke-sessions", "users.sessions", None, "user.revoke_sessions"),
    Operation("POST", "users/{user_id}/reset-2fa", "users.second_factor", refused=409),
    Operation("POST", "users/{user_id}/resend-verification", "users.edit", refused=409),
    Operation("POST", "users/{user_id}/clear-rate-limits", "users.edit", None, "user.clear_rate_limits"),
    Operation("POST", "users/{user_id}/upgrade-plan", "plans.assign", {"plan_name": "pro"}, "user.upgrade_plan"),
    Operation("GET", "bulk-actions", "users.read"),
    Operation("POST", "bulk-actions/preview", "users.lock", {"action": "lock", "ids": [NOBODYS]}),
    Operation(
        "POST",
        "bulk-actions",
        "users.lock",
        {"action": "lock", "ids": [NOBODYS], "ticket": "none", "reason": "a test"},
        refused=409,
    ),
    Operation("GET", "bulk-actions/{bulk_action_id}", "users.read", refused=404),
    Operation("POST", "bulk-actions/{bulk_action_id}/stop", "users.read", refused=404),
    Operation("GET", "users/{user_id}/deletion", "users.delete"),
    Operation("DELETE", "users/{user_id}", "users.delete", None, "user.delete"),
)


async def call(client: httpx.AsyncClient, headers: Headers, operation: Operation, names: Mapping[str, str]) -> Any:
    url = f"/v1/admin/{operation.path.format(**names)}"
    return await client.request(operation.method, url, json=operation.body, headers=headers)


def test_every_operation_is_listed(app: FastAPI) -> None:
    known = {
        (method.upper(), path.removeprefix("/v1/admin/"))
        for path, operations in app.openapi()["paths"].items()
        if path.startswith("/v1/admin/")
        for method in operations
    }
    assert {(operation.method, operation.path) for operation in OPERATIONS} == known


@pytest.mark.parametrize("role", ["anonymous", "user", "admin without a second factor", *PERMISSIONS])
async def test_each_may_what_the_table_says_and_each_write_is_in_the_log(
    client: httpx.AsyncClient, database: Database, role: str
) -> None:
    await somebody(client, database, "root", "superadmin")  # somebody stays, whatever is taken from others
    target = await somebody(client, database, "target")
    account = (await client.get("/v1/auth/me", headers=target.headers)).json()["account"]["id"]
    names = dict.fromkeys(("decision", "note_id", "override_id", "bulk_action_id"), NOBODYS)
    names |= {"user_id": target.id, "account_id": account}
    roles = {"admin"} if role.startswith("admin") else {one for one in PERMISSIONS if one == role}
    headers: Headers = {}
    if role != "anonymous":
        caller = await somebody(client, database, "caller", *roles, second_factor=role in PERMISSIONS)
        headers = caller.headers
    for operation in OPERATIONS:
        before = await acts(database)
        answer = await call(client, headers, operation, names)
        where = (operation.method, operation.path, answer.text[:300])
        expected: tuple[int, str | None] = (operation.refused or 0, None)
        if role == "anonymous":
            expected = (401, "unauthenticated")
        elif not roles or (operation.permission and not allowed(frozenset(roles), operation.permission)):
            expected = (403, "permission_missing")
        elif role not in PERMISSIONS:
            expected = (403, "second_factor_needed")
        if expected[0]:
            assert answer.status_code == expected[0], where
            assert expected[1] in (None, answer.json()["code"]), where
        else:
            assert answer.is_success, where
        written = await acts(database) - before
        assert written == (1 if operation.action and answer.is_success else 0), where
        if written:
            act = await last_act(database)
            assert (act["action"], act["target_id"]) == (operation.action, target.id), where
            assert (str(act["actor_id"]), act["request_id"]) == (caller.id, answer.headers["X-Request-Id"]), where
