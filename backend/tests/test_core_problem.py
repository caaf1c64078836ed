"""Errors become application/problem+json in one place, and bodies are read in one way."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError, ProgrammingError
from starlette.exceptions import HTTPException

from backend.core.errors import NotFound, PlatformError
from backend.core.problem import MEDIA_TYPE, StrictRoute, install_handlers, problem_bytes, problem_responses
from backend.db.session import UNAVAILABLE, is_unavailable

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}

router = APIRouter(route_class=StrictRoute)


class UsedUp(PlatformError):
    """For this test."""

    code = "used_up"
    status = 402
    title = "Used up"


class Order(BaseModel):
    """What the route of these tests reads."""

    model_config = ConfigDict(extra="forbid", strict=True)
    meter: str
    amount: int


@router.post("/orders")
async def take(order: Order) -> dict[str, Any]:
    return order.model_dump()


@router.get("/orders/{what}")
async def fail(what: str) -> None:
    raise {
        "used-up": UsedUp("All ten are used.", headers={"Retry-After": "7"}, used=10, fixes=[{"kind": "upgrade"}]),
        "gone": NotFound("No order of yours has this id."),
        "teapot": HTTPException(418, "I am a teapot", headers={"X-Pot": "1"}),
        "defect": RuntimeError("the password is hunter2"),
        "store-away": OperationalError("SELECT secret", {}, psycopg.OperationalError("connection refused")),
        "store-wrong": ProgrammingError("SELECT secret", {}, psycopg.errors.SyntaxError("said by the driver")),
        "store-slow": OperationalError("SELECT secret", {}, psycopg.errors.QueryCanceled("said by the driver")),
    }[what]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.errors_url = "https://api.example.com"
    app.include_router(router)
    install_handlers(app, foreign=UNAVAILABLE, is_unavailable=is_unavailable)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def test_an_error_of_ours_is_a_whole_problem_document(client: httpx.AsyncClient) -> None:
    answer = await client.get("/orders/used-up")
    assert answer.status_code == 402
    assert answer.headers["content-type"] == MEDIA_TYPE == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {
        "type": "https://api.example.com/errors/used_up",
        "title": "Used up",
        "status": 402,
        "detail": "All ten are used.",
        "instance": "/orders/used-up",
        "code": "used_up",
        "request_id": "",
        "used": 10,
        "fixes": [{"kind": "upgrade"}],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/orders/gone", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("PUT", "/orders", 405, "method_not_allowed"),
        ("GET", "/orders/teapot", 418, "http_418"),
        ("GET", "/orders/defect", 500, "internal_error"),
        ("GET", "/orders/store-away", 503, "temporarily_unavailable"),
        ("GET", "/orders/store-slow", 503, "temporarily_unavailable"),
        ("GET", "/orders/store-wrong", 500, "internal_error"),
    ],
)
async def test_every_other_error_is_one_too(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert set(body) >= MEMBERS
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert "hunter2" not in answer.text
    assert "secret" not in answer.text


async def test_a_store_that_is_away_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/orders/store-away")
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["retryable"] is True


async def test_a_method_that_is_not_answered_names_those_that_are(client: httpx.AsyncClient) -> None:
    answer = await client.put("/orders")
    assert answer.headers["allow"] == "POST"
    assert answer.json()["detail"] == "PUT is not answered here; POST may be sent."


async def test_an_empty_body_is_told_as_one_that_is_no_object(client: httpx.AsyncClient) -> None:
    assert (await client.post("/orders")).json()["detail"] == "The body is empty; it must be a JSON object."


async def test_header_fields_of_an_error_are_kept(client: httpx.AsyncClient) -> None:
    assert (await client.get("/orders/teapot")).headers["x-pot"] == "1"


async def test_a_wrong_value_is_named_and_not_repeated(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders", json={"meter": ["hunter2"], "amount": "1", "is_superadmin": True})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert {error["field"] for error in answer.json()["errors"]} == {"meter", "amount", "is_superadmin"}
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("body", "fields", "status", "code"),
    [
        (b"", {}, 400, "malformed_body"),
        (b"{", {}, 400, "malformed_body"),
        (b"[]", {}, 400, "malformed_body"),
        (b'"text"', {}, 400, "malformed_body"),
        (b"null", {}, 400, "malformed_body"),
        (b'{"meter": "jobs", "meter": "api", "amount": 1}', {}, 400, "malformed_body"),
        (b'{"meter": "jobs", "amount": true}', {}, 422, "invalid_input"),
        (b'{"meter": "jobs", "amount": 1.0}', {}, 422, "invalid_input"),
        (b'{"meter": "jobs", "amount": 1}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b'{"meter": "jobs", "amount": 1}', {"Content-Type": ""}, 415, "unsupported_media_type"),
        (gzip.compress(b" " * 10_000_000, mtime=0), {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
        (b'{"meter": "' + b"x" * 65_536 + b'", "amount": 1}', {}, 413, "body_too_large"),
    ],
    ids=lambda value: ascii(value[:30]) if isinstance(value, bytes) else "",
)
async def test_a_hostile_body_is_refused(
    client: httpx.AsyncClient, body: bytes, fields: dict[str, str], status: int, code: str
) -> None:
    answer = await client.post("/orders", content=body, headers={"Content-Type": "application/json", **fields})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == MEDIA_TYPE


async def test_a_body_over_the_limit_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 16_384
            yield b" " * 16_384

    answer = await client.post("/orders", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["limit_bytes"] == 65_536
    assert sent <= 65_536 + 2 * 16_384


async def test_a_correct_body_up_to_the_limit_is_read(client: httpx.AsyncClient) -> None:
    shell = len(json.dumps({"meter": "", "amount": 1}))
    order = {"meter": "x" * (65_536 - shell), "amount": 1}
    content = json.dumps(order)
    assert len(content) == 65_536
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await client.post("/orders", content=content, headers=headers)).json() == order


def test_an_instance_is_a_uri_reference() -> None:
    document = problem_bytes(
        status=404, code="x", title="", detail="", instance="/a b/\N{SNOWMAN}?\ud800", request_id="", errors_url=""
    )
    assert json.loads(document)["instance"] == "/a%20b/%E2%98%83%3F%3F"


def test_the_errors_of_a_route_are_its_own_and_those_of_every_route() -> None:
    described = problem_responses(UsedUp, NotFound, body=True)
    assert list(described) == [400, 402, 404, 413, 415, 422, 503]
    assert "`used_up`: Used up" in described[402]["description"]
    assert MEDIA_TYPE in described[402]["content"]
    assert list(problem_responses()) == [422, 503]
