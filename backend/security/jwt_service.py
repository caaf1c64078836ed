"""Access tokens: ES256 (RFC 7518, section 3.4), short-lived, verified by keys that we hold and by nothing they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.core.ids import uuid7
from backend.core.settings import Settings
from backend.security.errors import TokenInvalid
from backend.security.signing_keys import SigningKey, SigningKeys

_ALGORITHM = "ES256"
_TYPE = "at+jwt"  # RFC 9068, section 2.1
_ACTING_TYPE = "acting+jwt"
_MAX_LENGTH = 4_096
_REQUIRED = ["iss", "aud", "sub", "sid", "iat", "exp", "jti"]
_LEEWAY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says; `is_acting` is of an operator's who acts as its subject."""

    subject: UUID
    session_id: UUID
    issued_at: datetime
    expires_at: datetime
    is_acting: bool = False


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
        # A rotation that was cut, or a variable set twice, leaves a key in two places: then it has not been replaced.
        kept = {key.kid for key in (current, following) if key is not None}
        self._previous_kid = previous.kid if previous is not None and previous.kid not in kept else None
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
        """Keys from the settings or from FEATURE_HOME; see `SigningKeys.from_settings`. Raises ValueError."""
        keys = SigningKeys.from_settings(settings)
        return cls(
            current=keys.current,
            following=keys.following,
            previous=keys.previous,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            access_ttl=timedelta(seconds=settings.jwt_access_ttl_seconds),
            previous_grace=timedelta(seconds=settings.jwt_previous_grace_seconds),
        )

    @property
    def chain_keys(self) -> Sequence[bytes]:
        """Secrets for the chains of refresh tokens, the one to continue chains with first."""
        return self._chain_keys

    def issue_access(
        self, subject: UUID, session_id: UUID, *, now: datetime, acting_for: timedelta | None = None
    ) -> str:
        """A token for one session, good for `access_ttl`. `subject`: its user, or the account of a portal session.

        With `acting_for` it is an operator's who acts as the user, good for so long. Its type is another one, so that
        code that does not know of acting refuses it, and never takes it for the user's own.
        """
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(subject),
            "sid": str(session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + (acting_for or self.access_ttl)).timestamp()),
            "jti": uuid7().hex,
        }
        headers = {"kid": self._current.kid, "typ": _TYPE if acting_for is None else _ACTING_TYPE}
        return jwt.encode(claims, self._current.private, algorithm=_ALGORITHM, headers=headers)

    def verify_access(self, token: str, *, now: datetime) -> AccessClaims:
        """What the token says, if it is ours and good at `now`. Raises TokenInvalid."""
        if len(token) > _MAX_LENGTH:
            raise TokenInvalid("length")
        key, is_acting = self._key_of(token)
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
            found = _claims(claims, is_acting=is_acting)
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

    def _key_of(self, token: str) -> tuple[SigningKey, bool]:
        """(the key that the header names, among ours; whether it says that somebody acts as another).

        `jku`, `jwk` and `x5u` are not looked at.
        """
        try:
            header: Mapping[str, Any] = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenInvalid("header") from error
        kid, kind = header.get("kid"), header.get("typ")
        if header.get("alg") != _ALGORITHM or kind not in (_TYPE, _ACTING_TYPE) or not isinstance(kid, str):
            raise TokenInvalid("header")
        key = self._keys.get(kid)
        if key is None:
            raise TokenInvalid("kid")
        return key, kind == _ACTING_TYPE


def _claims(claims: Mapping[str, Any], *, is_acting: bool) -> AccessClaims:
    if not isinstance(claims["iat"], int) or not isinstance(claims["exp"], int):
        raise TokenInvalid("time")
    return AccessClaims(
        subject=UUID(str(claims["sub"])),
        session_id=UUID(str(claims["sid"])),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        is_acting=is_acting,
    )


def _derived(secret: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"feature-platform refresh chain").derive(secret)
