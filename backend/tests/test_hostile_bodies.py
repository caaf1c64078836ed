"""Hostile bodies on every route that takes one: a clear 4xx, never a 5xx, and nothing is changed."""

import gzip
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.web import app, client, somebody

__all__ = ["app", "client"]

_WRITTEN = [
    "users",
    "accounts",
    "sessions",
    "meter_usage",
    "usage_events",
    "usage_holds",
    "idempotency_keys",
    "api_keys",
]

BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"hello",
    "trailing bytes": b'{"meter": "jobs", "amount": 1} x',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "invalid UTF-8": b'{"meter": "\xff"}',
    "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": -Infinity}',
    "1e400": b'{"amount": 1e400}',
    "a duplicate key": b'{"amount": 1, "amount": 2}',
    "100,000 nested brackets": b"[" * 100_000,
    "nested objects": b'{"properties": ' + b'{"a": ' * 60 + b"1" + b"}" * 60 + b"}",
    "a long integer": b'{"amount": ' + b"9" * 5_000 + b"}",
    "an array": b"[1]",
    "a string": b'"x"',
    "null": b"null",
    "over the limit": b'{"meter": "' + b"a" * 70_000 + b'"}',
    "10 MB": b" " * 10_000_000,
}

CORRECT: dict[str, dict[str, Any]] = {
    "/v1/auth/register": {"email": "eve@example.com", "password": "a password of many words"},
    "/v1/auth/verify-email": {"token": "x"},
    "/v1/auth/resend-verification": {"email": "eve@example.com"},
    "/v1/auth/login": {"email": "eve@example.com", "password": "a password of many words"},
    "/v1/auth/sign-in-link": {"token": "x"},
    "/v1/auth/refresh": {"refresh_token": "x"},
    "/v1/usage/check": {"meter": "jobs", "amount": 1, "account_id": "x"},
    "/v1/usage/consume": {"meter": "jobs", "amount": 1, "idempotency_key": "k", "properties": {"a": "b"}},
    "/v1/usage/reserve": {"meter": "jobs", "amount": 1, "ttl": 5},
    "/v1/usage/reservations/{reservation_id}/commit": {"amount": 1},
    "/v1/usage/reservations/{reservation_id}/release": {"account_id": "x"},
    "/v1/usage/reservations/{reservation_id}/extend": {"ttl": 5},
}
_ID = "0198f000-0000-7000-8000-000000000000"


async def counts(database: Database) -> dict[str, int]:
    async with database.read() as session:
        return {table: await session.scalar(text(f"SELECT count(*) FROM {table}")) for table in _WRITTEN}


async def test_every_route_with_a_body_is_here(app: FastAPI) -> None:
    document = app.openapi()
    with_body = {path for path, item in document["paths"].items() if "requestBody" in item.get("post", {})}
    assert with_body == set(CORRECT)


@pytest.mark.parametrize("path", CORRECT)
async def test_no_body_gets_through(client: httpx.AsyncClient, database: Database, path: str) -> None:
    _, headers = await somebody(database, plan="enterprise")
    url = path.replace("{reservation_id}", _ID)
    before = await counts(database)
    for name, body in BODIES.items():
        answer = await client.post(url, content=body, headers={**headers, "Content-Type": "application/json"})
        if name == "empty" and path.endswith("/release"):
            assert answer.status_code == 404  # a release needs no body; there is no such reservation
        else:
            assert 400 <= answer.status_code < 500, (name, answer.status_code, answer.text[:200])
        assert answer.headers["content-type"] == "application/problem+json", name
        assert answer.json()["detail"], name
    assert await counts(database) == before


@pytest.mark.parametrize("path", CORRECT)
async def test_no_value_of_another_type_gets_through(client: httpx.AsyncClient, database: Database, path: str) -> None:
    _, headers = await somebody(database, plan="enterprise")
    url = path.replace("{reservation_id}", _ID)
    before = await counts(database)
    json_type = {**headers, "Content-Type": "application/json"}
    for name, right in CORRECT[path].items():
        wrong: list[Any] = [True, [], 1.5, -(2**63) - 1, 2**63, 10**30]
        wrong += ["\0", "x\0y"] if isinstance(right, str) else ["1", ""]
        for value in wrong:
            if isinstance(right, dict) and value == {}:
                continue
            answer = await client.post(url, content=json.dumps({**CORRECT[path], name: value}), headers=json_type)
            assert 400 <= answer.status_code < 500, (name, value, answer.status_code, answer.text[:200])
        half = json.dumps({**CORRECT[path], name: "HALF"}).replace("HALF", "\\ud800")
        assert 400 <= (await client.post(url, content=half, headers=json_type)).status_code < 500
    unknown = await client.post(url, json={**CORRECT[path], "is_superadmin": True}, headers=headers)
    assert unknown.status_code == 422
    assert "is_superadmin" in unknown.text
    assert await counts(database) == before


async def test_other_media_are_not_read(client: httpx.AsyncClient, database: Database) -> None:
    _, headers = await somebody(database)
    body = json.dumps({"meter": "jobs", "amount": 1}).encode()
    for fields, content in (
        ({"Content-Type": "text/plain"}, body),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"meter=jobs&amount=1"),
        ({}, body),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, gzip.compress(b" " * 10_000_000)),
    ):
        answer = await client.post("/v1/usage/consume", content=content, headers={**headers, **fields})
        assert answer.status_code == 415
    for method in ("PUT", "PATCH", "DELETE", "BREW"):
        assert (await client.request(method, "/v1/usage/consume", headers=headers)).status_code == 405


@pytest.mark.parametrize("which", ["x", "1", "0198f000", "%00", "0198f000-0000-7000-8000-00000000000g", "null"])
async def test_an_id_that_is_none_is_a_4xx(client: httpx.AsyncClient, database: Database, which: str) -> None:
    _, headers = await somebody(database)
    answer = await client.post(f"/v1/usage/reservations/{which}/release", headers=headers)
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Request-Id", "Authorization", "X-Forwarded-For", "Cookie"])
async def test_odd_header_values_are_no_5xx(client: httpx.AsyncClient, database: Database, name: str) -> None:
    _, headers = await somebody(database)
    for value in (b"", b"\xff\xfe", b"a" * 4_000, b"; drop table users", b"Bearer ", b"Bearer \xc3\xa9"):
        fields = [(key.encode(), given.encode()) for key, given in headers.items()]
        answer = await client.post(
            "/v1/usage/consume", json={"meter": "jobs", "amount": 1}, headers=[*fields, (name.encode(), value)]
        )
        assert answer.status_code < 500, (name, value)
