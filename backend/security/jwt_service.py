"""Access tokens: ES256 (RFC 7518, section 3.4), short-lived, verified by keys that we hold and by nothing they say."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr

from backend.core.ids import uuid7
from backend.core.settings import Settings
from backend.security.errors import TokenInvalid
from backend.security.key_file import load_or_create

_ALGORITHM = "ES256"
_TYPE = "at+jwt"  # RFC 9068, section 2.1
_MAX_LENGTH = 4_096
_REQUIRED = ["iss", "aud", "sub", "sid", "iat", "exp", "jti"]
_LEEWAY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says."""

    subject: UUID
    session_id: UUID
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class SigningKey:
    """A P-256 key pair with the id under which tokens name it, and the time since when it signs, if that is known."""

    kid: str
    private: ec.EllipticCurvePrivateKey
    since: datetime | None = None

    @classmethod
    def from_jwk(cls, text: str) -> "SigningKey":
        """Reads a private JWK; its member `iat` (seconds since 1970) says since when it signs. Raises ValueError."""
        try:
            jwk = json.loads(text)
            key = ECAlgorithm.from_jwk(jwk)
            since = datetime.fromtimestamp(jwk["iat"], UTC) if "iat" in jwk else None
        except (ValueError, TypeError, OverflowError, OSError, jwt.InvalidKeyError) as error:
            raise ValueError("not a JWK of a P-256 key") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("not a private JWK of a P-256 key")
        return cls(str(jwk.get("kid") or _thumbprint(key)), key, since)

    @property
    def secret(self) -> bytes:
        return self.private.private_numbers().private_value.to_bytes(32, "big")


def new_jwk() -> str:
    """A new private key as a JWK."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(key, as_dict=True)
    return json.dumps({**jwk, "kid": _thumbprint(key), "alg": _ALGORITHM, "use": "sig"})


class JwtService:
    """Issues tokens with the current key; verifies with the current, the next, and for a while the previous one."""

    def __init__(
        self,
        *,
        current: SigningKey,
        following: SigningKey | None = None,
        previous: SigningKey | None = None,
        issuer: str,
        audience: str,
        access_ttl: timedelta,
        previous_grace: timedelta,
    ) -> None:
        self._current = current
        self._previous_kid = previous.kid if previous else None
        self._keys = {key.kid: key for key in (previous, following, current) if key is not None}
        others = [key for key in self._keys.values() if key.kid != current.kid]
        self._chain_keys = tuple(_derived(key.secret) for key in (current, *others))
        self._issuer = issuer
        self._audience = audience
        self.access_ttl = access_ttl
        self._previous_grace = previous_grace
        self._rotated_at = current.since

    @classmethod
    def from_settings(cls, settings: Settings) -> "JwtService":
        """Keys from the settings; in development the current one is made on first run, in FEATURE_HOME.

        Raises ValueError for a key that cannot be read, and in production without one.
        """
        if settings.jwt_jwk_current is not None:
            current = settings.jwt_jwk_current.get_secret_value()
        elif settings.is_production:
            raise ValueError("JWT_JWK_CURRENT is not set: the key made on first run is for development")
        else:
            current = load_or_create(Path(settings.feature_home, "keys", "jwt.jwk"), new_jwk)
        return cls(
            current=SigningKey.from_jwk(current),
            following=_optional(settings.jwt_jwk_next),
            previous=_optional(settings.jwt_jwk_previous),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            access_ttl=timedelta(seconds=settings.jwt_access_ttl_seconds),
            previous_grace=timedelta(seconds=settings.jwt_previous_grace_seconds),
        )

    @property
    def chain_keys(self) -> Sequence[bytes]:
        """Secrets for the chains of refresh tokens, the one to continue chains with first."""
        return self._chain_keys

    def issue_access(self, subject: UUID, session_id: UUID, *, now: datetime) -> str:
        """A token for one session, good for `access_ttl`. `subject`: its user, or the account of a portal session."""
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(subject),
            "sid": str(session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + self.access_ttl).timestamp()),
            "jti": uuid7().hex,
        }
        headers = {"kid": self._current.kid, "typ": _TYPE}
        return jwt.encode(claims, self._current.private, algorithm=_ALGORITHM, headers=headers)

    def verify_access(self, token: str, *, now: datetime) -> AccessClaims:
        """What the token says, if it is ours and good at `now`. Raises TokenInvalid."""
        if len(token) > _MAX_LENGTH:
            raise TokenInvalid("length")
        key = self._key_of(token)
        try:
            # Expiry is judged below, by the time that the request was given.
            claims = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            found = _claims(claims)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
            raise TokenInvalid(type(error).__name__) from error
        if not found.issued_at - _LEEWAY <= now < found.expires_at:
            raise TokenInvalid("time")
        if key.kid == self._previous_kid and not self._is_in_grace(now):
            raise TokenInvalid("key")
        return found

    def _is_in_grace(self, now: datetime) -> bool:
        """Whether the previous key is still good. Where the current one does not say since when, since first asked."""
        if self._rotated_at is None:
            self._rotated_at = now
        return now - self._rotated_at <= self._previous_grace

    def _key_of(self, token: str) -> SigningKey:
        """The key that the header names, among ours: `jku`, `jwk` and `x5u` are not looked at."""
        try:
            header: Mapping[str, Any] = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenInvalid("header") from error
        kid = header.get("kid")
        if header.get("alg") != _ALGORITHM or header.get("typ") != _TYPE or not isinstance(kid, str):
            raise TokenInvalid("header")
        key = self._keys.get(kid)
        if key is None:
            raise TokenInvalid("kid")
        return key


def _claims(claims: Mapping[str, Any]) -> AccessClaims:
    if not isinstance(claims["iat"], int) or not isinstance(claims["exp"], int):
        raise TokenInvalid("time")
    return AccessClaims(
        subject=UUID(str(claims["sub"])),
        session_id=UUID(str(claims["sid"])),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _optional(secret: SecretStr | None) -> SigningKey | None:
    return None if secret is None else SigningKey.from_jwk(secret.get_secret_value())


def _thumbprint(key: ec.EllipticCurvePrivateKey) -> str:
    """RFC 7638: the hash of the public part, so that the same key has the same id everywhere."""
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    canonical = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _derived(secret: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"feature-platform refresh chain").derive(secret)
