"""Random tokens and keys, their hashes, and the chain of refresh tokens."""

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from backend.security.errors import TokenInvalid

KeyForm = Literal["live", "test", "service"]
_PREFIXES: dict[KeyForm, str] = {"live": "fk_live_", "test": "fk_test_", "service": "fk_svc_"}
_SHOWN = 6
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_CHECKSUM_LENGTH = 6  # CRC-32 in base 62
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Those that were made before there were checksums have none; there were no others then.
_WITHOUT_CHECKSUM = ("fk_live_", "fk_svc_")
_MAX_KEY = 200
_SEAL_LENGTH = 22  # characters: 132 bits
_MOST_GENERATIONS = 2**53


def new_token() -> str:
    """256 random bits, for links and first refresh tokens."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of a token. Tokens are random, so a plain hash cannot be guessed backwards."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once, and the beginning of it that lists show."""

    key: str
    prefix: str


def new_key(form: KeyForm) -> NewKey:
    """A key of 256 random bits and their checksum: of an account (`live` or `test`, as that is), or `service`."""
    text = _PREFIXES[form] + secrets.token_urlsafe(32)
    return NewKey(text + _checksum(text), text[: len(_PREFIXES[form]) + _SHOWN])


def shown_beginning(text: str) -> str:
    """What lists show of a key, of which this is a beginning or the whole; empty for what no key begins with."""
    prefix = next((prefix for prefix in _PREFIXES.values() if text.startswith(prefix)), None)
    return "" if prefix is None else text[: len(prefix) + _SHOWN]


def is_well_formed(key: str) -> bool:
    """Whether a key can have been given out by us: a typo, or one that is made up, need not be looked for."""
    prefix = next((prefix for prefix in _PREFIXES.values() if key.startswith(prefix)), None)
    if prefix is None:
        return False
    if _SECRET.fullmatch(key.removeprefix(prefix)):
        return prefix in _WITHOUT_CHECKSUM
    text, checksum = key[:-_CHECKSUM_LENGTH], key[-_CHECKSUM_LENGTH:]
    return _SECRET.fullmatch(text.removeprefix(prefix)) is not None and checksum == _checksum(text)


def is_service_key(key: str) -> bool:
    """Whether it has the form of a key of the host application."""
    return key.startswith(_PREFIXES["service"])


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits


def is_key(credential: str) -> bool:
    """Whether a credential has the form of a key rather than of an access token."""
    return len(credential) <= _MAX_KEY and credential.startswith(tuple(_PREFIXES.values()))


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One link of the chain of one session. Its secret is the HMAC of the one before it.

    The seal tells a spent token from a made-up one, so that nobody can end a session by knowing its id. The newest
    token needs no seal: its hash is stored, and changed keys sign nobody out.
    """

    session_id: UUID
    generation: int
    secret: str
    seal: str

    def __str__(self) -> str:
        return f"{self._unsealed}.{self.seal}"

    @property
    def _unsealed(self) -> str:
        return f"fr_{self.session_id.hex}.{self.generation}.{self.secret}"

    @property
    def hash(self) -> bytes:
        return digest(str(self))

    @classmethod
    def first(cls, session_id: UUID, chain_key: bytes) -> "RefreshToken":
        return cls(session_id, 0, new_token(), "")._sealed(chain_key)

    @classmethod
    def parse(cls, text: str) -> "RefreshToken":
        """Raises TokenInvalid for anything that was never given out in this form."""
        parts = text.removeprefix("fr_").split(".")
        if len(text) > _MAX_KEY or not text.startswith("fr_") or len(parts) != 4 or not parts[1].isdecimal():
            raise TokenInvalid("form")
        try:
            token = cls(UUID(hex=parts[0]), int(parts[1]), parts[2], parts[3])
        except ValueError as error:
            raise TokenInvalid("form") from error
        if str(token) != text or token.generation > _MOST_GENERATIONS:
            raise TokenInvalid("form")
        return token

    def successor(self, chain_key: bytes) -> "RefreshToken":
        """The next link: the same, however often it is asked for."""
        secret = _mac(chain_key, f"next {self._unsealed}")
        return RefreshToken(self.session_id, self.generation + 1, secret, "")._sealed(chain_key)

    def is_sealed_by(self, chain_key: bytes) -> bool:
        """Whether we made it, under this key."""
        return hmac.compare_digest(self._sealed(chain_key).seal.encode(), self.seal.encode())

    def _sealed(self, chain_key: bytes) -> "RefreshToken":
        return replace(self, seal=_mac(chain_key, f"seal {self._unsealed}")[:_SEAL_LENGTH])


def _mac(key: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).rstrip(b"=").decode()
