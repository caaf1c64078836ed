"""Bodies that no honest client sends, to every operation that takes one: a clear refusal, and nothing is changed."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from backend.auth.service.operators import SUPERADMIN, grant_role
from backend.core.ids import AccountId, UserId
from backend.core.problem import MEDIA_TYPE
from backend.db.session import Database
from backend.ratelimit.model import account_subject
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.users import PASSWORD
from backend.tests.http.calls import (
    Caller,
    Headers,
    bearer,
    client_of,
    customer,
    service_key,
    signed_up,
    table_counts,
)
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW

JSON = {"Content-Type": "application/json"}
METHODS = ("post", "put", "patch")

# A good body of each operation; the hostile ones are made from it. A route that is missing here fails a test.
GOOD: dict[str, dict[str, Any]] = {
    "/v1/admin/users/{user_id}/notes": {"text": "called"},
    "/v1/admin/users/{user_id}/impersonate": {"reason": "a ticket", "access": "write"},
    "/v1/admin/plans/preview": {"document": "schema = 1"},
    "/v1/admin/plans": {"document": "schema = 1", "ticket": "x"},
    "/v1/admin/bulk-actions/preview": {"action": "lock", "filter": {"q": "example.com"}},
    "/v1/admin/bulk-actions": {"action": "lock", "filter": {"q": "e"}, "ticket": "x", "reason": "a test"},
    "/v1/auth/register": {"email": "new@example.com", "password": PASSWORD},
    "/v1/auth/login": {"email": "new@example.com", "password": PASSWORD},
    "/v1/auth/verify-email": {"token": "x" * 43},
    "/v1/auth/resend-verification": {"email": "new@example.com"},
    "/v1/auth/sign-in-link": {"token": "x" * 43},
    "/v1/auth/portal-link": {"token": "x" * 43},
    "/v1/auth/refresh": {"refresh_token": "x" * 43},
    "/v1/auth/2fa/verify": {"challenge_id": "x" * 43, "otp": "123456"},
    "/v1/auth/recovery-login": {"challenge_id": "x" * 43, "recovery_code": "AAAA-BBBB-CCCC-DDDD"},
    "/v1/auth/forgot-password": {"email": "new@example.com"},
    "/v1/auth/reset-password": {"token": "x" * 43, "new_password": PASSWORD},
    "/v1/auth/2fa/enable-complete": {"challenge_id": "x" * 43, "otp": "123456"},
    "/v1/auth/2fa/enable-init": {"current_password": PASSWORD},
    "/v1/auth/2fa/recovery-codes": {"otp": "123456"},
    "/v1/auth/2fa/disable": {"password": PASSWORD},
    "/v1/auth/change-password": {"current_password": PASSWORD, "new_password": PASSWORD},
    "/v1/auth/me": {"name": "Ada", "display_zone": "Europe/Berlin", "language": "en", "theme": "dark"},
    "/v1/keys": {
        "name": "ci",
        "scopes": ["usage:read"],
        "expires_at": "2027-01-01T00:00:00Z",
        "rate_limit_per_minute": 60,
    },
    "/v1/keys/{key_id}/rotate": {"overlap_seconds": 60},
    "/v1/keys/verify": {"key": "x", "meter": "jobs", "amount": 1},
    "/v1/admin/users/{user_id}": {"email": "new@example.com", "name": "Ada"},
    "/v1/admin/users/{user_id}/lock": {"reason": "a test"},
    "/v1/admin/users/{user_id}/roles": {"roles": ["support"]},
    "/v1/admin/users/{user_id}/upgrade-plan": {"plan_name": "pro", "duration_days": 30},
    "/v1/admin/users/{user_id}/overrides": {
        "meter": "jobs",
        "kind": "add",
        "amount": 1,
        "starts_at": "2026-12-01T00:00:00Z",
        "ends_at": "2027-01-01T00:00:00Z",
        "reason": "a test",
    },
    "/v1/admin/accounts/{account_id}/overrides": {"meter": "jobs", "kind": "add", "amount": 1, "reason": "a test"},
    "/v1/admin/decisions/{decision}/simulate": {"plan": "pro", "override": {"kind": "add", "amount": 1}},
    "/v1/accounts/{external_id}": {"name": "n", "kind": "team", "time_zone": "UTC", "metadata": {"a": "b"}},
    "/v1/accounts/{external_id}/members/{subject}": {"role": "viewer"},
    "/v1/accounts/{external_id}/portal-session": {"subject": "someone"},
    "/v1/usage/check": {"meter": "jobs", "amount": 1, "account_id": "", "properties": {"a": "b"}},
    "/v1/usage/consume": {
        "meter": "jobs",
        "amount": 1,
        "account_id": "",
        "idempotency_key": "k",
        "properties": {"a": "b"},
    },
    "/v1/usage/reserve": {"meter": "jobs", "amount": 1, "ttl": 60, "account_id": ""},
    "/v1/usage/reservations/{reservation_id}/commit": {"amount": 1, "account_id": ""},
    "/v1/usage/reservations/{reservation_id}/release": {"account_id": ""},
    "/v1/usage/reservations/{reservation_id}/extend": {"ttl": 60, "account_id": ""},
    "/v1/usage/events": {
        "id": "e",
        "meter": "jobs",
        "amount": 1,
        "account_id": "",
        "timestamp": NOW.isoformat(),
        "operation": "add",
        "properties": {"a": "b"},
    },
    "/v1/usage/events/{event_id}/retract": {"reason": "a mistake", "account_id": ""},
    "/v1/usage/events/{event_id}/correct": {"amount": 1, "reason": "a mistake", "account_id": ""},
}
# Its body is a list of what stands above.
OF_EVENTS = "/v1/usage/events"
WITHOUT_BODY = (
    {"/v1/auth/logout"}
    | {
        f"/v1/admin/users/{{user_id}}/{act}"
        for act in ("unlock", "reset-2fa", "resend-verification", "revoke-sessions", "clear-rate-limits")
    }
    | {"/v1/admin/bulk-actions/{bulk_action_id}/stop"}
)
MAY_BE_EMPTY = {
    "/v1/keys/{key_id}/rotate",
    "/v1/usage/reservations/{reservation_id}/release",
    "/v1/accounts/{external_id}/portal-session",
    "/v1/auth/2fa/enable-init",
}
OF_A_USER = {
    "/v1/admin/users/{user_id}",
    "/v1/admin/users/{user_id}/lock",
    "/v1/admin/users/{user_id}/roles",
    "/v1/admin/users/{user_id}/upgrade-plan",
    "/v1/admin/users/{user_id}/overrides",
    "/v1/admin/accounts/{account_id}/overrides",
    "/v1/admin/decisions/{decision}/simulate",
    "/v1/admin/users/{user_id}/notes",
    "/v1/admin/users/{user_id}/impersonate",
    "/v1/admin/plans",
    "/v1/admin/plans/preview",
    "/v1/admin/bulk-actions",
    "/v1/admin/bulk-actions/preview",
    "/v1/keys",
    "/v1/keys/{key_id}/rotate",
    "/v1/auth/2fa/enable-init",
    "/v1/auth/2fa/recovery-codes",
    "/v1/auth/2fa/enable-complete",
    "/v1/auth/2fa/disable",
    "/v1/auth/change-password",
    "/v1/auth/me",
}


@pytest.fixture
async def app(running: RunningApp) -> AsyncIterator[FastAPI]:
    async with running(rate_limit_allowlist="192.0.2.1") as made:
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


@pytest.fixture
async def host(client: httpx.AsyncClient, database: Database) -> Headers:
    """A host application that may do all, with an account of its own."""
    made = await service_key(database, "usage:read", "usage:write", "accounts:create", "keys:verify")
    assert (await client.put("/v1/accounts/org-1", json={}, headers=made)).status_code == 200
    return made


@pytest.fixture
async def user(client: httpx.AsyncClient, database: Database) -> Headers:
    """On a plan that lets enough requests pass, and a superadmin."""
    headers = bearer((await signed_up(client, "ada@example.com"))["access_token"])
    me = (await client.get("/v1/auth/me", headers=headers)).json()
    async with database.system() as session:
        await upgrade_user_plan(session, UserId(UUID(me["id"])), "enterprise", now=NOW)
        await grant_role(session, user_id=UserId(UUID(me["id"])), role=SUPERADMIN)
    return headers


def url_of(path: str) -> str:
    reservation = "01920000-0000-7000-8000-000000000001"
    return path.format(
        reservation_id=reservation,
        event_id="e",
        external_id="org-1",
        subject="someone",
        session_id=reservation,
        key_id=reservation,
        user_id=reservation,
        override_id=reservation,
        account_id=reservation,
        note_id=reservation,
        bulk_action_id=reservation,
        name="pro",
        decision="none",
    )


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of all that may take a body."""
    paths = app.openapi()["paths"]
    return [(method, path) for path, known in paths.items() for method in METHODS if method in known]


