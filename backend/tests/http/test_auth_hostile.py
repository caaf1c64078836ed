"""Tokens that somebody made: none of them is anybody, and none leaves a trace."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from sqlalchemy import text

from backend.auth.service.keys_service import revoke_key
from backend.db.session import Database
from backend.security.signing_keys import SigningKey, new_jwk
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import bearer, client_of, customer, problem, signed_up, table_counts
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW

EMAIL = "ada@example.com"
JWK = new_jwk()
KEY = SigningKey.from_jwk(JWK)

Claims = dict[str, Any]


@pytest.fixture
async def app(running: RunningApp) -> AsyncIterator[FastAPI]:
    async with running(jwt_jwk_current=JWK, rate_limit_allowlist="192.0.2.1") as made:
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def public_pem() -> bytes:
    public = KEY.private.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signed(claims: Claims, key: ec.EllipticCurvePrivateKey = KEY.private, **headers: Any) -> str:
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": KEY.kid, "typ": "at+jwt", **headers})


def without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}


def none_algorithm(claims: Claims, name: str = "none") -> str:
    return f"{part({'alg': name, 'kid': KEY.kid, 'typ': 'at+jwt'})}.{part(claims)}."


def with_public_key_as_secret(claims: Claims) -> str:
    body = f"{part({'alg': 'HS256', 'kid': KEY.kid, 'typ': 'at+jwt'})}.{part(claims)}"
    seal = hmac.digest(public_pem(), body.encode(), hashlib.sha256)
    return f"{body}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def other_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def changed_at_the_end(claims: Claims) -> str:
    token = signed(claims)
    head, _, seal = token.split(".")
    return f"{head}.{part({**claims, 'sub': '01920000-0000-7000-8000-000000000001'})}.{seal}"


FORGED: dict[str, Callable[[Claims], str]] = {
    "no algorithm": none_algorithm,
    "no algorithm, in capitals": lambda claims: none_algorithm(claims, "NONE"),
    "the public key as a secret": with_public_key_as_secret,
    "another key under our kid": lambda claims: signed(claims, other_key()),
    "a foreign kid": lambda claims: signed(claims, other_key(), kid="theirs"),
    "our key under a foreign kid": lambda claims: signed(claims, kid="../../dev/null"),
    "a kid that is no text": lambda claims: f"{part({'alg': 'ES256', 'kid': 1, 'typ': 'at+jwt'})}.{part(claims)}.AA",
    "a foreign jku": lambda claims: signed(claims, other_key(), jku="http://127.0.0.1:1/keys.json"),
    "a key in the header": lambda claims: signed(claims, other_key(), jwk=json.loads(new_jwk())),
    "another type": lambda claims: signed(claims, typ="JWT"),
    "expired": lambda claims: signed({**claims, "exp": claims["iat"] - 1, "iat": claims["iat"] - 421}),
    "from the future": lambda claims: signed({**claims, "iat": claims["iat"] + 600, "exp": claims["exp"] + 600}),
    "no expiry": lambda claims: signed(without(claims, "exp")),
    "no session": lambda claims: signed(without(claims, "sid")),
    "an expiry that is text": lambda claims: signed({**claims, "exp": "9999999999"}),
    "an expiry that is null": lambda claims: signed({**claims, "exp": None}),
    "an expiry without end": lambda claims: signed({**claims, "exp": 10**30}),
    "an issue time without end": lambda claims: signed({**claims, "iat": -(10**18)}),
    "another audience": lambda claims: signed({**claims, "aud": "somebody-else"}),
    "another issuer": lambda claims: signed({**claims, "iss": "somebody-else"}),
    "a subject that is no id": lambda claims: signed({**claims, "sub": "' OR 1=1 --"}),
    "a session that is no id": lambda claims: signed({**claims, "sid": ["x"]}),
    "somebody else's session": lambda claims: signed({**claims, "sub": "01920000-0000-7000-8000-000000000001"}),
    "claims changed after signing": changed_at_the_end,
    "claims that are a list": lambda claims: (
        f"{part({'alg': 'ES256', 'kid': KEY.kid, 'typ': 'at+jwt'})}.{part([1])}.AA"
    ),
    "no signature": lambda claims: signed(claims).rpartition(".")[0] + ".",
    "two parts": lambda claims: signed(claims).rpartition(".")[0],
    "deeply nested claims": lambda claims: (
        f"{part({'alg': 'ES256'})}.{base64.urlsafe_b64encode(b'[' * 2_000).decode()}.AA"
    ),
    "empty": lambda _: "",
    "only dots": lambda _: "..",
}


async def test_a_token_of_our_own_passes(client: httpx.AsyncClient) -> None:
    """The measure of all others here: changed in nothing, it is good."""
    claims = await claims_of(client)
    assert (await client.get("/v1/auth/me", headers=bearer(signed(claims)))).status_code == 200


async def claims_of(client: httpx.AsyncClient) -> Claims:
    pair = await signed_up(client, EMAIL)
    claims: Claims = jwt.decode(pair["access_token"], options={"verify_signature": False})
    return claims


async def test_forged_tokens_are_nobody_everywhere(client: httpx.AsyncClient, database: Database) -> None:
    claims = await claims_of(client)
    before = await table_counts(database)
    for name, forge in FORGED.items():
        headers = bearer(forge(claims))
        for method, path in (("GET", "/v1/auth/me"), ("GET", "/v1/ping"), ("POST", "/v1/auth/logout")):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401, name
            problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/v1/subscription/plans", headers=headers)).status_code == 200
    assert await table_counts(database) == before


async def test_tokens_are_good_only_for_what_they_are(client: httpx.AsyncClient) -> None:
    pair = await signed_up(client, EMAIL)
    problem(await client.get("/v1/auth/me", headers=bearer(pair["refresh_token"])), 401, "unauthenticated")
    answer = await client.post("/v1/auth/refresh", json={"refresh_token": pair["access_token"][:200]})
    problem(answer, 401, "refresh_refused")
    for scheme in ("Basic", "Token", "bearerx", ""):
        headers = {"Authorization": f"{scheme} {pair['access_token']}"}
        problem(await client.get("/v1/auth/me", headers=headers), 401, "unauthenticated")


async def test_the_header_of_64_kb_is_refused_and_leaves_nothing(client: httpx.AsyncClient, database: Database) -> None:
    before = await table_counts(database)
    for headers in (bearer("x" * 65_536), {f"X-{number}": "y" * 1_000 for number in range(64)}):
        answer = await client.post("/v1/auth/login", headers=headers, json={"email": EMAIL, "password": "x"})
        problem(answer, 431, "headers_too_large")
    assert await table_counts(database) == before


async def test_a_revoked_or_expired_key_works_nowhere(
    client: httpx.AsyncClient, database: Database, clock: ManualClock
) -> None:
    who, other = await customer(database), await customer(database)
    assert (await client.get("/v1/ping", headers=who.headers)).status_code == 200
    async with database.system() as session:
        prefix = who.headers["Authorization"].removeprefix("Bearer ")[:14]
        assert len(await revoke_key(session, named=prefix, now=NOW)) == 1
        await session.execute(
            text("UPDATE api_keys SET expires_at = :at WHERE account_id = :account"),
            {"at": NOW + timedelta(seconds=1), "account": other.person.account_id},
        )
    problem(await client.get("/v1/subscription/me", headers=who.headers), 401, "unauthenticated")
    await asyncio.sleep(1)  # what a process remembers of a credential is a second old at most
    problem(await client.get("/v1/ping", headers=who.headers), 401, "unauthenticated")
    assert (await client.get("/v1/ping", headers=other.headers)).status_code == 200
    clock.advance(timedelta(seconds=1))
    problem(await client.get("/v1/ping", headers=other.headers), 401, "unauthenticated")


@pytest.mark.parametrize("status", ["suspended", "deleted", "unverified"])
async def test_who_may_not_sign_in_any_more_is_out_at_once(
    client: httpx.AsyncClient, database: Database, status: str
) -> None:
    pair = await signed_up(client, EMAIL)
    async with database.system() as session:
        deleted: datetime | None = NOW if status == "deleted" else None
        await session.execute(text("UPDATE users SET status = :s, deleted_at = :d"), {"s": status, "d": deleted})
    problem(await client.get("/v1/auth/me", headers=bearer(pair["access_token"])), 401, "unauthenticated")
    answer = await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    problem(answer, 401, "refresh_refused")
