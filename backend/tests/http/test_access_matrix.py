"""Who may do what: every operation of the API by every kind of caller. An operation that is not listed fails a test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.auth.service.operators import SUPERADMIN, grant_role
from backend.core.ids import UserId
from backend.db.session import Database
from backend.tests.factories.users import PASSWORD
from backend.tests.fakes.issuer import running_issuer
from backend.tests.http.calls import Headers, bearer, client_of, customer, scoped_key, service_key, signed_up
from backend.tests.http.conftest import RunningApp
from backend.tests.http.test_accounts_http import set_plan, trusted
from backend.tests.moments import NOW

OK = 0  # whatever the operation answers to somebody who may do it

# What each kind of operation answers: in the order of CALLERS.
CALLERS = (
    "anonymous",
    "owner",
    "another user, naming the owner's account",
    "developer of the team",
    "viewer of the team",
    "member of another team, naming this one",
    "user of the host's issuer",
    "guest of a portal link",
    "revoked key",
    "service key without the scope",
    "personal key that may read",
    "service key of the host",
    "operator",
)
ACCESS: Mapping[str, tuple[int, ...]] = {
    "public": (OK,) * 13,
    "read": (401, OK, 404, OK, OK, 404, OK, OK, 401, 403, OK, 403, OK),
    "ask": (401, OK, 404, OK, OK, 404, OK, OK, 401, 403, OK, OK, OK),
    "spend": (401, OK, 404, OK, 403, 404, OK, OK, 401, 403, 403, OK, OK),
    "spend own": (401, OK, 404, OK, 403, 404, OK, OK, 401, 403, 403, 403, OK),
    "session": (401, OK, 404, OK, OK, 404, 403, OK, 401, 403, 403, 403, OK),
    "user": (401, OK, 404, OK, OK, 404, 403, 403, 401, 403, 403, 403, OK),
    "keys": (401, OK, 404, OK, 403, 404, 403, 403, 401, 403, 403, 403, OK),
    "verify": (401, 403, 404, 403, 403, 404, 403, 403, 401, OK, 403, 403, 403),
    "operate": (401, 403, 404, 403, 403, 404, 403, 403, 401, 403, 403, 403, OK),
    "host": (401, 403, 404, 403, 403, 404, 403, 403, 401, 403, 403, OK, OK),
}

NOBODYS = "01920000-0000-7000-8000-000000000001"
EMAIL, TOKEN = {"email": "nobody@example.com"}, {"token": "x" * 43}
BULK = {"action": "unlock", "ids": [NOBODYS]}
SPEND = {"meter": "compute", "amount": 1}


@dataclass(frozen=True)
class Operation:
    """One operation, how it is called, and which row of the table is its own."""

    method: str
    path: str
    access: str
    body: dict[str, Any] | None = None


OPERATIONS = [
    Operation("GET", "/health", "public"),
    Operation("GET", "/healthz", "public"),
    Operation("GET", "/readyz", "public"),
    Operation("GET", "/metrics", "public"),
    Operation("GET", "/errors/{code}", "public"),
    Operation("GET", "/dev/mail", "public"),
    Operation("POST", "/v1/auth/register", "public", {**EMAIL, "password": PASSWORD}),
    Operation("GET", "/v1/auth/verify-email", "public"),
    Operation("POST", "/v1/auth/verify-email", "public", TOKEN),
    Operation("POST", "/v1/auth/resend-verification", "public", EMAIL),
    Operation("POST", "/v1/auth/sign-in-link", "public", TOKEN),
    Operation("POST", "/v1/auth/portal-link", "public", TOKEN),
    Operation("POST", "/v1/auth/forgot-password", "public", EMAIL),
    Operation("POST", "/v1/auth/reset-password", "public", {**TOKEN, "new_password": PASSWORD}),
    Operation("GET", "/v1/subscription/plans", "public"),
    Operation("GET", "/v1/subscription/plans/{name}", "public"),
    Operation("GET", "/v1/gateway/denials/{decision}", "public"),
    Operation("GET", "/v1/auth/me", "read"),
    Operation("GET", "/v1/subscription/me", "read"),
    Operation("GET", "/v1/subscription/usage", "read"),
    Operation("GET", "/v1/subscription/rate-limits", "read"),
    Operation("POST", "/v1/usage/check", "ask", SPEND),
    Operation("POST", "/v1/usage/consume", "spend", SPEND),
    Operation("POST", "/v1/usage/reserve", "spend", SPEND),
    Operation("POST", "/v1/usage/reservations/{reservation_id}/commit", "spend", {}),
    Operation("POST", "/v1/usage/reservations/{reservation_id}/release", "spend", {}),
    Operation("POST", "/v1/usage/reservations/{reservation_id}/extend", "spend", {"ttl": 1}),
    Operation("GET", "/v1/usage/series", "ask"),
    Operation("GET", "/v1/usage/notices", "ask"),
    Operation("GET", "/v1/decisions", "ask"),
    Operation("GET", "/v1/decisions/{decision}", "ask"),
    Operation("GET", "/v1/usage/export.csv", "ask"),
    Operation("GET", "/v1/usage/export.json", "ask"),
    Operation("GET", "/v1/usage/live", "ask"),
    Operation("POST", "/v1/usage/events", "host", {"events": [{"id": "one", **SPEND}]}),
    Operation("POST", "/v1/usage/events/{event_id}/retract", "host", {"reason": "a mistake"}),
    Operation("POST", "/v1/usage/events/{event_id}/correct", "host", {"reason": "a mistake", "amount": 2}),
    Operation("GET", "/v1/ping", "spend own"),
    Operation("GET", "/v1/gateway/authorize", "spend own"),
    Operation("GET", "/v1/auth/sessions", "user"),
    Operation("DELETE", "/v1/auth/sessions", "user"),
    Operation("DELETE", "/v1/auth/sessions/{session_id}", "user"),
    Operation("PATCH", "/v1/auth/me", "user", {"theme": "dark"}),
    Operation("POST", "/v1/auth/2fa/enable-init", "user"),
    Operation("POST", "/v1/auth/2fa/enable-complete", "user", {"challenge_id": "x", "otp": "000000"}),
    Operation("POST", "/v1/auth/2fa/recovery-codes", "user", {"otp": "000000"}),
    Operation("POST", "/v1/auth/2fa/disable", "user", {"password": PASSWORD}),
    Operation("POST", "/v1/auth/change-password", "user", {"new_password": PASSWORD}),
    Operation("GET", "/v1/keys", "keys"),
    Operation("POST", "/v1/keys", "keys", {"name": "ci"}),
    Operation("POST", "/v1/keys/{key_id}/rotate", "keys"),
    Operation("DELETE", "/v1/keys/{key_id}", "keys"),
    Operation("POST", "/v1/keys/verify", "verify", {"key": "x"}),
    Operation("PUT", "/v1/accounts/{external_id}", "host", {}),
    Operation("GET", "/v1/accounts/{external_id}", "host"),
    Operation("PUT", "/v1/accounts/{external_id}/members/{subject}", "host", {"role": "viewer"}),
    Operation("DELETE", "/v1/accounts/{external_id}/members/{subject}", "host"),
    Operation("POST", "/v1/accounts/{external_id}/portal-session", "host", {}),
    Operation("DELETE", "/v1/accounts/{external_id}", "host"),
    # By which role of an operator: test_admin_http.py.
    Operation("GET", "/v1/admin/me", "operate"),
    Operation("GET", "/v1/admin/stats", "operate"),
    Operation("GET", "/v1/admin/audit-logs", "operate"),
    Operation("GET", "/v1/admin/audit-logs/export", "operate"),
    Operation("GET", "/v1/admin/health", "operate"),
    Operation("GET", "/v1/admin/stream", "operate"),
    Operation("GET", "/v1/admin/users", "operate"),
    Operation("GET", "/v1/admin/users/{user_id}", "operate"),
    Operation("PATCH", "/v1/admin/users/{user_id}", "operate", {"name": "Ada"}),
    Operation("DELETE", "/v1/admin/users/{user_id}", "operate"),
    Operation("GET", "/v1/admin/users/{user_id}/deletion", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/lock", "operate", {"reason": "a test"}),
    Operation("POST", "/v1/admin/users/{user_id}/unlock", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/roles", "operate", {"roles": []}),
    Operation("POST", "/v1/admin/users/{user_id}/reset-2fa", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/resend-verification", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/revoke-sessions", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/clear-rate-limits", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/impersonate", "operate", {"reason": "a test"}),
    Operation("POST", "/v1/admin/users/{user_id}/upgrade-plan", "operate", {"plan_name": "pro"}),
    Operation("GET", "/v1/admin/users/{user_id}/overrides", "operate"),
    Operation(
        "POST",
        "/v1/admin/users/{user_id}/overrides",
        "operate",
        {"meter": "jobs", "kind": "add", "amount": 1, "reason": "a test"},
    ),
    Operation("DELETE", "/v1/admin/users/{user_id}/overrides/{override_id}", "operate"),
    Operation("GET", "/v1/admin/overrides", "operate"),
    Operation("GET", "/v1/admin/accounts/{account_id}/overrides", "operate"),
    Operation(
        "POST",
        "/v1/admin/accounts/{account_id}/overrides",
        "operate",
        {"meter": "jobs", "kind": "add", "amount": 1, "reason": "a test"},
    ),
    Operation("DELETE", "/v1/admin/accounts/{account_id}/overrides/{override_id}", "operate"),
    Operation("GET", "/v1/admin/decisions", "operate"),
    Operation("GET", "/v1/admin/decisions/{decision}", "operate"),
    Operation("POST", "/v1/admin/decisions/{decision}/simulate", "operate", {"plan": "pro"}),
    Operation("GET", "/v1/admin/users/{user_id}/notes", "operate"),
    Operation("POST", "/v1/admin/users/{user_id}/notes", "operate", {"text": "a test"}),
    Operation("DELETE", "/v1/admin/users/{user_id}/notes/{note_id}", "operate"),
    Operation("GET", "/v1/admin/plans", "operate"),
    Operation("POST", "/v1/admin/plans/preview", "operate", {"document": "schema = 1"}),
    Operation("POST", "/v1/admin/plans", "operate", {"document": "schema = 1", "ticket": "x"}),
    Operation("GET", "/v1/admin/bulk-actions", "operate"),
    Operation("POST", "/v1/admin/bulk-actions/preview", "operate", BULK),
    Operation("POST", "/v1/admin/bulk-actions", "operate", {**BULK, "ticket": "x", "reason": "a test"}),
    Operation("GET", "/v1/admin/bulk-actions/{bulk_action_id}", "operate"),
    Operation("POST", "/v1/admin/bulk-actions/{bulk_action_id}/stop", "operate"),
    Operation("POST", "/v1/auth/logout", "session"),
]
# These answer 401 about what is in their body, to everybody alike.
OWN_CREDENTIAL = [
    Operation("POST", "/v1/auth/login", "public", {**EMAIL, "password": PASSWORD}),
    Operation("POST", "/v1/auth/refresh", "public", {"refresh_token": "x" * 43}),
    Operation("POST", "/v1/auth/2fa/verify", "public", {"challenge_id": "x", "otp": "000000"}),
    Operation("POST", "/v1/auth/recovery-login", "public", {"challenge_id": "x", "recovery_code": "x"}),
]


async def callers(client: httpx.AsyncClient, database: Database, foreign_token: str) -> dict[str, Headers]:
    """One of each kind; `team` is an account of the host, with two members."""
    host = await service_key(database, "usage:read", "usage:write", "accounts:create")
    for account in ("team", "other-team"):
        assert (await client.put(f"/v1/accounts/{account}", json={}, headers=host)).status_code == 200
    team_id = (await client.get("/v1/accounts/team", headers=host)).json()["id"]
    await set_plan(database, team_id, "enterprise")  # five of the callers share its rate limit
    people, ids = {}, {}
    for name in ("owner", "other", "developer", "viewer", "stranger", "operator"):
        people[name] = bearer((await signed_up(client, f"{name}@example.com"))["access_token"])
        me = (await client.get("/v1/auth/me", headers=people[name])).json()
        ids[name] = me
    for name, account in (("developer", "team"), ("viewer", "team"), ("stranger", "other-team")):
        role = "viewer" if name == "viewer" else "developer"
        path = f"/v1/accounts/{account}/members/{ids[name]['id']}"
        assert (await client.put(path, json={"role": role}, headers=host)).status_code == 200
    async with database.system() as session:
        await grant_role(session, user_id=UserId(ids["operator"]["id"]), role=SUPERADMIN)
    link = (await client.post("/v1/accounts/team/portal-session", headers=host)).json()["url"]
    guest = await client.post("/v1/auth/portal-link", json={"token": link.partition("?token=")[2]})
    someone, gone = await customer(database), await customer(database)
    async with database.system() as session:
        await session.execute(
            text("UPDATE api_keys SET revoked_at = now() WHERE account_id = :id"), {"id": gone.person.account_id}
        )
    team = {"Feature-Account": "external:team"}
    made: list[Headers] = [
        {},
        people["owner"],
        {**people["other"], "Feature-Account": ids["owner"]["account"]["id"]},
        {**people["developer"], **team},
        {**people["viewer"], **team},
        {**people["stranger"], **team},
        bearer(foreign_token),
        bearer(guest.json()["access_token"]),
        gone.headers,
        await service_key(database, "keys:verify"),
        await scoped_key(database, someone, "usage:read"),
        host,
        people["operator"],
    ]
    return dict(zip(CALLERS, made, strict=True))


def outcome(answer: httpx.Response) -> int:
    """401, 403, or 404 for an account that the caller may not name; otherwise it was done or judged by its content."""
    assert answer.status_code < 500, answer.text
    assert answer.status_code != 429 or answer.json()["code"] == "too_many_attempts", answer.text
    if answer.status_code in {401, 403}:
        return answer.status_code
    return 404 if answer.status_code == 404 and answer.json()["code"] == "account_unknown" else OK


async def test_every_operation_by_every_caller(running: RunningApp, database: Database) -> None:
    with running_issuer() as issuer:
        async with (
            running(trusted_issuers=trusted(issuer), rate_limit_allowlist="192.0.2.1") as app,
            client_of(app) as client,
        ):
            document = app.openapi()["paths"]
            listed = {(operation.method, operation.path) for operation in OPERATIONS + OWN_CREDENTIAL}
            stated = {(method.upper(), path) for path, known in document.items() for method in known}
            assert listed == stated, "list new operations here, with who may call them"
            known = await callers(client, database, issuer.token(now=NOW, org="team"))
            wrong = []
            for operation in OPERATIONS:
                for (name, headers), expected in zip(known.items(), ACCESS[operation.access], strict=True):
                    found = outcome(await call(client, operation, headers, known["service key of the host"]))
                    if found != expected:
                        wrong.append((operation.method, operation.path, name, found, expected))
            assert wrong == []


async def call(client: httpx.AsyncClient, operation: Operation, headers: Headers, host: Headers) -> httpx.Response:
    path = operation.path.format(
        code="internal_error",
        name="pro",
        reservation_id=NOBODYS,
        event_id="one",
        session_id=NOBODYS,
        key_id=NOBODYS,
        user_id=NOBODYS,
        override_id=NOBODYS,
        account_id="external:team",
        note_id=NOBODYS,
        bulk_action_id=NOBODYS,
        decision="nobodys",
        subject="someone",
        external_id="gone" if operation.method == "DELETE" and operation.path.endswith("external_id}") else "team",
    )
    if path == "/v1/accounts/gone":  # it is deleted by each caller who may
        await client.put(path, json={}, headers=host)
    body, parameters = operation.body, {}
    if operation.path.startswith("/v1/usage/"):
        named = {"account_id": "external:team"} if headers == host else {}
        if operation.method == "GET":
            parameters = {"meter": "jobs", "from": "2026-03-01", **named}
        elif body and "events" in body:
            body = {"events": [{**body["events"][0], **named}]}
        else:
            body = {**(body or {}), **named} if named else body
    return await client.request(operation.method, path, json=body, params=parameters, headers=headers)


@pytest.mark.parametrize("operation", OWN_CREDENTIAL, ids=lambda operation: operation.path)
async def test_what_is_judged_by_its_body_is_so_for_everybody(
    client: httpx.AsyncClient, database: Database, operation: Operation
) -> None:
    who = await customer(database)
    codes = set()
    for headers in ({}, who.headers, bearer("nonsense")):
        answer = await client.request(operation.method, operation.path, json=operation.body, headers=headers)
        assert answer.status_code == 401
        codes.add(answer.json()["code"])
    assert len(codes) == 1
    assert codes != {"unauthenticated"}
