"""Ids of others, wherever one may be written: the answer is the one for what does not exist, to the letter."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.core.ids import AccountId, uuid7
from backend.db.models import Account
from backend.db.session import Database
from backend.tests.http.calls import Caller, bearer, client_of, customer, problem, signed_up, spent, table_counts
from backend.tests.moments import NOW

# Where each operation takes an id: a new place fails the test below until it is tried here.
ACTS = (
    "lock",
    "unlock",
    "roles",
    "reset-2fa",
    "resend-verification",
    "revoke-sessions",
    "clear-rate-limits",
    "upgrade-plan",
)
PLACES = {
    ("/v1/usage/check", "account_id"),
    ("/v1/usage/consume", "account_id"),
    ("/v1/usage/reserve", "account_id"),
    ("/v1/usage/reservations/{reservation_id}/commit", "account_id"),
    ("/v1/usage/reservations/{reservation_id}/commit", "reservation_id"),
    ("/v1/usage/reservations/{reservation_id}/release", "account_id"),
    ("/v1/usage/reservations/{reservation_id}/release", "reservation_id"),
    ("/v1/usage/reservations/{reservation_id}/extend", "account_id"),
    ("/v1/usage/reservations/{reservation_id}/extend", "reservation_id"),
    ("/v1/usage/series", "account_id"),
    ("/v1/usage/notices", "account_id"),
    # Tried in test_decisions_http.py.
    ("/v1/decisions", "account_id"),
    ("/v1/decisions", "request_id"),
    ("/v1/decisions/{decision}", "account_id"),
    ("/v1/usage/export.csv", "account_id"),
    ("/v1/usage/export.json", "account_id"),
    ("/v1/usage/live", "account_id"),
    ("/v1/auth/sessions/{session_id}", "session_id"),
    ("/v1/keys/{key_id}", "key_id"),
    ("/v1/keys/{key_id}/rotate", "key_id"),
    # For hosts, who may name every account; tried in test_series_http.py.
    ("/v1/usage/events/{event_id}/retract", "account_id"),
    ("/v1/usage/events/{event_id}/retract", "event_id"),
    ("/v1/usage/events/{event_id}/correct", "account_id"),
    ("/v1/usage/events/{event_id}/correct", "event_id"),
    # Tried in test_second_factor_http.py.
    ("/v1/auth/2fa/verify", "challenge_id"),
    ("/v1/auth/2fa/enable-complete", "challenge_id"),
    ("/v1/auth/recovery-login", "challenge_id"),
    # For operators, who may name every user; tried in test_admin_http.py.
    ("/v1/admin/users/{user_id}", "user_id"),
    *((f"/v1/admin/users/{{user_id}}/{act}", "user_id") for act in ACTS),
    # Tried in test_admin_deletion_http.py.
    ("/v1/admin/users/{user_id}/deletion", "user_id"),
    # Tried in test_admin_overrides_http.py.
    ("/v1/admin/users/{user_id}/overrides", "user_id"),
    ("/v1/admin/users/{user_id}/overrides/{override_id}", "user_id"),
    ("/v1/admin/users/{user_id}/overrides/{override_id}", "override_id"),
    # Tried in test_admin_given_http.py.
    ("/v1/admin/accounts/{account_id}/overrides", "account_id"),
    ("/v1/admin/accounts/{account_id}/overrides/{override_id}", "account_id"),
    ("/v1/admin/accounts/{account_id}/overrides/{override_id}", "override_id"),
    # Tried in test_admin_decisions_http.py.
    ("/v1/admin/decisions", "account_id"),
    ("/v1/admin/decisions", "user_id"),
    ("/v1/admin/decisions/{decision}", "account_id"),
    ("/v1/admin/decisions/{decision}/simulate", "account_id"),
    # Tried in test_impersonation_http.py.
    ("/v1/admin/users/{user_id}/impersonate", "user_id"),
    # Tried in test_admin_notes_http.py and test_admin_bulk_http.py.
    ("/v1/admin/users/{user_id}/notes", "user_id"),
    ("/v1/admin/users/{user_id}/notes/{note_id}", "user_id"),
    ("/v1/admin/users/{user_id}/notes/{note_id}", "note_id"),
    ("/v1/admin/bulk-actions/{bulk_action_id}", "bulk_action_id"),
    ("/v1/admin/bulk-actions/{bulk_action_id}/stop", "bulk_action_id"),
    ("/v1/admin/audit-logs", "target_id"),
    ("/v1/admin/audit-logs", "request_id"),
    ("/v1/admin/audit-logs/export", "target_id"),
    ("/v1/admin/audit-logs/export", "request_id"),
    # Narrows what operators see of everybody; tried in test_admin_stream_http.py.
    ("/v1/admin/stream", "account_id"),
    # Tried in test_accounts_http.py.
    ("/v1/accounts/{external_id}", "external_id"),
    ("/v1/accounts/{external_id}/members/{subject}", "external_id"),
    ("/v1/accounts/{external_id}/portal-session", "external_id"),
}
SPENDING = ("check", "consume", "reserve")
READING = ("series", "notices", "export.csv", "export.json", "live")
SETTLING = ("commit", "release", "extend")


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database)


@pytest.fixture
async def other(database: Database) -> Caller:
    return await customer(database)


def members(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The names of all members of a body, through references."""
    if "$ref" in schema:
        return members(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    found = set(schema.get("properties", {}))
    for part in schema.get("anyOf", []):
        found |= members(document, part)
    return found


def test_every_place_for_an_id_is_tried_here(app: FastAPI) -> None:
    document = app.openapi()
    found = set()
    for path, known in document["paths"].items():
        for operation in known.values():
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                names |= members(document, content["schema"])
            found |= {(path, name) for name in names if name.endswith("_id")}
    assert found == PLACES


def same(one: httpx.Response, two: httpx.Response, *ids: str) -> None:
    """Equal in status, header fields and body, but for the ids that were written and that of the request."""
    first, second = one.json(), two.json()
    for document in (first, second):
        document.pop("request_id")
        document["instance"] = document["instance"].replace(ids[0], "ID").replace(ids[1], "ID")
    assert (one.status_code, first) == (two.status_code, second)
    assert sorted(set(one.headers) - {"x-request-id"}) == sorted(set(two.headers) - {"x-request-id"})


async def test_the_account_of_another_is_unknown(
    client: httpx.AsyncClient, database: Database, who: Caller, other: Caller
) -> None:
    async with database.system() as session:
        session.add(
            Account(id=AccountId(uuid7()), name="host", external_id="org-7", usage_anchor=NOW, billing_zone="UTC")
        )
    pair = await signed_up(client, "ada@example.com")
    before = await table_counts(database)
    for headers in (who.headers, bearer(pair["access_token"])):
        for verb in SPENDING:
            answers = [
                await client.post(
                    f"/v1/usage/{verb}", json={"meter": "jobs", "amount": 1, "account_id": account}, headers=headers
                )
                for account in (other.account_id, str(uuid4()), "external:org-7", "external:org-8", "x", "0" * 36)
            ]
            for answer in answers:
                problem(answer, 404, "account_unknown")
                same(answer, answers[0], other.account_id, "x" * 36)
        for what in READING:
            wanted = {"meter": "jobs", "from": "2026-03-01"}
            answers = [
                await client.get(f"/v1/usage/{what}", params={**wanted, "account_id": account}, headers=headers)
                for account in (other.account_id, str(uuid4()), "external:org-7", "external:org-8", "x")
            ]
            for answer in answers:
                problem(answer, 404, "account_unknown")
                same(answer, answers[0], other.account_id, "x" * 36)
    assert await spent(database, other) == (0, 0)
    assert await table_counts(database) == before


async def test_the_account_of_ones_own_may_be_named(client: httpx.AsyncClient, who: Caller) -> None:
    for written in (who.account_id, who.account_id.upper(), UUID(who.account_id).hex):
        body = {"meter": "jobs", "amount": 1, "account_id": written}
        assert (await client.post("/v1/usage/consume", json=body, headers=who.headers)).status_code == 200


async def reserved(client: httpx.AsyncClient, who: Caller) -> str:
    body = {"meter": "compute", "amount": 60, "ttl": 600}
    answer = await client.post("/v1/usage/reserve", json=body, headers=who.headers)
    return str(answer.json()["reservation_id"])


async def test_the_reservation_of_another_is_unknown(
    client: httpx.AsyncClient, database: Database, who: Caller, other: Caller
) -> None:
    theirs = await reserved(client, other)
    before = await table_counts(database)
    for verb in SETTLING:
        unknown = str(uuid4())
        answers = [
            await client.post(f"/v1/usage/reservations/{each}/{verb}", json={}, headers=who.headers)
            for each in (theirs, unknown)
        ]
        problem(answers[0], 404, "reservation_unknown")
        same(answers[0], answers[1], theirs, unknown)
        # Naming its owner does not help, and tells nothing of the owner.
        named = [
            await client.post(
                f"/v1/usage/reservations/{theirs}/{verb}", json={"account_id": account}, headers=who.headers
            )
            for account in (other.account_id, unknown)
        ]
        problem(named[0], 404, "account_unknown")
        same(named[0], named[1], theirs, theirs)
        odd = await client.post(f"/v1/usage/reservations/x/{verb}", json={}, headers=who.headers)
        problem(odd, 422, "invalid_input")
    async with database.read(other.person.account_id) as session:
        hold = (await session.execute(text("SELECT state, amount FROM usage_holds"))).one()
    assert tuple(hold) == ("open", 60)
    assert await table_counts(database) == before


async def test_a_key_of_usage_is_ones_own(client: httpx.AsyncClient, who: Caller, other: Caller) -> None:
    body = {"meter": "jobs", "amount": 2, "idempotency_key": "shared"}
    first = await client.post("/v1/usage/consume", json=body, headers=who.headers)
    again = await client.post("/v1/usage/consume", json={**body, "amount": 3}, headers=other.headers)
    assert (first.json()["used"], again.status_code, again.json()["used"]) == (2, 200, 3)


async def test_the_session_of_another_cannot_be_ended(app: FastAPI) -> None:
    async with client_of(app) as client:
        mine, theirs = [await signed_up(client, f"{name}@example.com") for name in ("ada", "eve")]
        own, foreign = bearer(mine["access_token"]), bearer(theirs["access_token"])
        listed = (await client.get("/v1/auth/sessions", headers=foreign)).json()["items"]
        ids = [listed[0]["id"], str(uuid4())]
        answers = [await client.delete(f"/v1/auth/sessions/{each}", headers=own) for each in ids]
        problem(answers[0], 404, "session_unknown")
        same(answers[0], answers[1], *ids)
        assert (await client.post("/v1/auth/logout", headers=own)).status_code == 200
        answer = await client.get("/v1/auth/me", headers=bearer(theirs["access_token"]))
        assert answer.json()["email"] == "eve@example.com"


async def test_the_key_of_another_cannot_be_rotated_or_revoked(app: FastAPI) -> None:
    async with client_of(app) as client:
        own, foreign = [
            bearer((await signed_up(client, f"{name}@example.com"))["access_token"]) for name in ("ada", "eve")
        ]
        theirs = (await client.post("/v1/keys", json={"name": "x"}, headers=foreign)).json()
        ids = [theirs["id"], str(uuid4())]
        for method, path in (("POST", "/v1/keys/{}/rotate"), ("DELETE", "/v1/keys/{}")):
            answers = [await client.request(method, path.format(each), headers=own) for each in ids]
            problem(answers[0], 404, "key_unknown")
            same(answers[0], answers[1], *ids)
        page = await client.get("/v1/keys", params={"after": "f" * 32}, headers=own)
        assert page.json()["items"] == []
        assert (await client.get("/v1/ping", headers=bearer(theirs["key"]))).status_code == 200
