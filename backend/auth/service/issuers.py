"""Tokens of a host application's own sign-in: verified by the keys that their issuer publishes (RFC 7517)."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import structlog

from backend.auth.service.host_accounts import is_subject
from backend.core.errors import Unavailable
from backend.core.trusted_issuer import TrustedIssuer
from backend.security.errors import TokenInvalid

FRESH = timedelta(minutes=10)
# While an issuer does not answer, the keys that it published last are good for this long.
USABLE = timedelta(hours=24)
# Who sends unknown key ids cannot make us ask more often than this.
PAUSE = timedelta(seconds=10)

_MAX_TOKEN = 8_192
_MAX_KEYS_BYTES = 256 * 1024
_TIMEOUT_SECONDS = 3.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ForeignIdentity:
    """Who a verified token of a trusted issuer is about. `account` is the host application's id, where it says one."""

    subject: str
    account: str | None
    role: str


class TrustedIssuers:
    """Verifies tokens of the issuers in the settings. Keys are fetched when first needed, and kept."""

    def __init__(self, issuers: Sequence[TrustedIssuer]) -> None:
        self._issuers = {issuer.issuer: _Issuer(issuer) for issuer in issuers}

    async def verify(self, token: str, *, now: datetime) -> ForeignIdentity | None:
        """None where no trusted issuer is named, which is for our own keys to judge.

        Raises TokenInvalid; Unavailable when the issuer has never told its keys and does not answer.
        """
        if not self._issuers or len(token) > _MAX_TOKEN:
            return None
        try:
            header = jwt.get_unverified_header(token)
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        return None if issuer is None else await issuer.verify(token, header, now=now)


class _Issuer:
    def __init__(self, terms: TrustedIssuer) -> None:
        self._terms = terms
        self._keys = _Keys(terms.jwks_url)

    async def verify(self, token: str, header: Mapping[str, Any], *, now: datetime) -> ForeignIdentity:
        terms, algorithm, kid = self._terms, header.get("alg"), header.get("kid")
        if algorithm not in terms.algorithms or not isinstance(kid, str):
            raise TokenInvalid("header")
        jwk = await self._keys.get(kid, now=now)
        if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
            raise TokenInvalid("key")
        try:
            claims = jwt.decode(
                token,
                jwt.PyJWK(dict(jwk), algorithm=algorithm),
                algorithms=[algorithm],
                issuer=terms.issuer,
                audience=terms.audience,
                # Times are judged below, by the time that the request was given.
                options={
                    "require": ["iss", "aud", "exp"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_sub": False,  # numbers are subjects, too
                },
            )
            _ensure_in_time(claims, now, timedelta(seconds=terms.leeway_seconds))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise TokenInvalid(type(error).__name__) from error
        account = _readable(claims.get(terms.account_claim), what="account") if terms.account_claim else None
        subject = claims.get(terms.subject_claim)
        if isinstance(subject, int) and not isinstance(subject, bool):
            subject = str(subject)
        return ForeignIdentity(_readable(subject, what="subject", prefix=terms.subject_prefix), account, terms.role)


class _Keys:
    """What one issuer publishes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._by_kid: Mapping[str, Mapping[str, Any]] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def get(self, kid: str, *, now: datetime) -> Mapping[str, Any]:
        """Raises TokenInvalid for a key that the issuer does not publish, Unavailable when that cannot be known."""
        if kid not in self._by_kid or not self._is_within(self._fetched_at, FRESH, now):
            async with self._lock:  # many tokens of a new key: one question
                if kid not in self._by_kid or not self._is_within(self._fetched_at, FRESH, now):
                    await self._ask(now)
        if not self._is_within(self._fetched_at, USABLE, now):
            raise Unavailable("The issuer of this token does not tell its keys.", headers={"Retry-After": "10"})
        found = self._by_kid.get(kid)
        if found is None:
            raise TokenInvalid("kid")
        return found

    async def _ask(self, now: datetime) -> None:
        if self._is_within(self._asked_at, PAUSE, now):
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):  # of all of it: an issuer that drips is within each read's
                self._by_kid, self._fetched_at = await _fetch(self._url), now
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            _log.warning("keys_of_an_issuer_not_fetched", url=self._url, error=repr(error))

    @staticmethod
    def _is_within(since: datetime | None, period: timedelta, now: datetime) -> bool:
        return since is not None and since <= now < since + period


async def _fetch(url: str) -> Mapping[str, Mapping[str, Any]]:
    """The keys by their ids. No redirect is followed: only the address in the settings is trusted."""
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        if not answer.is_success:
            raise ValueError(f"status {answer.status_code}")
        body = b""
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _MAX_KEYS_BYTES:
                raise ValueError("the key set is too large")
    document = json.loads(body)
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("this is no key set")
    return {key["kid"]: key for key in keys if isinstance(key, dict) and isinstance(key.get("kid"), str)}


def _ensure_in_time(claims: Mapping[str, Any], now: datetime, leeway: timedelta) -> None:
    """Raises ValueError or OverflowError for a token that is over or not yet good, or says neither."""
    seconds = now.timestamp()
    times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if any(isinstance(moment, bool) or not isinstance(moment, int | float) for moment in times.values()):
        raise ValueError("a time is no number")
    if not all(map(math.isfinite, times.values())):  # Python's JSON knows NaN, which is neither before nor after
        raise ValueError("a time is no time")
    if times["exp"] + leeway.total_seconds() <= seconds:
        raise ValueError("over")
    if max(times.get("nbf", 0), times.get("iat", 0)) - leeway.total_seconds() > seconds:
        raise ValueError("not yet good")


def _readable(value: object, *, what: str, prefix: str = "") -> str:
    """A claim that names somebody or something, in letters as they are kept. Raises TokenInvalid."""
    if not isinstance(value, str) or not value or not is_subject(prefix + value):
        raise TokenInvalid(what)
    return prefix + value
