"""Migrations: there and back, equal to the models, and nothing of anybody else's is touched."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from backend.core.settings import REPOSITORY
from backend.db import migrate
from backend.tests.conftest import Databases

_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
)


@pytest.fixture
def empty_url(databases: Databases, run_id: str, worker: str) -> Iterator[str]:
    """A database with nothing in it."""
    name = f"feature_test_{run_id}_{worker}_empty"
    databases.drop(name)
    with psycopg.connect(databases.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield databases.url(name)
    databases.drop(name)


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(_TABLES)]


def test_up_down_up_leaves_nothing_and_agrees_with_the_models(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    migrate.check(empty_url)
    first = tables(empty_url)
    assert {"subscription_plans", "user_subscriptions", "user_usage", "usage_events"} <= set(first)
    assert migrate.pending(empty_url) == []
    migrate.downgrade(empty_url, "base")
    assert tables(empty_url) == ["alembic_version"]
    migrate.upgrade(empty_url)
    assert tables(empty_url) == first


def test_other_tables_and_their_rows_are_left_alone(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE customers (id int PRIMARY KEY, name text)")
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers)")
        connection.execute("INSERT INTO customers VALUES (1, 'a'), (2, 'b')")
        connection.execute("INSERT INTO orders VALUES (7, 1)")
    migrate.upgrade(empty_url)
    migrate.check(empty_url)
    migrate.downgrade(empty_url, "base")
    migrate.upgrade(empty_url)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT * FROM customers ORDER BY id").fetchall() == [(1, "a"), (2, "b")]
        assert connection.execute("SELECT * FROM orders").fetchall() == [(7, 1)]
        secured = connection.execute("SELECT relrowsecurity FROM pg_class WHERE relname = 'customers'").fetchone()
        assert secured == (False,)


def test_a_database_that_was_stamped_goes_on_from_there(empty_url: str) -> None:
    migrate.upgrade(empty_url, "202510080825")
    with psycopg.connect(empty_url) as connection:
        connection.execute("DROP TABLE alembic_version")
    environment = {"DATABASE_URL": empty_url, "PATH": str(Path(sys.executable).parent)}
    subprocess.run(
        [sys.executable, "-m", "alembic", "stamp", "202510080825"], cwd=REPOSITORY, env=environment, check=True
    )
    migrate.upgrade(empty_url)
    migrate.check(empty_url)


def test_several_at_once_migrate_once(empty_url: str) -> None:
    script = f"from backend.db import migrate; migrate.upgrade({empty_url!r})"
    running = [subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    migrate.check(empty_url)


def test_a_new_revision_is_a_file_that_imports(empty_url: str, tmp_path: Path) -> None:
    migrate.upgrade(empty_url)
    shutil.copytree(REPOSITORY / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "alembic.ini", tmp_path)
    before = set((tmp_path / "alembic" / "versions").glob("*.py"))
    environment = {"DATABASE_URL": empty_url, "PATH": str(Path(sys.executable).parent)}
    subprocess.run(
        [Path(sys.executable).parent / "alembic", "revision", "-m", "x"], cwd=tmp_path, env=environment, check=True
    )
    (made,) = set((tmp_path / "alembic" / "versions").glob("*.py")) - before
    assert not (REPOSITORY / "alembic" / "__init__.py").exists()
    subprocess.run([sys.executable, str(made)], cwd=tmp_path, check=True)
