"""The keys that sign access tokens: the current one, the next, which every process knows before it signs, and the
previous one, which is good for a while after a rotation."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr

from backend.core.settings import Settings
from backend.security.errors import RotationTooSoon
from backend.security.key_file import alone, load_or_create, replace

CURRENT, NEXT, PREVIOUS = "jwt.jwk", "jwt-next.jwk", "jwt-previous.jwk"


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
    return json.dumps({**jwk, "kid": _thumbprint(key), "alg": "ES256", "use": "sig"})


@dataclass(frozen=True)
class SigningKeys:
    """All keys whose tokens are taken. A rolling restart after a rotation refuses nobody: the old processes know the
    new current key as their next one, the new processes know the old current one as the previous."""

    current: SigningKey
    following: SigningKey | None
    previous: SigningKey | None

    @classmethod
    def from_settings(cls, settings: Settings) -> "SigningKeys":
        """Keys from the settings; in development they are made on first run, in FEATURE_HOME.

        Raises ValueError for a key that cannot be read, and in production without one.
        """
        if settings.jwt_jwk_current is not None:
            current = settings.jwt_jwk_current.get_secret_value()
            return cls(
                SigningKey.from_jwk(current), _optional(settings.jwt_jwk_next), _optional(settings.jwt_jwk_previous)
            )
        if settings.is_production:
            raise ValueError("JWT_JWK_CURRENT is not set: the key made on first run is for development")
        folder = Path(settings.feature_home, "keys")
        previous = folder / PREVIOUS
        return cls(
            SigningKey.from_jwk(load_or_create(folder / CURRENT, new_jwk)),
            SigningKey.from_jwk(load_or_create(folder / NEXT, new_jwk)),
            SigningKey.from_jwk(previous.read_text(encoding="utf-8")) if previous.exists() else None,
        )


def rotate_files(home: Path, *, grace: timedelta, now: datetime) -> SigningKeys:
    """The next key signs from now on, the current one becomes the previous, and a new next one is made.

    In an order in which a crash between two steps leaves keys with which every token stays good; a rotation that was
    cut is finished by the next call. Raises RotationTooSoon.
    """
    folder = home / "keys"
    with alone(folder):
        current, following = (load_or_create(folder / name, new_jwk) for name in (CURRENT, NEXT))
        if SigningKey.from_jwk(current).kid != SigningKey.from_jwk(following).kid:
            _ensure_settled(current, grace, now)
            replace(folder / PREVIOUS, current)
            replace(folder / CURRENT, since(following, now))
        replace(folder / NEXT, new_jwk())
        found = [SigningKey.from_jwk((folder / name).read_text(encoding="utf-8")) for name in (CURRENT, NEXT, PREVIOUS)]
    return SigningKeys(*found)


def rotated_variables(settings: Settings, *, grace: timedelta, now: datetime) -> dict[str, str]:
    """The settings after a rotation, for a deployment that takes its keys from the environment.

    Without a next key there is none that every process knows: then the first step is to make one. Raises
    RotationTooSoon.
    """
    assert settings.jwt_jwk_current is not None
    current = settings.jwt_jwk_current.get_secret_value()
    if settings.jwt_jwk_next is None:
        return {"JWT_JWK_NEXT": new_jwk()}
    _ensure_settled(current, grace, now)
    return {
        "JWT_JWK_PREVIOUS": current,
        "JWT_JWK_CURRENT": since(settings.jwt_jwk_next.get_secret_value(), now),
        "JWT_JWK_NEXT": new_jwk(),
    }


def _ensure_settled(current: str, grace: timedelta, now: datetime) -> None:
    """Raises RotationTooSoon while the key before the current one still counts: there is one previous key only, and
    a process that has not been restarted since signs with it."""
    signs_since = SigningKey.from_jwk(current).since
    if signs_since is not None and now - signs_since < grace:
        raise RotationTooSoon(
            f"The current key signs since {signs_since.isoformat()}, and tokens of the one before it are good until"
            f" {(signs_since + grace).isoformat()}; rotating now would refuse them."
        )


def since(jwk: str, now: datetime) -> str:
    """The key with the time from which it signs, so that the grace of the one before it has an end."""
    return json.dumps({**json.loads(jwk), "iat": int(now.timestamp())})


def _optional(secret: SecretStr | None) -> SigningKey | None:
    return None if secret is None else SigningKey.from_jwk(secret.get_secret_value())


def _thumbprint(key: ec.EllipticCurvePrivateKey) -> str:
    """RFC 7638: the hash of the public part, so that the same key has the same id everywhere."""
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    canonical = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
