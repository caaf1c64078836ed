"""Tokens of trusted issuers, and what an issuer that went mad may send: refused, and nobody waits for it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import jwt
import pytest
from pydantic import ValidationError

from backend.auth.service.issuers import TrustedIssuers
from backend.core.errors import Unavailable
from backend.core.trusted_issuer import TrustedIssuer
from backend.security.errors import TokenInvalid
from backend.tests.factories.users import settings_for_tests
from backend.tests.fakes.issuer import AUDIENCE, ISSUER, Issuer, running_issuer
from backend.tests.moments import NOW

AT = int(NOW.timestamp())


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as made:
        yield made


def trusting(url: str, **changes: Any) -> TrustedIssuers:
    terms = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": url, "account_claim": "org", **changes}
    return TrustedIssuers([TrustedIssuer.model_validate(terms)])


def odd_token(issuer: Issuer, **claims: Any) -> str:
    """Signed by hand: the library does not send what we must be able to read."""
    content = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "org": "org-1", "iat": AT, "exp": AT + 300, **claims}
    return jwt.api_jws.encode(
        json.dumps(content).encode(), issuer.keys["first"], algorithm="ES256", headers={"kid": "first"}
    )


NAN, ENDLESS = float("nan"), float("inf")
ODD: dict[str, dict[str, Any]] = {
    "NUL in the account": {"org": "a\0b"},
    "half a pair in the account": {"org": "a\ud800"},
    "a line in the account": {"org": "a\nb"},
    "an empty account": {"org": ""},
    "a long account": {"org": "a" * 201},
    "an account of numbers": {"org": 7},
    "NUL in the subject": {"sub": "a\0b"},
    "half a pair in the subject": {"sub": "\udfff"},
    "a replacement in the subject": {"sub": "a\ufffd"},
    "a subject of lists": {"sub": [["a"]]},
    "a subject that is true": {"sub": True},
    "a fraction as the subject": {"sub": 1.5},
    "no end": {"exp": NAN},
    "an end beyond all": {"exp": ENDLESS},
    "an end below all": {"exp": -ENDLESS},
    "an end that no clock shows": {"exp": 10**400},
    "issued never": {"iat": NAN},
    "issued before all": {"iat": -ENDLESS},
    "good from never": {"nbf": NAN},
    "good from before all": {"nbf": -ENDLESS},
    "an end that is true": {"exp": True},
    "an audience of lists": {"aud": [[AUDIENCE]]},
}


@pytest.mark.parametrize("claims", ODD.values(), ids=ODD.keys())
async def test_odd_claims_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        await trusting(issuer.url).verify(odd_token(issuer, **claims), now=NOW)


async def test_what_is_not_odd_is_read(issuer: Issuer) -> None:
    found = await trusting(issuer.url).verify(odd_token(issuer, sub=42, exp=AT + 0.5, org="Ümläut/7"), now=NOW)
    assert found is not None
    assert (found.subject, found.account) == ("42", "Ümläut/7")


async def test_a_subject_has_its_prefix_within_its_200_characters(issuer: Issuer) -> None:
    issuers = trusting(issuer.url, subject_prefix="crm|")
    found = await issuers.verify(odd_token(issuer, sub="x" * 196), now=NOW)
    assert found is not None
    assert found.subject == "crm|" + "x" * 196
    with pytest.raises(TokenInvalid):
        await issuers.verify(odd_token(issuer, sub="x" * 197), now=NOW)


Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(send: Send) -> AsyncIterator[str]:
    """An address where keys should be, and where `send` answers."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await send(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    finally:
        server.close()


def saying(body: bytes) -> Send:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return send


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte every now and then, so that no single read takes long."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
    for _ in range(200):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def test_nobody_waits_for_an_issuer_that_drips(issuer: Issuer) -> None:
    token = odd_token(issuer)
    async with answering(drip) as url:
        issuers, began = trusting(url), time.monotonic()
        found = await asyncio.gather(*(issuers.verify(token, now=NOW) for _ in range(10)), return_exceptions=True)
        assert time.monotonic() - began < 6
        assert [type(each) for each in found] == [Unavailable] * 10


KEY_SETS = {
    "nested": b"[" * 100_000,
    "nested within": b'{"keys": ' + b"[" * 100_000,
    "no JSON": b"<html>",
    "no UTF-8": b'{"keys": ["\xff\xfe"]}',
    "a list": b"[]",
    "null": b"null",
    "keys in words": b'{"keys": "many"}',
    "a long number": b'{"keys": ' + b"9" * 10_000 + b"}",
    "large": b" " * 300_000,
}


@pytest.mark.parametrize("body", KEY_SETS.values(), ids=KEY_SETS.keys())
async def test_what_is_no_key_set_is_as_good_as_no_answer(issuer: Issuer, body: bytes) -> None:
    async with answering(saying(body)) as url:
        with pytest.raises(Unavailable):
            await trusting(url).verify(odd_token(issuer), now=NOW)


ODD_KEYS: list[dict[str, Any]] = [
    {},
    {"kty": 7},
    {"kty": []},
    {"kty": "EC"},
    {"kty": "EC", "crv": [], "x": "a", "y": "b"},
    {"kty": "EC", "crv": "P-256", "x": 5, "y": None},
    {"kty": "EC", "crv": "P-256", "x": "§", "y": "ü"},
    {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    {"kty": "oct", "k": "AAAA"},
    {"kty": "RSA", "n": {}, "e": []},
    {"kty": "OKP", "crv": "Ed25519", "x": 1},
    {"alg": {}},
    {"use": ["sig"]},
]


@pytest.mark.parametrize("jwk", ODD_KEYS, ids=str)
async def test_an_odd_key_verifies_nothing(issuer: Issuer, jwk: dict[str, Any]) -> None:
    async with answering(saying(json.dumps({"keys": [{"kid": "first", **jwk}, 7, None]}).encode())) as url:
        with pytest.raises(TokenInvalid):
            await trusting(url).verify(odd_token(issuer), now=NOW)


def test_an_issuer_that_bears_our_own_name_is_refused_at_start() -> None:
    terms = {"issuer": "feature-auth", "audience": "x", "jwks_url": "https://login.example.com/keys"}
    with pytest.raises(ValidationError, match="JWT_ISSUER"):
        settings_for_tests(trusted_issuers=[terms])
    assert settings_for_tests(trusted_issuers=[terms], jwt_issuer="another").trusted_issuers


async def test_a_token_is_over_at_its_end_and_not_before(issuer: Issuer) -> None:
    issuers, token = trusting(issuer.url, leeway_seconds=0), odd_token(issuer)
    assert await issuers.verify(token, now=NOW + timedelta(seconds=299)) is not None
    with pytest.raises(TokenInvalid):
        await issuers.verify(token, now=NOW + timedelta(seconds=300))