def test_every_operation_that_takes_a_body_is_tested_here(app: FastAPI) -> None:
    assert {path for _, path in operations(app)} == GOOD.keys() | WITHOUT_BODY


def texts(good: dict[str, Any], written: str) -> Iterator[bytes]:
    """The body with each of its strings replaced by what is written, as a value and as a key."""
    for name, value in good.items():
        rest = {key: other for key, other in good.items() if key != name}
        begin = json.dumps(rest)[:-1] + (", " if rest else "")
        if isinstance(value, str):
            yield f'{begin}"{name}": "{written}"}}'.encode()
        if isinstance(value, dict):
            yield f'{begin}"{name}": {{"a": "{written}"}}}}'.encode()
            yield f'{begin}"{name}": {{"{written}": "b"}}}}'.encode()
    yield f'{json.dumps(good)[:-1]}, "{written}": 1}}'.encode()


def numbers(good: dict[str, Any], written: str) -> Iterator[bytes]:
    for name, value in good.items():
        if isinstance(value, int):
            rest = {key: other for key, other in good.items() if key != name}
            begin = json.dumps(rest)[:-1] + (", " if rest else "")
            yield f'{begin}"{name}": {written}}}'.encode()


def hostile(good: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Each with a name. Whatever the operation, none of them is acceptable."""
    body = json.dumps(good).encode()
    name, value = next(iter(good.items()))
    yield "not JSON", b"{"
    yield "text", b"hello"
    yield "a form", b"email=a&password=b"
    yield "only white space", b" \n"
    yield "trailing bytes", body + b"x"
    yield "two documents", body + body
    yield "a byte order mark", b"\xef\xbb\xbf" + body
    yield "UTF-16", body.decode().encode("utf-16")
    yield "invalid UTF-8", body[:-1] + b', "x": "\xff"}'
    yield "a surrogate as bytes", body[:-1] + b', "x": "\xed\xa0\x80"}'
    yield "NUL as a byte", body[:-1] + b', "x": "\x00"}'
    yield "a duplicate key", body[:-1] + f', "{name}": {json.dumps(value)}}}'.encode()
    yield "100,000 brackets", b"[" * 50_000 + b"]" * 50_000
    yield "60,000 brackets", b"[" * 30_000 + b"]" * 30_000
    yield "60,000 open ones", b'{"a":' * 12_000
    yield "33 levels", body[:-1] + b', "x": ' + b"[" * 32 + b"]" * 32 + b"}"
    yield "10 MB", body[:-1] + b', "x": "' + b"x" * 10_000_000 + b'"}'
    yield "66 kB of spaces", body + b" " * 66_000
    yield "a list", b"[" + body + b"]"
    yield "null", b"null"
    yield "a number", b"1"
    yield "a string", b'"x"'
    yield "an unknown member", body[:-1] + b', "role": "admin"}'
    for member in ("is_superadmin", "plan_id", "__proto__", "constructor", "user_id", ""):
        yield f"the member {member!r}", body[:-1] + f', "{member}": true}}'.encode()
    yield "a number of 5,000 digits", body[:-1] + b', "x": ' + b"9" * 5_000 + b"}"
    for odd in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "+1", "0x1", "1_000", ".5"):
        yield odd, body[:-1] + f', "x": {odd}}}'.encode()
        yield from ((f"{odd} for a number", changed) for changed in numbers(good, odd))
    for odd in ("true", '"1"', "1.5", "1e30", "9223372036854775808", "-9223372036854775809", "[1]", "{}", "1.0"):
        yield from ((f"{odd} for a number", changed) for changed in numbers(good, odd))
    for written in ("\\u0000", "a\\u0000b", "\\ud800", "\\udfff\\ud800", "\\uD83D"):
        yield from ((f"{written} in a text", changed) for changed in texts(good, written))
    for odd in ("1", "true", "[]", "{}", "1e400"):
        for field, old in good.items():
            if isinstance(old, str):
                rest = json.dumps({key: other for key, other in good.items() if key != field})[:-1]
                yield f"{odd} for a text", f'{rest}{", " if len(good) > 1 else ""}"{field}": {odd}}}'.encode()


def filled(good: dict[str, Any], who: Caller) -> dict[str, Any]:
    return {**good, "account_id": who.account_id} if "account_id" in good else good


def check(answer: httpx.Response, path: str, name: str) -> None:
    assert 400 <= answer.status_code < 500, (path, name, answer.status_code, answer.text[:300])
    assert answer.status_code not in {401, 402, 403, 404, 409, 429}, (path, name, answer.text[:300])
    assert answer.headers["content-type"] == MEDIA_TYPE, (path, name)
    document = json.loads(answer.text)
    assert document["detail"], (path, name)
    assert len(answer.content) < 8_000, (path, name, "an answer does not repeat a hostile body")


async def test_hostile_bodies_are_refused_and_change_nothing(
    client: httpx.AsyncClient, app: FastAPI, database: Database, host: Headers, user: Headers
) -> None:
    who = await customer(database)
    account_id = UUID((await client.get("/v1/auth/me", headers=user)).json()["account"]["id"])
    before = await table_counts(database)
    for method, path in operations(app):
        if path in WITHOUT_BODY:
            continue
        # No plan lets as many requests pass at once as are made here.
        await app.state.rates.clear(account_subject(AccountId(account_id)))
        url, headers = url_of(path), {**(user if path in OF_A_USER else host), **JSON}
        for name, content in hostile(filled(GOOD[path], who)):
            if path == OF_EVENTS and name == "66 kB of spaces":  # a batch may be larger than that
                continue
            body = b'{"events": [' + content + b"]}" if path == OF_EVENTS else content
            answer = await client.request(method, url, content=body, headers=headers)
            check(answer, path, name)
        if path not in MAY_BE_EMPTY:
            check(await client.request(method, url, headers=headers), path, "empty")
    assert await table_counts(database) == before


MEDIA = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/jsonp"},
    {"Content-Type": ""},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    {"Content-Type": "application/json", "Content-Encoding": "br"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip, gzip"},
]


@pytest.mark.parametrize("media", MEDIA)
async def test_other_media_are_415(
    client: httpx.AsyncClient, app: FastAPI, database: Database, host: Headers, media: Headers
) -> None:
    who = await customer(database)
    before = await table_counts(database)
    for method, path in operations(app):
        if path in WITHOUT_BODY:
            continue
        content = json.dumps(filled(GOOD[path], who)).encode()
        url = url_of(path)
        answer = await client.request(method, url, content=content, headers={**host, **media})
        assert answer.status_code == 415, (path, answer.text)
    assert await table_counts(database) == before


async def test_a_bomb_is_not_unpacked(client: httpx.AsyncClient, app: FastAPI, host: Headers) -> None:
    bomb = gzip.compress(b'{"a": "' + b"x" * 60_000_000 + b'"}')
    assert len(bomb) < 64 * 1024
    for method, path in operations(app):
        if path not in WITHOUT_BODY:
            url = url_of(path)
            for media in ({**JSON, "Content-Encoding": "gzip"}, {**JSON, "Content-Encoding": "GZIP"}, JSON):
                answer = await client.request(method, url, content=bomb, headers={**host, **media})
                assert answer.status_code in {400, 415}, (path, answer.text)


async def test_a_body_that_never_ends_is_cut_at_the_limit(client: httpx.AsyncClient, host: Headers) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 8_192
            assert sent < 1_000_000, "it is read on and on"
            yield b" " * 8_192

    answer = await client.post("/v1/usage/consume", content=endless(), headers={**host, **JSON})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_unknown_methods_and_paths_are_told_so(client: httpx.AsyncClient, app: FastAPI, host: Headers) -> None:
    for path, known in app.openapi()["paths"].items():
        if not path.startswith("/v1/"):
            continue
        allowed = {method.upper() for method in known}
        for method in {"BREW", "TRACE", "DELETE", "PATCH", "get;drop"} - allowed:
            answer = await client.request(method, url_of(path), headers=host)
            assert answer.status_code == 405, (method, path, answer.text)
            assert answer.headers["content-type"] == MEDIA_TYPE
            assert allowed <= set(answer.headers["allow"].split(", "))
    for odd in ("/v1/%00", "/v1/..%2f..%2fetc/passwd", "/v1/" + "a/" * 2_000, "/v1/%ff", "//", "/v1/usage/consume/"):
        answer = await client.post(odd, json={}, headers=host)
        assert 300 <= answer.status_code < 500, (odd, answer.status_code)


QUERIES = [
    "limit=-1",
    "limit=1e9",
    "after=x",
    "from=2026-02-30",
    "from=2026-01-01T00:00:00",
    "to=%00",
    "x=" + "y" * 9_000,
]


@pytest.mark.parametrize("query", QUERIES)
async def test_queries_that_mean_nothing_are_never_a_500(
    client: httpx.AsyncClient, app: FastAPI, database: Database, query: str
) -> None:
    who = await customer(database, plan="enterprise")
    before = await table_counts(database)
    for path, known in app.openapi()["paths"].items():
        if "get" in known and path != "/v1/ping":
            answer = await client.get(f"{path}?{query}", headers=who.headers)
            assert answer.status_code < 500, (path, answer.text)
    assert await table_counts(database) == before


KEYS = [b"", b"x" * 256, b"\xff\xfe", "schlüssel".encode(), b"a\x01b", "🦜".encode()]


@pytest.mark.parametrize("key", KEYS)
async def test_odd_keys_in_the_header_are_taken_or_refused(
    client: httpx.AsyncClient, database: Database, key: bytes
) -> None:
    who = await customer(database)
    for path in ("/v1/usage/consume", "/v1/usage/reserve"):
        headers = [(b"authorization", who.headers["Authorization"].encode()), (b"idempotency-key", key)]
        answers = [await client.post(path, json={"meter": "jobs", "amount": 1}, headers=headers) for _ in range(2)]
        assert {answer.status_code for answer in answers} <= {200, 422}
        assert answers[0].content == answers[1].content or answers[0].status_code == 422


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Request-Id", "Authorization", "X-Forwarded-For", "Cookie"])
async def test_odd_header_values_are_no_5xx(client: httpx.AsyncClient, database: Database, name: str) -> None:
    who = await customer(database)
    fields = [(key.encode(), value.encode()) for key, value in who.headers.items()]
    for value in (b"", b"\xff\xfe", b"a" * 4_000, b"; drop table users", b"Bearer ", b"Bearer \xc3\xa9"):
        answer = await client.post(
            "/v1/usage/consume", json={"meter": "jobs", "amount": 1}, headers=[*fields, (name.encode(), value)]
        )
        assert answer.status_code < 500, (name, value)
