"""/v1/auth over HTTP, through the whole application."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.app import create_app
from backend.core.problem import MEDIA_TYPE
from backend.tests.factories.users import PASSWORD, settings_for_tests
from backend.tests.fakes.clock import ManualClock

EMAIL = "ada@example.com"
WEB = {"X-Feature-Client": "web"}


@pytest.fixture
async def app(database_url: str, clock: ManualClock, tmp_path: Path) -> AsyncIterator[FastAPI]:
    made = create_app(settings_for_tests(database_url=database_url, feature_home=tmp_path), clock=clock)
    yield made
    made.state.passwords.close()
    await made.state.database.close()


def client_of(app: FastAPI, address: str = "192.0.2.1") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 4_000)), base_url="http://localhost:8000"
    )


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


async def newest_link(client: httpx.AsyncClient, to: str = EMAIL) -> str:
    items = (await client.get("/dev/mail", params={"to": to})).json()["items"]
    return str(items[0]["links"][0])


async def signed_up(client: httpx.AsyncClient, email: str = EMAIL) -> dict[str, Any]:
    """Registered, confirmed and signed in; the answer of the login."""
    body = {"email": email, "password": PASSWORD}
    assert (await client.post("/v1/auth/register", json=body)).status_code == 202
    token = (await newest_link(client, email)).partition("?token=")[2]
    assert (await client.get("/v1/auth/verify-email", params={"token": token})).status_code == 200
    answer = await client.post("/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(pair: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access_token']}"}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), answer.text
    found: dict[str, Any] = answer.json()
    assert found["code"] == code
    return found


async def test_from_sign_up_to_sign_out(client: httpx.AsyncClient) -> None:
    pair = await signed_up(client)
    assert sorted(pair) == ["access_token", "expires_in", "refresh_token", "token_type"]
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 420)
    me = (await client.get("/v1/auth/me", headers=bearer(pair))).json()
    assert (me["email"], me["status"], me["roles"], me["plan"]["name"]) == (EMAIL, "active", [], "free")
    renewed = (await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})).json()
    assert renewed["refresh_token"] != pair["refresh_token"]
    assert (await client.post("/v1/auth/logout", headers=bearer(renewed))).status_code == 200
    for stale in (pair, renewed):
        problem(await client.get("/v1/auth/me", headers=bearer(stale)), 401, "unauthenticated")
        answer = await client.post("/v1/auth/refresh", json={"refresh_token": stale["refresh_token"]})
        problem(answer, 401, "refresh_refused")


async def test_the_answer_to_a_registration_is_the_same_for_a_known_address(client: httpx.AsyncClient) -> None:
    await signed_up(client)
    known, unknown = [
        await client.post("/v1/auth/register", json={"email": email, "password": PASSWORD})
        for email in (EMAIL.upper(), "eve@example.com")
    ]
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert sorted(known.headers) == sorted(unknown.headers)


async def test_a_confirmation_answers_kindly_twice_by_both_methods(client: httpx.AsyncClient) -> None:
    await client.post("/v1/auth/register", json={"email": EMAIL, "password": PASSWORD})
    link = await newest_link(client)
    assert link.startswith("http://localhost:5173/verify-email?token=")
    token = link.partition("?token=")[2]
    for _ in range(2):
        assert (await client.post("/v1/auth/verify-email", json={"token": token})).status_code == 200
        assert (await client.get("/v1/auth/verify-email", params={"token": token})).status_code == 200
    problem(await client.get("/v1/auth/verify-email", params={"token": "x"}), 400, "link_invalid")


async def test_a_session_ends_420_seconds_after_its_token_was_made(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    pair = await signed_up(client)
    clock.advance(timedelta(seconds=419))
    assert (await client.get("/v1/auth/me", headers=bearer(pair))).status_code == 200
    clock.advance(timedelta(seconds=1))
    problem(await client.get("/v1/auth/me", headers=bearer(pair)), 401, "unauthenticated")


async def test_the_web_app_gets_its_refresh_token_as_a_cookie_that_scripts_cannot_read(
    client: httpx.AsyncClient,
) -> None:
    await signed_up(client)
    answer = await client.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD}, headers=WEB)
    assert answer.json()["refresh_token"] is None
    cookie = answer.headers["set-cookie"]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"httponly", "samesite=strict", "path=/v1/auth", f"max-age={30 * 86_400}"}
    value = cookie.partition("=")[2].partition(";")[0]
    assert value not in answer.text

    problem(await client.post("/v1/auth/refresh", json={}), 401, "refresh_refused")  # the cookie without the header
    renewed = await client.post("/v1/auth/refresh", json={}, headers=WEB)
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] is None
    assert value not in renewed.headers["set-cookie"]
    signed_out = await client.post("/v1/auth/logout", headers={**WEB, **bearer(renewed.json())})
    assert "max-age=0" in signed_out.headers["set-cookie"].lower()
    problem(await client.post("/v1/auth/refresh", json={}, headers=WEB), 401, "refresh_refused")


async def test_over_https_the_cookie_is_secure(database_url: str, clock: ManualClock, tmp_path: Path) -> None:
    settings = settings_for_tests(
        database_url=database_url, feature_home=tmp_path, frontend_base_url="https://app.example.com"
    )
    app = create_app(settings, clock=clock)
    async with client_of(app) as client:
        await signed_up(client)
        answer = await client.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD}, headers=WEB)
    app.state.passwords.close()
    await app.state.database.close()
    assert "; Secure" in answer.headers["set-cookie"]


async def test_a_program_gets_no_cookie(client: httpx.AsyncClient) -> None:
    await signed_up(client)
    answer = await client.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert "set-cookie" not in answer.headers


async def test_twenty_refreshes_at_once_over_http_have_one_successor(client: httpx.AsyncClient) -> None:
    pair = await signed_up(client)
    body = {"refresh_token": pair["refresh_token"]}
    answers = await asyncio.gather(*(client.post("/v1/auth/refresh", json=body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_a_reused_token_is_answered_401_and_its_family_stays_revoked(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    pair = await signed_up(client)
    second = (await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})).json()
    clock.advance(timedelta(seconds=11))
    for stale in (pair, second, second):
        answer = await client.post("/v1/auth/refresh", json={"refresh_token": stale["refresh_token"]})
        problem(answer, 401, "refresh_refused")
    problem(await client.get("/v1/auth/me", headers=bearer(second)), 401, "unauthenticated")


async def test_too_many_guesses_are_told_when_to_come_back(client: httpx.AsyncClient) -> None:
    body = {"email": "nobody@example.com", "password": "x"}
    for _ in range(10):
        problem(await client.post("/v1/auth/login", json=body), 401, "invalid_credentials")
    answer = await client.post("/v1/auth/login", json=body)
    found = problem(answer, 429, "too_many_attempts")
    assert int(answer.headers["retry-after"]) == found["retry_after"] > 0


async def test_what_an_untrusted_peer_claims_of_its_address_has_no_effect(client: httpx.AsyncClient) -> None:
    for number in range(31):
        body = {"email": f"nobody{number}@example.com", "password": "x"}
        answer = await client.post("/v1/auth/login", json=body, headers={"X-Forwarded-For": f"203.0.113.{number}"})
    problem(answer, 429, "too_many_attempts")


ROUTES = ["register", "verify-email", "resend-verification", "login", "refresh", "sign-in-link"]
BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400),
    "not json": (b"{", 400),
    "a list": (b"[]", 400),
    "an unknown field": (
        b'{"email":"a@example.com","password":"x","token":"x","refresh_token":"x","role":"admin"}',
        422,
    ),
    "numbers": (b'{"email":1,"password":2,"token":3,"refresh_token":4}', 422),
    "nul": (b'{"email":"a\\u0000@example.com","password":"\\u0000","token":"\\u0000","refresh_token":"\\u0000"}', 400),
    "half a pair": (b'{"email":"\\ud800","password":"\\ud800","token":"\\ud800","refresh_token":"\\ud800"}', 400),
    "twice the same key": (b'{"email":"a@example.com","email":"b@example.com","password":"x"}', 400),
    "100 kB": (json.dumps({"email": "a@example.com", "password": "x" * 100_000}).encode(), 413),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_hostile_body_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, body: tuple[bytes, int]
) -> None:
    content, status = body
    for route in ROUTES:
        answer = await client.post(f"/v1/auth/{route}", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (route, answer.text)
    assert (await client.get("/dev/mail")).json() == {"items": []}


async def test_a_bad_credential_is_401_where_one_is_needed_and_nothing_where_not(client: httpx.AsyncClient) -> None:
    for token in ("x", "a.b.c", "fk_live_x", "é", "eyJhbGciOiJub25lIn0.e30.", "x" * 10_000):
        raw = [(b"authorization", f"Bearer {token}".encode("latin-1"))]
        answer = await client.get("/v1/auth/me", headers=raw)
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/v1/subscription/plans", headers=raw)).status_code == 200


async def test_a_header_of_64_kb_is_431(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/auth/me", headers={"Authorization": "Bearer " + "x" * 65_536})
    problem(answer, 431, "headers_too_large")


@pytest.mark.parametrize("query", ["to=%00", "to=" + "x" * 400])
async def test_a_hostile_question_to_the_mailbox_is_refused(client: httpx.AsyncClient, query: str) -> None:
    problem(await client.get(f"/dev/mail?{query}"), 422, "invalid_input")


@pytest.mark.parametrize("query", ["", "token=", "token=%00", "token=" + "x" * 400])
async def test_a_hostile_link_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/auth/verify-email?{query}")).status_code in {400, 422}


async def test_the_mailbox_is_a_page_for_browsers_and_escapes_what_it_shows(client: httpx.AsyncClient) -> None:
    await client.post("/v1/auth/register", json={"email": "x&y'z@example.com", "password": PASSWORD})
    page = await client.get("/dev/mail", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "x&amp;y&#x27;z@example.com" in page.text
    assert '<a href="http://localhost:5173/verify-email?token=' in page.text


async def test_in_production_there_is_no_mailbox(database_url: str, clock: ManualClock) -> None:
    settings = settings_for_tests(
        environment="production",
        database_url=database_url,
        api_base_url="https://api.example.com",
        frontend_base_url="https://app.example.com",
        smtp_host="smtp.example.com",
        email_from_address="no-reply@example.com",
    )
    app = create_app(settings, clock=clock)
    async with client_of(app) as client:
        problem(await client.get("/dev/mail"), 404, "not_found")
    assert "/dev/mail" not in app.openapi()["paths"]
    app.state.passwords.close()
    await app.state.database.close()


async def test_every_route_states_its_errors(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    expected = {"register": "429", "verify-email": "400", "login": "401", "refresh": "401", "logout": "401"}
    for route, status in {**expected, "resend-verification": "429", "sign-in-link": "400"}.items():
        responses = paths[f"/v1/auth/{route}"]["post"]["responses"]
        assert status in responses
        assert MEDIA_TYPE in responses[status]["content"]
