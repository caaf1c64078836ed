"""Access tokens: what they say, what is refused, and where their keys come from."""

import base64
import hashlib
import hmac
import json
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backend.core.ids import UserId, uuid7
from backend.core.settings import Settings
from backend.security import signing_keys
from backend.security.errors import RotationTooSoon, TokenInvalid
from backend.security.jwt_service import JwtService
from backend.security.key_file import load_or_create, replace
from backend.security.signing_keys import SigningKey, new_jwk, rotate_files, rotated_variables
from backend.security.tokens import RefreshToken
from backend.tests.factories.users import settings_for_tests
from backend.tests.moments import NOW

USER = UserId(UUID("0190a0a0-0000-7000-8000-000000000001"))
SESSION = UUID("0190a0a0-0000-7000-8000-000000000002")
JWK = new_jwk()
KEY = SigningKey.from_jwk(JWK)
DAY = timedelta(days=1)


@pytest.fixture
def service() -> JwtService:
    return JwtService.from_settings(settings_for_tests(jwt_jwk_current=JWK))


def segment(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def good_claims() -> dict[str, Any]:
    return {
        "iss": "feature-auth",
        "aud": "feature-auth-clients",
        "sub": str(USER),
        "sid": str(SESSION),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 420,
        "jti": uuid7().hex,
    }


def signed(*, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token with the right signature; what is None is left out."""
    claims = {name: value for name, value in {**good_claims(), **changes}.items() if value is not None}
    fields = {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt", **(header or {})}
    head = f"{segment({name: value for name, value in fields.items() if value is not None})}.{segment(claims)}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(head.encode(), key or KEY.private)
    return f"{head}.{segment(signature)}"


def test_the_token_says_who_in_which_session_until_when(service: JwtService) -> None:
    token = service.issue_access(USER, SESSION, now=NOW)
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}
    assert claims.pop("jti")
    assert claims == {
        "iss": "feature-auth",
        "aud": "feature-auth-clients",
        "sub": str(USER),
        "sid": str(SESSION),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 420,
    }


def test_a_token_is_good_from_its_issue_to_its_end_by_the_given_time(service: JwtService) -> None:
    token = service.issue_access(USER, SESSION, now=NOW)
    found = service.verify_access(token, now=NOW)
    assert (found.subject, found.session_id) == (USER, SESSION)
    assert service.verify_access(token, now=NOW + timedelta(seconds=419)) == found
    for later in (timedelta(seconds=420), timedelta(days=400), timedelta(seconds=-60)):
        with pytest.raises(TokenInvalid):
            service.verify_access(token, now=NOW + later)


def test_what_signed_does_is_accepted_so_the_refusals_below_have_one_cause(service: JwtService) -> None:
    assert service.verify_access(signed(), now=NOW).subject == USER


HOSTILE = {
    "empty": "",
    "one dot": "a.b",
    "four dots": "a.b.c.d.e",
    "not base64": "§.§.§",
    "alg none": f"{segment({'alg': 'none', 'typ': 'at+jwt', 'kid': KEY.kid})}.{segment(good_claims())}.",
    "alg None, unsigned with dots": f"{segment({'alg': 'None', 'kid': KEY.kid})}.{segment(good_claims())}.x",
    "foreign key under our kid": signed(key=ec.generate_private_key(ec.SECP256R1())),
    "foreign kid": signed(header={"kid": "somebody-else"}),
    "kid is a path": signed(header={"kid": "../../../../dev/null"}),
    "no kid": signed(header={"kid": None}),
    "typ JWT": signed(header={"typ": "JWT"}),
    "typ refresh": signed(header={"typ": "rt+jwt"}),
    "no typ": signed(header={"typ": None}),
    "wrong issuer": signed(iss="somebody"),
    "no issuer": signed(iss=None),
    "wrong audience": signed(aud="feature-auth"),
    "no audience": signed(aud=None),
    "no expiry": signed(exp=None),
    "expiry a text": signed(exp="4102444800"),
    "expiry a float": signed(exp=4102444800.5),
    "expiry beyond all calendars": signed(exp=10**18),
    "no issue time": signed(iat=None),
    "issued in the future": signed(iat=int(NOW.timestamp()) + 60, exp=int(NOW.timestamp()) + 480),
    "no session": signed(sid=None),
    "session a number": signed(sid=7),
    "user no uuid": signed(sub="admin"),
    "no id": signed(jti=None),
    "a refresh token": str(RefreshToken.first(SESSION, b"k" * 32)),
    "a key": "fk_live_" + "x" * 43,
    "64 kB": "x" * 65_536,
    "64 kB of claims": signed(extra="x" * 65_536),
    "header no object": f"{segment([1])}.{segment(good_claims())}.{segment(b'x' * 64)}",
    "header nested deeply": f"{segment(b'[' * 2_000)}.{segment(good_claims())}.x",
}


@pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_token_is_refused(service: JwtService, token: str) -> None:
    with pytest.raises(TokenInvalid):
        service.verify_access(token, now=NOW)


def test_the_public_key_is_no_hmac_secret(service: JwtService) -> None:
    public = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{segment({'alg': 'HS256', 'typ': 'at+jwt', 'kid': KEY.kid})}.{segment(good_claims())}"
    token = f"{head}.{segment(hmac.digest(public, head.encode(), hashlib.sha256))}"
    with pytest.raises(TokenInvalid):
        service.verify_access(token, now=NOW)


@pytest.mark.parametrize("member", ["jku", "jwk", "x5u", "x5c"])
def test_a_token_cannot_bring_its_own_key(service: JwtService, member: str) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    bait: Any = jwt.algorithms.ECAlgorithm.to_jwk(own.public_key(), as_dict=True)
    value = {"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/c", "jwk": bait, "x5c": ["AAAA"]}[member]
    with pytest.raises(TokenInvalid):
        service.verify_access(signed(key=own, header={member: value}), now=NOW)


def test_every_changed_character_of_a_token_is_noticed(service: JwtService) -> None:
    token = service.issue_access(USER, SESSION, now=NOW)
    for position in range(0, len(token) - 1, 7):  # the last character of a signature has bits that say nothing
        changed = "A" if token[position] != "A" else "B"
        with pytest.raises(TokenInvalid):
            service.verify_access(token[:position] + changed + token[position + 1 :], now=NOW)


def with_since(jwk: str, since: int) -> str:
    return json.dumps({**json.loads(jwk), "iat": since})


def test_keys_change_without_signing_anybody_out() -> None:
    old, new = new_jwk(), new_jwk()
    before = JwtService.from_settings(settings_for_tests(jwt_jwk_current=old, jwt_jwk_next=new))
    after = JwtService.from_settings(settings_for_tests(jwt_jwk_current=new, jwt_jwk_previous=old))
    assert before.verify_access(after.issue_access(USER, SESSION, now=NOW), now=NOW).subject == USER
    assert after.verify_access(before.issue_access(USER, SESSION, now=NOW), now=NOW).subject == USER
    assert set(before.chain_keys) == set(after.chain_keys)
    assert before.chain_keys[0] != after.chain_keys[0]


@pytest.mark.parametrize("says_since", [True, False])
def test_the_previous_key_is_good_for_the_grace_and_no_longer(says_since: bool) -> None:
    old, new = new_jwk(), new_jwk()
    current = with_since(new, int(NOW.timestamp())) if says_since else new
    settings = settings_for_tests(jwt_jwk_current=current, jwt_jwk_previous=old, jwt_previous_grace_seconds=3_600)
    service, thief = (
        JwtService.from_settings(settings),
        JwtService.from_settings(settings_for_tests(jwt_jwk_current=old)),
    )
    for after, good in ((timedelta(0), True), (timedelta(hours=1), True), (timedelta(hours=1, seconds=1), False)):
        token = thief.issue_access(USER, SESSION, now=NOW + after)
        if good:
            assert service.verify_access(token, now=NOW + after).subject == USER
        else:
            with pytest.raises(TokenInvalid):
                service.verify_access(token, now=NOW + after)


@pytest.mark.parametrize(
    "jwk",
    [
        "",
        "[]",
        "{}",
        "null",
        json.dumps({name: value for name, value in json.loads(JWK).items() if name != "d"}),
        json.dumps(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()), as_dict=True)),
        with_since(JWK, 10**30),
    ],
    ids=["empty", "list", "no members", "null", "public", "another curve", "no such time"],
)
def test_a_setting_that_is_no_private_p256_key_is_named_at_start(jwk: str) -> None:
    with pytest.raises(ValueError, match="JWK"):
        JwtService.from_settings(settings_for_tests(jwt_jwk_current=jwk))


def development(home: Path) -> Settings:
    return settings_for_tests(environment="development", jwt_jwk_current=None, feature_home=home)


def test_in_development_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    token = JwtService.from_settings(development(home)).issue_access(USER, SESSION, now=NOW)
    assert JwtService.from_settings(development(home)).verify_access(token, now=NOW).subject == USER
    folder = home / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert found == {"jwt.jwk": 0o600, "jwt-next.jwk": 0o600}


def test_in_production_no_key_is_made(tmp_path: Path) -> None:
    settings = settings_for_tests(environment="production", jwt_jwk_current=None, feature_home=tmp_path)
    with pytest.raises(ValueError, match="JWT_JWK_CURRENT"):
        JwtService.from_settings(settings)
    assert list(tmp_path.iterdir()) == []


def make(path: str) -> str:
    return load_or_create(Path(path), new_jwk)


def test_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(make, [str(tmp_path / "keys" / "jwt.jwk")] * 8))
    assert len(set(found)) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["jwt.jwk"]


def test_a_rolling_restart_after_a_rotation_refuses_nobody(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, feature_home=tmp_path)
    old = JwtService.from_settings(settings)
    before = old.issue_access(USER, SESSION, now=NOW)
    rotate_files(tmp_path, grace=DAY, now=NOW)
    new = JwtService.from_settings(settings)
    after = new.issue_access(USER, SESSION, now=NOW)
    for service in (old, new):
        for token in (before, after):
            assert service.verify_access(token, now=NOW).subject == USER
    assert set(old.chain_keys) <= set(new.chain_keys)
    late = NOW + timedelta(seconds=settings.jwt_previous_grace_seconds + 1)
    stale = old.issue_access(USER, SESSION, now=late)
    with pytest.raises(TokenInvalid):
        new.verify_access(stale, now=late)
    rotate_files(tmp_path, grace=DAY, now=late)
    twice = JwtService.from_settings(settings)
    with pytest.raises(TokenInvalid):
        twice.verify_access(before, now=NOW)
    assert twice.verify_access(new.issue_access(USER, SESSION, now=late), now=late).subject == USER


def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power goes when so many files were replaced."""
    done = 0

    def cut(path: Path, content: str) -> None:
        nonlocal done
        if done == steps:
            raise OSError("the power is gone")
        done += 1
        replace(path, content)

    monkeypatch.setattr(signing_keys, "replace", cut)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_rotation_that_was_cut_leaves_good_keys_for_days_and_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    settings = Settings(_env_file=None, feature_home=tmp_path)
    rotate_files(tmp_path, grace=DAY, now=NOW - 30 * DAY)  # the current key has signed for long
    old = JwtService.from_settings(settings)
    with monkeypatch.context() as patched:
        cut_after(steps, patched)
        with pytest.raises(OSError, match="power"):
            rotate_files(tmp_path, grace=DAY, now=NOW)
    for later in (timedelta(0), timedelta(hours=23), 3 * DAY, 40 * DAY):
        half = JwtService.from_settings(settings)
        assert half.verify_access(half.issue_access(USER, SESSION, now=NOW + later), now=NOW + later).subject == USER
    token = old.issue_access(USER, SESSION, now=NOW)
    rotate_files(tmp_path, grace=DAY, now=NOW)
    new = JwtService.from_settings(settings)
    assert new.verify_access(token, now=NOW).subject == USER, "the key before is the previous one, not lost"
    assert old.verify_access(new.issue_access(USER, SESSION, now=NOW), now=NOW).subject == USER
    kids = {SigningKey.from_jwk(file.read_text()).kid for file in (tmp_path / "keys").iterdir()}
    assert len(kids) == 3


def test_a_previous_key_that_is_the_current_or_the_next_one_has_no_end() -> None:
    jwk, other = with_since(new_jwk(), int((NOW - 90 * DAY).timestamp())), new_jwk()
    for changes in ({"jwt_jwk_previous": jwk}, {"jwt_jwk_next": other, "jwt_jwk_previous": other}):
        service = JwtService.from_settings(settings_for_tests(jwt_jwk_current=jwk, **changes))
        for later in (timedelta(0), 2 * DAY):
            token = service.issue_access(USER, SESSION, now=NOW + later)
            assert service.verify_access(token, now=NOW + later).subject == USER
    following = JwtService.from_settings(settings_for_tests(jwt_jwk_current=other))
    assert service.verify_access(following.issue_access(USER, SESSION, now=NOW), now=NOW).subject == USER


def test_keys_do_not_rotate_twice_within_the_grace(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, feature_home=tmp_path)
    JwtService.from_settings(settings)
    rotate_files(tmp_path, grace=DAY, now=NOW)
    before = {file.name: file.read_text() for file in (tmp_path / "keys").iterdir()}
    with pytest.raises(RotationTooSoon, match="signs since"):
        rotate_files(tmp_path, grace=DAY, now=NOW + DAY - timedelta(seconds=1))
    assert {file.name: file.read_text() for file in (tmp_path / "keys").iterdir()} == before
    rotate_files(tmp_path, grace=timedelta(0), now=NOW + timedelta(seconds=1))  # a key that leaked must go
    rotate_files(tmp_path, grace=DAY, now=NOW + timedelta(seconds=1) + DAY)
    young = settings_for_tests(jwt_jwk_current=with_since(new_jwk(), int(NOW.timestamp())), jwt_jwk_next=new_jwk())
    with pytest.raises(RotationTooSoon):
        rotated_variables(young, grace=DAY, now=NOW + timedelta(hours=1))
    assert rotated_variables(young, grace=DAY, now=NOW + DAY).keys() == {
        "JWT_JWK_CURRENT",
        "JWT_JWK_NEXT",
        "JWT_JWK_PREVIOUS",
    }


def rotate(home: str) -> str:
    try:
        return rotate_files(Path(home), grace=DAY, now=NOW).current.kid
    except RotationTooSoon:
        return "too soon"


def test_of_several_rotations_at_once_one_is_done(tmp_path: Path) -> None:
    JwtService.from_settings(Settings(_env_file=None, feature_home=tmp_path))
    following = SigningKey.from_jwk((tmp_path / "keys" / "jwt-next.jwk").read_text()).kid
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(rotate, [str(tmp_path)] * 8))
    assert sorted(found) == sorted([following, *["too soon"] * 7])
