"""Whatever stands in a path or a query: no 5xx, and nothing of it is kept."""

import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.auth.service.operators import SUPERADMIN, grant_role
from backend.core.ids import UserId
from backend.db.session import Database
from backend.tests.http.calls import Headers, bearer, client_of, problem, service_key, signed_up, table_counts
from backend.tests.http.conftest import RunningApp
from backend.tests.http.test_access_matrix import NOBODYS, OPERATIONS, OWN_CREDENTIAL, Operation

# As they stand in the line of a request: bytes that are no UTF-8, halves of surrogate pairs and controls included.
UNREADABLE = {
    "NUL": "%00",
    "NUL within": "a%00b",
    "no UTF-8": "%FF",
    "a surrogate": "%ED%A0%80",
    "what stands for no UTF-8": "%EF%BF%BD",
    "a line": "a%0D%0Ab",
    "delete": "%7F",
    "a control of C1": "%C2%85",
    "long": "a" * 4_000,
}
HOSTILE = {
    **UNREADABLE,
    "dots": "%2E%2E%2F%2E%2E",
    "a quote": "%27%22%3B--",
    "a format": "%25s%25n%7B0%7D",
    "negative": "-1",
    "a large number": "9" * 400,
}
GOOD = {"external_id": "org-1", "subject": "user-1", "code": "unauthenticated", "name": "free"}
KEPT = ("accounts", "account_members", "portal_links")
IN_PATHS = [operation for operation in OPERATIONS if "{" in operation.path]


def paths(operation: Operation, hostile: str) -> list[str]:
    """The path with one of its parameters after the other hostile, and the rest good."""
    names = re.findall(r"{(\w+)}", operation.path)
    return [
        operation.path.format_map({name: hostile if name == bad else GOOD.get(name, NOBODYS) for name in names})
        for bad in names
    ]


async def callers(client: httpx.AsyncClient, database: Database) -> list[Headers]:
    operator = (await signed_up(client, "boss@example.com"))["access_token"]
    async with database.system() as session:
        user_id = await session.scalar(text("SELECT id FROM users WHERE email = 'boss@example.com'"))
        await grant_role(session, user_id=UserId(user_id), role=SUPERADMIN)
    return [bearer(operator), await service_key(database, "usage:read", "usage:write", "accounts:create"), {}]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_path_breaks_anything(running: RunningApp, database: Database, hostile: str) -> None:
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        known = await callers(client, database)
        assert (await client.put("/v1/accounts/org-1", json={}, headers=known[1])).status_code == 200
        before = await table_counts(database)
        for operation in IN_PATHS:
            for path in paths(operation, hostile):
                for headers in known:
                    answer = await client.request(operation.method, path, json=operation.body, headers=headers)
                    assert answer.status_code < 500, (operation, answer.text)
        if hostile in UNREADABLE.values():
            after = await table_counts(database)
            assert [after[table] for table in KEPT] == [before[table] for table in KEPT]


def parameters(app: FastAPI) -> list[tuple[str, str, str]]:
    """Every parameter of a query: method, path, name."""
    return [
        (method.upper(), path, parameter["name"])
        for path, known in app.openapi()["paths"].items()
        for method, operation in known.items()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    ]


async def test_no_query_breaks_anything(running: RunningApp, database: Database) -> None:
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        known = await callers(client, database)
        for method, path, name in parameters(app):
            for hostile in HOSTILE.values():
                for headers in known:
                    answer = await client.request(method, f"{path}?{name}={hostile}", headers=headers)
                    assert answer.status_code < 500, (method, path, name, hostile, answer.text)


async def test_no_name_of_an_account_in_a_header_breaks_anything(running: RunningApp, database: Database) -> None:
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        for headers in (await callers(client, database))[:2]:
            for name in (b"external:a\0b", b"external:\xff\xfe", b"external:" + b"a" * 4_000, b"\0", b"\xed\xa0\x80"):
                sent: Any = {**headers, "Feature-Account": name}
                answer = await client.get("/v1/auth/me", headers=sent)
                assert answer.status_code in {403, 404}, (name, answer.text)


SUBJECTS = ["user/1", "auth0|5f7c8", "https://login.example.com/users/7", "Ümläut", "a b", "🦜", "a" * 200, "..a", "%"]


@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_subject_is_whatever_can_be_read(client: httpx.AsyncClient, database: Database, subject: str) -> None:
    host = await service_key(database, "accounts:create")
    await client.put("/v1/accounts/org-1", json={}, headers=host)
    path = f"/v1/accounts/org-1/members/{quote(subject, safe='')}"
    made = await client.put(path, json={"role": "viewer"}, headers=host)
    assert made.json() == {"subject": subject, "role": "viewer"}
    assert (await client.get("/v1/accounts/org-1", headers=host)).json()["members"] == [made.json()]
    answer = await client.post("/v1/accounts/org-1/portal-session", json={"subject": subject}, headers=host)
    assert answer.status_code == 200
    assert (await client.delete(path, headers=host)).status_code == 200
    assert (await client.get("/v1/accounts/org-1", headers=host)).json()["members"] == []


@pytest.mark.parametrize("subject", ["", "%00", "%FF", "%ED%A0%80", "a%09b", "%C2%85", "a" * 201])
async def test_what_cannot_be_read_is_no_subject(client: httpx.AsyncClient, database: Database, subject: str) -> None:
    host = await service_key(database, "accounts:create")
    await client.put("/v1/accounts/org-1", json={}, headers=host)
    for method, body in (("PUT", {"role": "viewer"}), ("DELETE", None)):
        answer = await client.request(method, f"/v1/accounts/org-1/members/{subject}", json=body, headers=host)
        problem(answer, 422, "invalid_input")


def test_every_operation_with_a_parameter_is_tried_here(app: FastAPI) -> None:
    listed = {(operation.method, operation.path) for operation in [*OPERATIONS, *OWN_CREDENTIAL]}
    found = {
        (method.upper(), path) for path, known in app.openapi()["paths"].items() for method in known if "{" in path
    }
    assert found <= listed
