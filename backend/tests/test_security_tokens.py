"""Refresh chains, keys and passwords, without a database."""

import asyncio
import time
from uuid import UUID, uuid4

import pytest

from backend.core.errors import Unavailable
from backend.security.errors import PasswordRefused, TokenInvalid
from backend.security.passwords import Passwords, ensure_acceptable
from backend.security.tokens import KeyForm, RefreshToken, digest, is_key, is_well_formed, new_key
from backend.tests.factories.users import settings_for_tests

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SESSION = UUID("0190a0a0-0000-7000-8000-000000000002")


def test_a_successor_is_the_same_however_often_it_is_asked_for() -> None:
    first = RefreshToken.first(SESSION, KEY)
    assert first.successor(KEY) == first.successor(KEY)
    assert first.successor(KEY) != first.successor(OTHER_KEY)
    assert first.successor(KEY).generation == 1
    assert RefreshToken.first(SESSION, KEY) != first


def test_a_token_reads_back_as_it_was_written() -> None:
    token = RefreshToken.first(SESSION, KEY)
    for _ in range(3):
        assert RefreshToken.parse(str(token)) == token
        assert RefreshToken.parse(str(token)).is_sealed_by(KEY)
        assert not token.is_sealed_by(OTHER_KEY)
        token = token.successor(KEY)


def test_a_made_up_token_has_no_seal_of_ours() -> None:
    token = RefreshToken.first(SESSION, KEY)
    for changed in (
        RefreshToken(uuid4(), token.generation, token.secret, token.seal),
        RefreshToken(SESSION, 7, token.secret, token.seal),
        RefreshToken(SESSION, token.generation, "x" * 43, token.seal),
        RefreshToken(SESSION, token.generation, token.secret, ""),
        RefreshToken(SESSION, token.generation, token.secret, "é"),
    ):
        assert not changed.is_sealed_by(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fr_",
        "fr_...",
        "fr_x.0.a.b",
        f"fr_{SESSION}.0.a.b",
        f"fr_{SESSION.hex}.-1.a.b",
        f"fr_{SESSION.hex}.01.a.b",
        f"fr_{SESSION.hex}.٣.a.b",
        f"fr_{SESSION.hex}.{'9' * 100}.a.b",
        f"fr_{SESSION.hex.upper()}.0.a.b",
        f"fr_{SESSION.hex}.0.a.b.c",
        f"fr_{SESSION.hex}.0.a.b" + "x" * 300,
        "eyJhbGciOiJFUzI1NiJ9.e30.x",
        "9" * 5_000,
    ],
)
def test_what_never_was_given_out_in_this_form_is_no_token(text: str) -> None:
    with pytest.raises(TokenInvalid):
        RefreshToken.parse(text)


FORMS: tuple[KeyForm, ...] = ("live", "test", "service")


@pytest.mark.parametrize("form", FORMS)
def test_a_key_shows_its_beginning_and_hides_the_rest(form: KeyForm) -> None:
    key = new_key(form)
    assert key.key.startswith(key.prefix)
    assert len(key.key) - len(key.prefix) >= 36  # 216 random bits that no list shows
    assert is_key(key.key)
    assert len(digest(key.key)) == 32
    assert new_key(form).key != key.key


@pytest.mark.parametrize("form", FORMS)
def test_any_one_character_that_is_mistyped_is_noticed(form: KeyForm) -> None:
    key = new_key(form).key
    assert is_well_formed(key)
    for place, letter in enumerate(key):
        for other in ("A" if letter != "A" else "B", "_" if letter != "_" else "-", "\u0415", " "):
            assert not is_well_formed(key[:place] + other + key[place + 1 :])
        assert not is_well_formed(key[:place] + key[place + 1 :])


def test_a_key_of_before_checksums_is_taken_as_it_is() -> None:
    for prefix, is_taken in (("fk_live_", True), ("fk_svc_", True), ("fk_test_", False), ("fk_", False)):
        assert is_well_formed(prefix + "x" * 43) is is_taken
    for odd in ("", "fk_live_", "fk_live_" + "x" * 42, "fk_live_" + "x" * 44, "fk_live_" + "x" * 49, "fk_live_\0"):
        assert not is_well_formed(odd)


def test_a_made_up_key_has_no_checksum_of_ours() -> None:
    assert new_key("live").key.replace("live", "test") != new_key("test").key
    assert not is_well_formed(new_key("live").key.replace("live", "test"))


def test_an_access_token_is_not_taken_for_a_key() -> None:
    assert not is_key("eyJhbGciOiJFUzI1NiJ9.e30.x")
    assert not is_key("fk_live_" + "x" * 1_000)


@pytest.mark.parametrize(
    "password",
    [
        "a" * 64,
        "twelve chars",
        "😀" * 12,
        "пароль пароль",
        " leading and trailing ",
        "x" * 128,
        "'; DROP TABLE users; --",
    ],
)
async def test_any_characters_make_a_password_and_count_exactly(password: str) -> None:
    ensure_acceptable(password, email="a@example.com")
    passwords = Passwords.from_settings(settings_for_tests())
    try:
        stored = await passwords.hash(password)
        assert stored.startswith("$argon2id$")
        assert await passwords.verify(password, stored)
        assert not await passwords.verify(password[:-1], stored)
        assert not await passwords.verify(password + " ", stored)
    finally:
        passwords.close()


@pytest.mark.parametrize(
    "password",
    [
        "",
        "x" * 11,
        "x" * 129,
        "😀" * 11,
        "password1234",
        "PassWord1234",
        "Somebody@Example.com",
        "nul\0 in the middle",
        "half \ud800 of a pair",
        "x" * 1_000_000,
    ],
    ids=range(10),
)
def test_a_refused_password_is_not_repeated_in_the_reason(password: str) -> None:
    with pytest.raises(PasswordRefused) as caught:
        ensure_acceptable(password, email="somebody@example.com")
    assert not password or password not in str(caught.value)
    assert len(str(caught.value)) < 200


async def test_a_password_matches_no_missing_and_no_broken_hash() -> None:
    passwords = Passwords.from_settings(settings_for_tests())
    try:
        for stored in (None, "", "$argon2id$broken", "plain"):
            assert not await passwords.verify("the password of nobody", stored)
    finally:
        passwords.close()


async def test_hashing_runs_beside_the_loop_and_only_so_much_of_it() -> None:
    passwords = Passwords.from_settings(
        settings_for_tests(argon2_time_cost=2, argon2_memory_kib=16_384, argon2_workers=1)
    )
    try:
        work = [asyncio.create_task(passwords.hash("twelve chars")) for _ in range(80)]
        worst = 0.0
        for _ in range(10):
            began = time.perf_counter()
            await asyncio.sleep(0)
            worst = max(worst, time.perf_counter() - began)
        done = await asyncio.gather(*work, return_exceptions=True)
        refused = [result for result in done if isinstance(result, Unavailable)]
        assert len(refused) == 16
        assert all(error.headers["Retry-After"] == "2" for error in refused)
        assert worst < 0.5
    finally:
        passwords.close()
