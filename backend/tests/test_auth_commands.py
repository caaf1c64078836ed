"""`feature user` and `feature key`, as they are typed."""

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend.cli.main import run
from backend.core.settings import Settings, get_settings
from backend.security.encryption import Encryption, KeyRing, new_ring
from backend.security.signing_keys import new_jwk
from backend.security.tokens import digest

PASSWORD = "a long walk to the lighthouse"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        assert self.returncode == 0, self.stderr
        return json.loads(self.stdout)


Feature = Callable[..., Done]


@pytest.fixture
def feature(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Feature:
    """Types a command, with a text on stdin, on this test's database."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    settings = {"DATABASE_URL": database_url, "ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
    for name, value in {**settings, "ARGON2_PARALLELISM": "1"}.items():
        monkeypatch.setenv(name, value)

    def type_in(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        get_settings.cache_clear()
        code = run(arguments)
        get_settings.cache_clear()
        caught = capsys.readouterr()
        return Done(code, caught.out, caught.err)

    return type_in


@pytest.fixture
def rows(database_url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    def read(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url) as connection:
            connection.execute("SET feature.scope = 'system'")
            return connection.execute(query.encode()).fetchall()

    return read


Rows = Callable[[str], list[tuple[Any, ...]]]


def make_user(feature: Feature, email: str = "Ada@Example.com", *options: str) -> Any:
    return feature("user", "create", email, *options, "--json", stdin=f"{PASSWORD}\n".encode()).json()


def test_a_user_is_made_ready_to_sign_in(feature: Feature, rows: Rows) -> None:
    made = make_user(feature)
    assert made["email"] == "ada@example.com"
    ((user_id, status, verified, password_hash),) = rows(
        "SELECT id::text, status, email_verified_at IS NOT NULL, password_hash FROM users"
    )
    assert (user_id, status, verified) == (made["id"], "active", True)
    assert password_hash.startswith("$argon2id$")
    assert rows("SELECT count(*) FROM user_roles") == [(0,)]


def test_a_superadmin_is_made_or_becomes_one(feature: Feature, rows: Rows) -> None:
    make_user(feature, "boss@localhost", "--superadmin")
    make_user(feature)
    for _ in range(2):
        assert feature("user", "set-superadmin", "ADA@example.com").returncode == 0
    found = rows("SELECT email, role FROM user_roles JOIN users ON users.id = user_id ORDER BY email")
    assert found == [("ada@example.com", "superadmin"), ("boss@localhost", "superadmin")]


@pytest.mark.parametrize(
    "stdin", [b"", b"\n", b"short\n", b"password1234\n", b"\xff" * 20 + b"\n", b"nul \x00 nul nul nul\n"], ids=range(6)
)
def test_a_refused_password_is_a_sentence_and_no_user(feature: Feature, rows: Rows, stdin: bytes) -> None:
    done = feature("user", "create", "ada@example.com", stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert "assword" in done.stderr
    assert "Traceback" not in done.stderr
    assert rows("SELECT count(*) FROM users") == [(0,)]


def test_a_password_is_taken_exactly_as_it_stands_on_its_line(feature: Feature) -> None:
    for number, stdin in enumerate((b"  twelve chars  \n", b"twelve chars\r\n", "пароль-пароль".encode(), b"x" * 64)):
        done = feature("user", "create", f"person{number}@example.com", stdin=stdin)
        assert done.returncode == 0, done.stderr


def test_an_address_that_is_taken_wrong_or_unknown_is_a_sentence(feature: Feature) -> None:
    make_user(feature)
    line = f"{PASSWORD}\n".encode()
    for done in (
        feature("user", "create", "ADA@EXAMPLE.COM", stdin=line),
        feature("user", "create", "no address", stdin=line),
        feature("user", "set-superadmin", "nobody@example.com"),
        feature("user", "set-plan", "nobody@example.com", "pro"),
        feature("user", "set-plan", "ada@example.com", "gold"),
        feature("key", "create", "x", "--account", "nobody@example.com"),
        feature("key", "create", "x", "--account", "no id"),
        feature("key", "create", "x", "--account", "0190a0a0-0000-7000-8000-000000000001"),
        feature("key", "create", "x", "--service", "--scope", "everything"),
        feature("key", "create", "", "--service"),
        feature("key", "revoke", "fk_live_nobody"),
    ):
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr


def test_a_user_is_put_on_a_plan_and_back(feature: Feature, rows: Rows) -> None:
    make_user(feature)
    found = feature("user", "set-plan", "ada@example.com", "pro", "--json").json()
    assert (found["plan_name"], found["status"]) == ("pro", "active")
    assert rows("SELECT id::text, status, trial_end FROM user_subscriptions") == [
        (found["subscription_id"], "active", None)
    ]
    found = feature("user", "set-plan", "ada@example.com", "free", "--json").json()
    assert (found["plan_name"], found["subscription_id"]) == ("free", None)


@pytest.mark.parametrize("by", ["email", "id"])
def test_a_personal_key_is_made_for_an_account(feature: Feature, rows: Rows, by: str) -> None:
    user = make_user(feature)
    ((account_id,),) = rows("SELECT id::text FROM accounts")
    named = account_id if by == "id" else user["email"]
    made = feature("key", "create", "a program", "--account", named, "--json").json()
    assert sorted(made) == ["id", "key", "prefix", "scopes"]
    assert made["key"].startswith(made["prefix"])
    assert rows("SELECT kind, account_id::text, user_id::text, scopes, key_hash FROM api_keys") == [
        ("personal", account_id, user["id"], [], digest(made["key"]))
    ]


def test_a_service_key_has_the_scopes_that_were_named(feature: Feature, rows: Rows) -> None:
    made = feature("key", "create", "host", "--service", "--scope", "usage:write", "--scope", "usage:read", "--json")
    assert made.json()["scopes"] == ["usage:read", "usage:write"]
    assert rows("SELECT kind, account_id, scopes FROM api_keys") == [("service", None, ["usage:read", "usage:write"])]


def test_without_json_stdout_is_the_key_alone(feature: Feature, rows: Rows) -> None:
    done = feature("key", "create", "host", "--service")
    assert rows("SELECT key_hash FROM api_keys") == [(digest(done.stdout.strip()),)]
    assert done.stdout.strip() not in done.stderr


def test_a_key_for_an_account_of_the_host(feature: Feature, database_url: str, rows: Rows) -> None:
    assert feature("key", "create", "ci", "--account", "external:org@1").returncode == 1
    with psycopg.connect(database_url) as connection:
        connection.execute("SET feature.scope = 'system'")
        connection.execute(
            "INSERT INTO accounts (id, external_id, name, usage_anchor)"
            " VALUES (gen_random_uuid(), 'org@1', 'Acme', now())"
        )
    assert feature("key", "create", "ci", "--account", "external:org@1").returncode == 0
    ((account_id, user_id),) = rows("SELECT account_id::text, user_id FROM api_keys")
    assert (user_id, account_id) == (None, rows("SELECT id::text FROM accounts")[0][0])
    with psycopg.connect(database_url) as connection:
        connection.execute("SET feature.scope = 'system'")
        connection.execute("UPDATE accounts SET status = 'deleted', external_id = NULL")
    for name in ("external:org@1", account_id):
        assert feature("key", "create", "ci", "--account", name).returncode == 1


def test_a_key_is_revoked_by_id_or_prefix(feature: Feature, rows: Rows) -> None:
    for field in ("id", "prefix"):
        made = feature("key", "create", "host", "--service", "--json").json()
        assert feature("key", "revoke", made[field]).returncode == 0
        assert feature("key", "revoke", made[field]).returncode == 1
    assert rows("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL") == [(0,)]


OF_ADA = ("--account", "ada@example.com")


def test_keys_are_listed_and_rotated(feature: Feature, rows: Rows) -> None:
    make_user(feature)
    assert feature("key", "list", "--json").json() == []
    own = feature("key", "create", "ci", "--account", "ada@example.com", "--json").json()
    service = feature("key", "create", "host", "--service", "--scope", "usage:read", "--json").json()
    listed = feature("key", "list", "--json").json()
    assert [(key["id"], key["name"], key["scopes"]) for key in listed] == [
        (service["id"], "host", ["usage:read"]),
        (own["id"], "ci", []),
    ]
    assert own["key"] not in str(listed)
    assert [key["id"] for key in feature("key", "list", "--account", "ada@example.com", "--json").json()] == [own["id"]]
    assert own["prefix"] in feature("key", "list").stdout
    made = feature("key", "rotate", "ci", *OF_ADA, "--overlap-seconds", "60", "--json").json()
    assert made["id"] == own["id"]
    assert made["key"] != own["key"]
    assert rows("SELECT key_id::text FROM replaced_secrets") == [(own["id"],)]
    assert feature("key", "rotate", "ci").returncode == 1  # names of customers' keys are theirs to choose
    feature("key", "create", "ci", "--account", "ada@example.com")
    feature("key", "create", "host", "--account", "ada@example.com")
    refused = feature("key", "rotate", "ci", *OF_ADA)
    assert (refused.returncode, own["id"] in refused.stderr) == (1, True)
    assert feature("key", "rotate", "nobody").returncode == 1
    assert feature("key", "rotate", "host", "--overlap-seconds", "-1").returncode == 64
    assert feature("key", "revoke", "host").returncode == 0
    acts = rows("SELECT action, target_id FROM audit_events WHERE action LIKE 'key.%' ORDER BY id LIMIT 3")
    assert acts == [("key.create", own["id"]), ("key.create", service["id"]), ("key.rotate", own["id"])]
    revoked = rows("SELECT target_id, before ->> 'name' FROM audit_events WHERE action = 'key.revoke'")
    assert revoked == [(service["id"], "host")]


@pytest.mark.parametrize(
    "arguments",
    [["key", "create", "x"], ["key", "create", "x", "--service", "--account", "a@example.com"], ["user", "create"]],
)
def test_bad_usage_is_64(feature: Feature, arguments: list[str]) -> None:
    assert feature(*arguments).returncode == 64


def test_a_user_is_locked_and_let_in_again(feature: Feature, rows: Rows) -> None:
    make_user(feature)
    assert feature("user", "lock", "ada@example.com", "--json").json()["status"] == "suspended"
    assert rows("SELECT status FROM users") == [("suspended",)]
    refused = feature("user", "lock", "ada@example.com")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "ada@example.com is suspended" in refused.stderr
    assert feature("user", "unlock", "ada@example.com", "--json").json()["status"] == "active"
    refused = feature("user", "reset-2fa", "ada@example.com")
    assert (refused.returncode, refused.stderr.strip()) == (1, "Two-factor sign-in is not on.")
    acts = rows("SELECT action, actor_kind FROM audit_events ORDER BY id")
    assert acts == [(f"user.{act}", "command") for act in ("create", "lock", "unlock")]


def test_the_audit_log_is_compared_with_its_seals(feature: Feature, rows: Rows) -> None:
    make_user(feature)
    found = feature("audit", "verify", "--json").json()
    assert (found["ok"], found["seals"], found["unsealed"], found["head"]) == (True, 0, 1, None)
    refused = feature("audit", "verify", "--noted", "1:" + "0" * 64)
    assert refused.returncode == 1
    assert "the noted seal 1 is not in the chain" in refused.stdout
    assert feature("audit", "verify", "--noted", "last").returncode == 64


def test_an_account_of_the_host_is_put_on_a_plan(feature: Feature, database_url: str, rows: Rows) -> None:
    refused = feature("account", "set-plan", "org-1", "pro")
    assert (refused.returncode, refused.stderr.strip()) == (1, "No account has this external id.")
    with psycopg.connect(database_url) as connection:
        connection.execute("SET feature.scope = 'system'")
        connection.execute(
            "INSERT INTO accounts (id, external_id, name, usage_anchor)"
            " VALUES (gen_random_uuid(), 'org-1', 'Acme', now())"
        )
    found = feature("account", "set-plan", "external:org-1", "pro", "--json").json()
    assert found["plan_name"] == "pro"
    assert rows("SELECT status, user_id FROM user_subscriptions") == [("active", None)]


def test_signing_keys_rotate_where_they_are(feature: Feature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATURE_HOME", str(tmp_path))
    first = feature("secrets", "rotate-signing", "--json").json()["current"]
    assert json.loads((tmp_path / "keys" / "jwt.jwk").read_text())["kid"] == first
    following = json.loads((tmp_path / "keys" / "jwt-next.jwk").read_text())["kid"]
    refused = feature("secrets", "rotate-signing")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "signs since" in refused.stderr
    assert "--force" in refused.stderr
    assert feature("secrets", "rotate-signing", "--force", "--json").json()["current"] == following
    assert json.loads((tmp_path / "keys" / "jwt-previous.jwk").read_text())["kid"] == first


def test_signing_keys_of_the_environment_are_printed_and_not_changed(
    feature: Feature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEATURE_HOME", str(tmp_path))
    monkeypatch.setenv("JWT_JWK_CURRENT", current := new_jwk())
    first = feature("secrets", "rotate-signing", "--json").json()
    assert list(first) == ["JWT_JWK_NEXT"], "no process knows a next key yet"
    monkeypatch.setenv("JWT_JWK_NEXT", first["JWT_JWK_NEXT"])
    printed = feature("secrets", "rotate-signing")
    found = dict(line.split("=", 1) for line in printed.stdout.splitlines())
    assert found["JWT_JWK_PREVIOUS"] == current
    assert json.loads(found["JWT_JWK_CURRENT"])["kid"] == json.loads(first["JWT_JWK_NEXT"])["kid"]
    assert not (tmp_path / "keys").exists()


def test_secrets_are_written_anew_under_a_new_key(
    feature: Feature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str, rows: Rows
) -> None:
    monkeypatch.setenv("FEATURE_HOME", str(tmp_path))
    user_id = make_user(feature)["id"]
    old = Encryption.from_settings(settings_of(tmp_path))
    with psycopg.connect(database_url) as connection:
        secret = old.encrypt("JBSWY3DPEHPK3PXP", about=f"totp:{user_id}")
        connection.execute(
            "INSERT INTO totp_secrets (user_id, secret, last_step, confirmed_at) VALUES (%s, %s, 0, now())",
            (user_id, secret),
        )
        connection.execute(
            "INSERT INTO sign_in_challenges (id, user_id, purpose, secret, token_hash, created_at, expires_at)"
            " VALUES (gen_random_uuid(), %s, 'enable', %s, 'x', now(), now() + interval '15 minutes')",
            (user_id, secret),
        )
    added = feature("secrets", "rotate-encryption", "--json").json()["added"]
    assert Encryption.from_settings(settings_of(tmp_path)).ring.active == old.ring.active, "first it is only read"
    assert feature("secrets", "rewrap", "--json").json()["rewrapped"] == 0
    assert feature("secrets", "activate-encryption", added, "--json").json()["active"] == added
    found = feature("secrets", "rewrap", "--json").json()
    assert found == {"rewrapped": 2, "active": added, "not_in_use": [old.ring.active]}
    new = Encryption.from_settings(settings_of(tmp_path))
    stored = rows("SELECT secret FROM totp_secrets UNION ALL SELECT secret FROM sign_in_challenges")
    assert [new.decrypt(secret, about=f"totp:{user_id}") for (secret,) in stored] == ["JBSWY3DPEHPK3PXP"] * 2
    assert all(secret.startswith(f"{added}.") for (secret,) in stored)
    assert feature("secrets", "rewrap", "--json").json()["rewrapped"] == 0


def test_encryption_keys_of_the_environment_are_printed_and_not_changed(
    feature: Feature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEATURE_HOME", str(tmp_path))
    monkeypatch.setenv("ENCRYPTION_KEYS", first := new_ring())
    given = feature("secrets", "rotate-encryption", "--json").json()
    assert given["ENCRYPTION_KEYS"].count(",") == 1
    assert given["ENCRYPTION_KEY_ACTIVE"] == first.partition(":")[0]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (added,) = KeyRing.parse(given["ENCRYPTION_KEYS"], None).keys.keys() - {given["ENCRYPTION_KEY_ACTIVE"]}
    assert feature("secrets", "activate-encryption", added, "--json").json()["ENCRYPTION_KEY_ACTIVE"] == added
    unknown = feature("secrets", "activate-encryption", "nothing")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert added in unknown.stderr
    assert not (tmp_path / "keys").exists()


def test_a_secret_whose_key_is_gone_is_a_sentence(
    feature: Feature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("FEATURE_HOME", str(tmp_path))
    user_id = make_user(feature)["id"]
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO totp_secrets (user_id, secret, last_step, confirmed_at) VALUES (%s, 'gone.x', 0, now())",
            (user_id,),
        )
    done = feature("secrets", "rewrap")
    assert done.returncode == 1
    assert "'gone' is not among ENCRYPTION_KEYS" in done.stderr


def settings_of(home: Path) -> Settings:
    return Settings(_env_file=None, feature_home=home, encryption_keys=None)
