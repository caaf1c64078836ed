"""`feature plans` and the seed script, as they are typed, on a database of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from backend.cli.main import run
from backend.core.settings import REPOSITORY, get_settings
from backend.db import migrate

PLANS = (REPOSITORY / "plans.toml").read_text()
SEED = [sys.executable, "backend/scripts/seed_subscription_plans.py"]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Feature:
    """Types a command in this process, against one database."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._url = url
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *arguments: str) -> Done:
        with self._monkeypatch.context() as patch:
            patch.setenv("DATABASE_URL", self._url)
            get_settings.cache_clear()
            code = run(arguments)
        get_settings.cache_clear()
        caught = self._capfd.readouterr()
        return Done(code, caught.out, caught.err)


@pytest.fixture
def feature(database_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Feature:
    return Feature(database_url, monkeypatch, capfd)


@pytest.fixture
def empty_database_url(admin_url: str, run_id: str, worker: str) -> Iterator[str]:
    """A database without any table."""
    name = f"feature_test_{run_id}_{worker}_empty"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def cheaper(tmp_path: Path) -> Path:
    file = tmp_path / "plans.toml"
    file.write_text(PLANS.replace('"19.99"', '"9.99"'))
    return file


@pytest.fixture
def mistaken(tmp_path: Path) -> Path:
    file = tmp_path / "mistaken.toml"
    file.write_text(PLANS.replace("recommended = true", "recomended = true"))
    return file


def line_of(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def seed(url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        SEED,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_validate_needs_no_database_and_names_line_and_suggestion(
    feature: Feature, mistaken: Path, cheaper: Path
) -> None:
    well = feature("plans", "validate", str(cheaper))
    assert (well.returncode, well.stdout) == (0, "")
    done = feature("plans", "validate", str(mistaken))
    assert done.returncode == 1
    assert f"line {line_of(mistaken, 'recomended')}: " in done.stdout
    assert "Did you mean recommended?" in done.stdout
    as_json = json.loads(feature("plans", "validate", str(mistaken), "--json").stdout)
    assert as_json["ok"] is False
    assert as_json["problems"][0]["suggestion"] == "recommended"
    assert feature("plans", "validate").returncode == 0, "plans.toml itself"


def test_a_change_is_shown_then_applied_then_nothing_is_left(feature: Feature, cheaper: Path) -> None:
    assert feature("plans", "plan").returncode == 0
    pending = feature("plans", "plan", str(cheaper))
    assert pending.returncode == 2
    assert "price pro_month: 19.99 USD a month -> 9.99 USD a month" in pending.stdout
    as_json = json.loads(feature("plans", "plan", str(cheaper), "--json").stdout)
    assert [(change["plan"], change["kind"], change["version"]) for change in as_json["plans"]] == [
        ("pro", "changed", 2)
    ]
    applied = feature("plans", "apply", str(cheaper))
    assert (applied.returncode, applied.stdout) == (0, pending.stdout)
    again = feature("plans", "apply", str(cheaper), "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, {"refusals": [], "catalog": [], "plans": []})
    assert feature("plans", "plan", str(cheaper)).returncode == 0


def test_what_is_pulled_is_what_is_stored(feature: Feature, cheaper: Path, tmp_path: Path) -> None:
    feature("plans", "apply", str(cheaper))
    pulled = feature("plans", "pull")
    file = tmp_path / "pulled.toml"
    file.write_text(pulled.stdout)
    assert feature("plans", "plan", str(file)).returncode == 0
    assert json.loads(feature("plans", "pull", "--json").stdout)["toml"].strip() == pulled.stdout.strip()


def test_what_cannot_be_applied_is_said_and_changes_nothing(feature: Feature, mistaken: Path, tmp_path: Path) -> None:
    for command in ("plan", "apply"):
        done = feature("plans", command, str(mistaken))
        assert (done.returncode, done.stdout) == (1, "")
        assert "Did you mean recommended?" in done.stderr
    renamed = tmp_path / "renamed.toml"
    renamed.write_text(PLANS.replace("[meters.jobs]", "[meters.tasks]").replace("\njobs = {", "\ntasks = {"))
    planned = feature("plans", "plan", str(renamed))
    assert planned.returncode == 1
    assert "refused: the meter jobs has been counted" in planned.stdout
    applied = feature("plans", "apply", str(renamed))
    assert applied.returncode == 1
    assert f"{renamed} is refused: " in applied.stderr
    assert "the meter jobs has been counted" in applied.stderr
    assert feature("plans", "plan").returncode == 0


def test_bad_usage(feature: Feature) -> None:
    assert feature("plans", "validate", "--no-such-option").returncode == 64


def test_the_seed_script_on_a_database_from_nothing(empty_database_url: str, mistaken: Path) -> None:
    unready = seed(empty_database_url)
    assert unready.returncode == 1
    assert "alembic upgrade head" in unready.stderr
    migrate.upgrade(empty_database_url)
    wrong = seed(empty_database_url, PLANS_FILE=str(mistaken))
    assert wrong.returncode == 1
    assert f"line {line_of(mistaken, 'recomended')}: " in wrong.stderr
    assert "Did you mean recommended?" in wrong.stderr
    first = seed(empty_database_url)
    assert first.returncode == 0, first.stderr
    assert "plan pro: new, version 1" in first.stdout
    second = seed(empty_database_url)
    assert (second.returncode, second.stdout) == (0, "Plans: nothing to change.\n")
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute("SELECT name FROM subscription_plans ORDER BY price_cents").fetchall()
    assert [row[0] for row in found] == ["free", "pro", "enterprise"]


def test_the_seed_script_says_when_the_database_does_not_answer() -> None:
    done = seed("postgresql://nobody:x@127.0.0.1:1/nowhere")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_seed_does_as_the_script_does(
    feature: Feature, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cheaper: Path, mistaken: Path
) -> None:
    done = feature("seed")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Plans: nothing to change.\n")
    monkeypatch.setenv("PLANS_FILE", str(cheaper))
    assert "price pro_month: 19.99 USD a month -> 9.99 USD a month" in feature("seed").stderr
    monkeypatch.setenv("PLANS_FILE", str(mistaken))
    refused = feature("seed")
    assert refused.returncode == 1
    assert f"{mistaken} is refused:\n" in refused.stderr
    unreachable = Feature("postgresql://nobody:x@127.0.0.1:1/nowhere", monkeypatch, capfd)("seed")
    assert unreachable.returncode == 1
    assert unreachable.stderr.startswith("The database does not answer: ")
