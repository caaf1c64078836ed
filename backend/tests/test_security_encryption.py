"""Secrets at rest: bound to what they are about, readable while their key is there."""

from pathlib import Path

import pytest

from backend.core.settings import Settings
from backend.security.encryption import Encryption, KeyRing, new_ring
from backend.security.errors import SecretUnreadable
from backend.tests.factories.users import settings_for_tests

TEXT = "JBSWY3DPEHPK3PXP"


def encryption(keys: str, active: str | None = None) -> Encryption:
    return Encryption.from_settings(settings_for_tests(encryption_keys=keys, encryption_key_active=active))


def test_a_secret_is_read_by_who_says_what_it_is_about() -> None:
    found = encryption(new_ring())
    stored = found.encrypt(TEXT, about="totp:1")
    assert TEXT not in stored
    assert found.decrypt(stored, about="totp:1") == TEXT
    assert found.encrypt(TEXT, about="totp:1") != stored
    for about in ("totp:2", "", "totp:1 "):
        with pytest.raises(SecretUnreadable):
            found.decrypt(stored, about=about)


def test_whatever_was_changed_cannot_be_read() -> None:
    found = encryption(new_ring())
    stored = found.encrypt(TEXT, about="x")
    name, _, sealed = stored.partition(".")
    for at in range(0, len(sealed) - 1, 7):
        letter = "A" if sealed[at] != "A" else "B"
        with pytest.raises(SecretUnreadable):
            found.decrypt(f"{name}.{sealed[:at]}{letter}{sealed[at + 1 :]}", about="x")
    for odd in ("", ".", name, f"{name}.", f"other.{sealed}", sealed):
        with pytest.raises(SecretUnreadable):
            found.decrypt(odd, about="x")


def test_keys_rotate_and_the_older_ones_go_on_reading() -> None:
    first = encryption(new_ring())
    stored = first.encrypt(TEXT, about="x")
    added = first.ring.with_readable()
    assert encryption(str(added)).ring.active == first.ring.active, "a new key is only read at first"
    (new,) = added.keys.keys() - first.ring.keys.keys()
    both = added.with_active(new)
    second = encryption(str(both))
    assert second.ring.active == both.active != first.ring.active
    assert second.decrypt(stored, about="x") == TEXT
    assert not second.is_active(stored)
    assert second.is_active(second.encrypt(TEXT, about="x"))
    without = encryption(f"{both.active}:{str(both).rpartition(':')[2]}")
    with pytest.raises(SecretUnreadable, match="not among ENCRYPTION_KEYS"):
        without.decrypt(stored, about="x")


def test_the_active_key_can_be_named() -> None:
    ring = KeyRing.parse(new_ring(), None).with_readable()
    for name in ring.keys:
        assert encryption(str(ring), name).ring.active == name
    with pytest.raises(ValueError, match="among"):
        ring.with_active("none of them")


@pytest.mark.parametrize(
    ("keys", "active"),
    [
        ("", None),
        ("a", None),
        ("a:short", None),
        ("a b:" + "A" * 43, None),
        ("a:%%%", None),
        ("a:" + "A" * 43, "b"),
    ],
)
def test_keys_that_cannot_be_read_are_said(keys: str, active: str | None) -> None:
    with pytest.raises(ValueError, match=r"ENCRYPTION_KEY|encryption key"):
        encryption(keys, active)


def test_in_development_a_key_is_made_once(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, feature_home=tmp_path)
    stored = Encryption.from_settings(settings).encrypt(TEXT, about="x")
    assert Encryption.from_settings(settings).decrypt(stored, about="x") == TEXT
    assert (tmp_path / "keys" / "encryption.keys").stat().st_mode & 0o077 == 0
