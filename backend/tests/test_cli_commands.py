"""The `feature` command as it is typed: streams, exit codes, and a database that goes into a file and comes back."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from backend.cli.main import run
from backend.core.settings import get_settings
from backend.db import migrate
from backend.db.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="feature-cli-") as folder:
        home = Path(folder)
        with EmbeddedPostgres(home).hold() as info:
            migrate.upgrade(info.url())
            yield home
            EmbeddedPostgres(home).release()
        limit = time.monotonic() + 10
        while EmbeddedPostgres(home).status() is not None:
            assert time.monotonic() < limit
            time.sleep(0.02)


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Feature:
    """Types a command, in this process: the streams are the real ones, so programs that it starts are caught, too."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *arguments: str, **environment: str) -> Done:
        with self._monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("PG", "DATABASE_"))]:
                patch.delenv(name)
            for name, value in {"FEATURE_HOME": str(self._home), **environment}.items():
                patch.setenv(name, value)
            get_settings.cache_clear()
            code = run(arguments)
        get_settings.cache_clear()
        caught = self._capfd.readouterr()
        return Done(code, caught.out, caught.err)


@pytest.fixture
def feature(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Feature:
    return Feature(home, monkeypatch, capfd)


def test_the_command_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli.main", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "doctor" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        (["no-such-command"], "feature --help"),
        (["up", "--no-such-option"], "feature up --help"),
        (["db", "restore", "/nowhere"], "feature db restore --help"),
        (["key", "create"], "feature key create --help"),
        (["key", "no-such"], "feature key --help"),
    ],
)
def test_bad_usage_is_64_and_says_what_was_wrong(feature: Feature, arguments: list[str], page: str) -> None:
    done = feature(*arguments)
    assert done.returncode == 64
    assert done.stdout == ""
    assert f"See: {page}\n" in done.stderr


def test_a_wrong_setting_is_named(feature: Feature) -> None:
    done = feature("migrate", LOG_LEVEL="LOUD")
    assert done.returncode == 1
    assert "LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr


def test_production_refuses_development_defaults_each_by_name(feature: Feature) -> None:
    done = feature("doctor", "--json", ENVIRONMENT="production")
    assert done.returncode == 1
    settings = next(check for check in json.loads(done.stdout)["checks"] if check["check"] == "settings")
    assert settings["ok"] is False
    for name in ("DATABASE_URL", "JWT_JWK_CURRENT", "SMTP_HOST", "API_BASE_URL"):
        assert name in settings["cure"]


def test_doctor_finds_a_migrated_durable_database(feature: Feature) -> None:
    done = feature("doctor", "--json")
    checks = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["migrations"]["ok"]
    assert checks["durability"]["ok"]
    assert "18" in checks["database"]["found"]


def test_doctor_says_what_to_do_about_a_database_that_does_not_answer(feature: Feature) -> None:
    done = feature("doctor", DATABASE_URL="postgresql://nobody:x@127.0.0.1:1/nowhere")
    assert done.returncode == 1
    assert "problem  database" in done.stdout
    assert "DATABASE_URL" in done.stdout


def test_env_is_read_by_a_shell_and_psql_works(home: Path, feature: Feature) -> None:
    done = feature("env")
    assert done.returncode == 0
    script = f"{done.stdout}\npsql -XAtc \"SELECT current_user || '@' || current_database()\"\necho $FEATURE_HOME"
    shell = subprocess.run(
        ["sh", "-euc", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    assert shell.stdout.split() == ["feature@feature_db", str(home)]
    assert f"export PGDATABASE={shlex.quote('feature_db')}" in done.stdout
    as_json = json.loads(feature("env", "--json").stdout)
    assert as_json["DATABASE_URL"].endswith("/feature_db")


def test_a_backup_comes_back_whole_and_what_was_there_is_kept(home: Path, feature: Feature, tmp_path: Path) -> None:
    file = tmp_path / "saved.dump"
    with EmbeddedPostgres(home).hold() as info:
        insert = "INSERT INTO audit_marks SELECT generate_series(1, 3)"
        with psycopg.connect(info.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE audit_marks (account_id int)")
            connection.execute(insert)
            connection.execute("ALTER TABLE audit_marks ENABLE ROW LEVEL SECURITY")
            connection.execute("ALTER TABLE audit_marks FORCE ROW LEVEL SECURITY")
            scope = "current_setting('feature.scope', true) = 'system'"
            connection.execute(f"CREATE POLICY marks ON audit_marks USING ({scope})".encode())
        saved = feature("db", "backup", str(file))
        assert saved.returncode == 0, saved.stderr
        assert saved.stdout == ""
        assert file.stat().st_mode & 0o077 == 0, "a backup holds personal data"
        with psycopg.connect(info.url(), autocommit=True) as connection:
            connection.execute("DROP TABLE audit_marks")
            refused = feature("db", "restore", str(file))
        assert refused.returncode == 1
        assert "Stop the application" in refused.stderr
        restored = feature("db", "restore", str(file))
        assert restored.returncode == 0, restored.stderr
        with psycopg.connect(info.url(), autocommit=True) as connection:
            connection.execute("SET feature.scope = 'system'")
            assert connection.execute("SELECT count(*) FROM audit_marks").fetchone() == (3,)
            kept = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'feature_db_before_%'")
            assert len(kept.fetchall()) == 1
            connection.execute("DROP TABLE audit_marks")
        assert migrate.pending(info.url()) == []


def test_a_file_that_is_no_backup_changes_nothing(home: Path, feature: Feature, tmp_path: Path) -> None:
    (tmp_path / "not-a-backup").write_text("hello")
    done = feature("db", "restore", str(tmp_path / "not-a-backup"))
    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    with EmbeddedPostgres(home).hold() as info:
        assert migrate.pending(info.url()) == []


def test_shell_hands_on_arguments_and_exit_code(feature: Feature) -> None:
    done = feature("db", "shell", "--", "-XAtc", "SELECT 41 + 1")
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert feature("db", "shell", "--", "-XAtc", "SELEKT").returncode == 1


def test_up_names_the_process_that_has_its_port(feature: Feature) -> None:
    server = [sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1"]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        try:
            time.sleep(0.5)
            done = feature("up")
        finally:
            other.kill()
    assert done.returncode == 1
    assert "port 8000 is in use by" in done.stderr
    assert "pid" in done.stderr
