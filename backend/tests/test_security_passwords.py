"""Which passwords cannot be chosen: the ones that anybody tries first, and no others."""

import pytest

from backend.security.errors import PasswordRefused
from backend.security.passwords import ensure_acceptable

REFUSED = [
    "password1234",
    "PASSWORD1234",
    "aaaaaaaaaaaa",
    "            ",
    "abababababab",
    "111222333444",
    "123456789012",
    "987654321098",
    "098765432109",
    "abcdefghijkl",
    "ZYXWVUTSRQPO",
    "qwertyuiopas",
    "qwertyasdfgh",
    "QwertyuiopAsdfghjkl",
    "asdfghjklzxc",
    "qwertzuiopas",
    "azertyuiopqs",
    "qwerty123456",
    "123456abcdef",
    "ada@example.com",
    "short",
]
TAKEN = [
    "a long walk to the lighthouse",
    "twelve chars",
    "x" * 64,
    "defghijk stuvw hijklm",  # three jumps: a long one
    "hunter2hunter",
    "\u043f\u0430\u0440\u043e\u043b\u044c-\u043f\u0430\u0440\u043e\u043b\u044c",
    "\U0001f99c\U0001f422\U0001f994\U0001f419\U0001f9a9\U0001f41d\U0001f98a\U0001f427\U0001f9a5\U0001f433\U0001f69a\U0001f40c",
    "\U0001f600" * 12,
    "Tr0ub4dor&3x",
]


@pytest.mark.parametrize("password", REFUSED)
def test_what_anybody_tries_first_cannot_be_chosen(password: str) -> None:
    with pytest.raises(PasswordRefused):
        ensure_acceptable(password, email="ada@example.com")


@pytest.mark.parametrize("password", TAKEN)
def test_what_nobody_tries_first_can(password: str) -> None:
    ensure_acceptable(password, email="ada@example.com")
