"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under keys that rotate.

What is stored names its key, and is bound to what it is about, so that one row's secret cannot be put into another.
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.core.settings import Settings
from backend.security.errors import SecretUnreadable
from backend.security.key_file import load_or_create

_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by their names, and the one that new secrets are written under."""

    keys: Mapping[str, bytes]
    active: str

    @classmethod
    def parse(cls, text: str, active: str | None) -> "KeyRing":
        """Reads `name:key, …`, each key 32 bytes in base64. Without `active` the last one is. Raises ValueError."""
        found: dict[str, bytes] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, encoded = part.partition(":")
            try:
                key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except (binascii.Error, ValueError) as error:
                raise ValueError(f"the encryption key {name!r} is not base64") from error
            if not name.isalnum() or len(key) != _KEY_BYTES:
                raise ValueError("an encryption key is `name:` and 32 bytes in base64; the name has letters and digits")
            found[name] = key
        if not found:
            raise ValueError("ENCRYPTION_KEYS names no key")
        chosen = active or list(found)[-1]
        if chosen not in found:
            raise ValueError(f"ENCRYPTION_KEY_ACTIVE is {chosen!r}, which is not among ENCRYPTION_KEYS")
        return cls(found, chosen)

    def __str__(self) -> str:
        """As `parse` reads it, the active one last."""
        names = [name for name in self.keys if name != self.active] + [self.active]
        return ",".join(f"{name}:{_text(self.keys[name])}" for name in names)

    def with_readable(self) -> "KeyRing":
        """The same with one more key, which is read and not yet written under: every process must know it first."""
        return KeyRing({**self.keys, secrets.token_hex(4): os.urandom(_KEY_BYTES)}, self.active)

    def with_active(self, name: str) -> "KeyRing":
        """The same, writing under another of its keys. Raises ValueError."""
        if name not in self.keys:
            raise ValueError(f"{name!r} is not among the keys; there are: {', '.join(self.keys)}")
        return KeyRing(self.keys, name)


class Encryption:
    """Writes secrets under the active key and reads those of all keys."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._ciphers = {name: AESGCM(key) for name, key in ring.keys.items()}

    @classmethod
    def from_settings(cls, settings: Settings) -> "Encryption":
        """Keys from the settings; in development one is made on first run, in FEATURE_HOME. Raises ValueError."""
        if settings.encryption_keys is not None:
            text = settings.encryption_keys.get_secret_value()
        elif settings.is_production:
            raise ValueError("ENCRYPTION_KEYS is not set: the key made on first run is for development")
        else:
            text = load_or_create(key_path(settings), new_ring)
        return cls(KeyRing.parse(text, settings.encryption_key_active))

    def encrypt(self, secret: str, *, about: str) -> str:
        """What to store. `about` says whose and what it is; reading needs the same."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.ring.active].encrypt(nonce, secret.encode(), about.encode())
        return f"{self.ring.active}.{_text(nonce + sealed)}"

    def decrypt(self, stored: str, *, about: str) -> str:
        """The secret. Raises SecretUnreadable when its key is gone or it was written about something else."""
        name, _, encoded = stored.partition(".")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SecretUnreadable(f"the key {name!r} is not among ENCRYPTION_KEYS")
        try:
            raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable("it was changed, or written about something else") from error

    def mac(self, data: bytes, *, about: str, key_name: str | None = None) -> tuple[str, bytes]:
        """(name of the key, HMAC-SHA-256 of `data` under a key derived from it for this use only).

        Without a name under the active key. Raises SecretUnreadable for a key that is gone.
        """
        name = key_name or self.ring.active
        key = self.ring.keys.get(name)
        if key is None:
            raise SecretUnreadable(f"the key {name!r} is not among ENCRYPTION_KEYS")
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"mac {about}".encode()).derive(key)
        return name, hmac.digest(derived, data, "sha256")

    def is_active(self, stored: str) -> bool:
        """Whether it is written under the active key."""
        return stored.partition(".")[0] == self.ring.active


def new_ring() -> str:
    """One new key, as the settings take it."""
    name = secrets.token_hex(4)
    return str(KeyRing({name: os.urandom(_KEY_BYTES)}, name))


def key_path(settings: Settings) -> Path:
    """Where the keys of development are."""
    return Path(settings.feature_home, "keys", "encryption.keys")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
