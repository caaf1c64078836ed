"""Migrations: there and back, equal to the models, and nothing of anybody else's is touched."""

import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.util.exc import CommandError
from psycopg import sql

from backend.core.settings import REPOSITORY
from backend.db import migrate

DESCRIBED = "202510080825"
_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
)

# A host's own things, as they may be in a database before we come.
_HOST = [
    "CREATE SCHEMA shop",
    "CREATE TYPE colour AS ENUM ('red', 'green')",
    "CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, colour colour DEFAULT 'red')",
    "CREATE TABLE orders (id bigserial PRIMARY KEY, customer int REFERENCES customers, account_id uuid, paid boolean)",
    "CREATE TABLE shop.users (email text PRIMARY KEY, secret text)",
    "CREATE INDEX orders_paid ON orders (paid) WHERE NOT paid",
    "CREATE VIEW open_orders AS SELECT * FROM orders WHERE NOT paid",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()",
    "ALTER TABLE shop.users ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY nobody ON shop.users USING (false)",
    "GRANT SELECT ON customers TO PUBLIC",
    "INSERT INTO customers VALUES (1, 'a', 'red'), (2, 'b', 'green')",
    "INSERT INTO orders (customer, account_id, paid) VALUES (1, gen_random_uuid(), false), (2, NULL, true)",
    "INSERT INTO shop.users VALUES ('a@example.test', 's')",
]
_THEIRS = """
    SELECT 'relation', c.oid, to_jsonb(c) - 'relpages' - 'reltuples' - 'relallvisible' - 'relallfrozen'
            - 'relfrozenxid' - 'relminmxid'
        FROM pg_class c WHERE c.relowner = %(owner)s::regrole
    UNION ALL SELECT 'column', a.attrelid, to_jsonb(a) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relowner = %(owner)s::regrole
    UNION ALL SELECT 'constraint', k.oid, to_jsonb(k) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relowner = %(owner)s::regrole
    UNION ALL SELECT 'trigger', t.oid, to_jsonb(t) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relowner = %(owner)s::regrole
    UNION ALL SELECT 'policy', p.oid, to_jsonb(p) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        WHERE c.relowner = %(owner)s::regrole
    UNION ALL SELECT 'function', p.oid, to_jsonb(p) FROM pg_proc p WHERE p.proowner = %(owner)s::regrole
    UNION ALL SELECT 'type', t.oid, to_jsonb(t) FROM pg_type t WHERE t.typowner = %(owner)s::regrole
    UNION ALL SELECT 'schema', n.oid, to_jsonb(n) FROM pg_namespace n WHERE n.nspowner = %(owner)s::regrole
    ORDER BY 1, 2, 3
"""


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(_TABLES)]


@pytest.fixture
def host(empty_database_url: str, run_id: str, worker: str) -> Iterator[str]:
    """A role of a host's own, whose things are in the database. The role is of the whole server: it is dropped."""
    role = f"feature_test_{run_id}_{worker}_host"
    name = sql.Identifier(role)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        connection.execute(
            sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(connection.info.dbname), name)
        )
        connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(name))
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(name))
        for statement in _HOST:
            connection.execute(statement)
    yield role
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


def theirs(url: str, owner: str) -> list[Any]:
    """All that the catalogs of PostgreSQL know of a role's things, and their rows."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner)))
        known = connection.execute(_THEIRS, {"owner": owner}).fetchall()
        assert len(known) > 50
        for table in ("customers", "orders", "shop.users", "open_orders", "orders_id_seq"):
            known += connection.execute(f"SELECT t.*, '{table}' FROM {table} t ORDER BY 1").fetchall()
        return known


def run(*command: str, url: str, cwd: Path = REPOSITORY) -> None:
    folder = Path(sys.executable).parent
    environment = {"DATABASE_URL": url, "PATH": str(folder)}
    subprocess.run([folder / command[0], *command[1:]], cwd=cwd, env=environment, check=True)


def test_up_down_up_leaves_nothing_and_agrees_with_the_models(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    migrate.check(empty_database_url)
    first = tables(empty_database_url)
    assert {"subscription_plans", "user_subscriptions", "user_usage", "usage_events"} <= set(first)
    assert migrate.pending(empty_database_url) == []
    migrate.downgrade(empty_database_url, "base")
    assert tables(empty_database_url) == ["alembic_version"]
    with psycopg.connect(empty_database_url) as connection:
        left = "SELECT count(*) FROM {} WHERE {} = 'public'::regnamespace AND {} ~ '^(feature|procrastinate)'"
        for catalog, namespace, name in (
            ("pg_proc", "pronamespace", "proname"),
            ("pg_type", "typnamespace", "typname"),
            ("pg_class", "relnamespace", "relname"),
        ):
            assert connection.execute(left.format(catalog, namespace, name)).fetchone() == (0,), catalog
    migrate.upgrade(empty_database_url)
    assert tables(empty_database_url) == first
    migrate.check(empty_database_url)


def test_every_step_can_be_taken_back_and_again(empty_database_url: str) -> None:
    steps = [*reversed(migrate.pending(empty_database_url))]
    assert DESCRIBED in steps
    for revision, before in zip(steps, ["base", *steps], strict=False):
        migrate.upgrade(empty_database_url, revision)
        there = tables(empty_database_url)
        migrate.downgrade(empty_database_url, before)
        migrate.upgrade(empty_database_url, revision)
        assert tables(empty_database_url) == there


def test_a_hosts_account_on_a_plan_and_a_removed_member_do_not_keep_a_step_from_being_taken_back(
    database_url: str,
) -> None:
    account = "SELECT id FROM accounts"
    with psycopg.connect(database_url) as connection:
        connection.execute("SET feature.scope = 'system'")
        for statement in (
            "INSERT INTO accounts (id, external_id, name, usage_anchor)"
            " VALUES (gen_random_uuid(), 'org-1', 'Acme', now())",
            "INSERT INTO account_members (id, account_id, foreign_subject, role, removed_at)"
            f" SELECT gen_random_uuid(), id, 'user-1', 'viewer', now() FROM ({account}) a",
            "INSERT INTO user_subscriptions (id, account_id, plan_id, plan_version_id, status, started_at,"
            " current_period_start, current_period_end) SELECT gen_random_uuid(), a.id, v.plan_id, v.id, 'active',"
            f" now(), now(), now() + interval '1 month' FROM ({account}) a, plan_versions v LIMIT 1",
        ):
            connection.execute(statement)
    migrate.downgrade(database_url, "202510080850")
    with psycopg.connect(database_url) as connection:
        connection.execute("SET feature.scope = 'system'")
        assert connection.execute("SELECT count(*) FROM account_members").fetchone() == (0,)
    migrate.upgrade(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("SET feature.scope = 'system'")
        assert connection.execute("SELECT status, user_id FROM user_subscriptions").fetchall() == [("active", None)]
    migrate.check(database_url)


def test_a_model_that_the_migrations_do_not_know_is_found(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("ALTER TABLE user_usage DROP COLUMN compute_minutes")
    with pytest.raises(CommandError, match="compute_minutes"):
        migrate.check(empty_database_url)


def test_nothing_of_a_host_in_the_same_database_changes(empty_database_url: str, host: str) -> None:
    before = theirs(empty_database_url, host)
    migrate.upgrade(empty_database_url)
    migrate.check(empty_database_url)
    assert theirs(empty_database_url, host) == before
    migrate.downgrade(empty_database_url, "base")
    assert theirs(empty_database_url, host) == before
    migrate.upgrade(empty_database_url)
    assert theirs(empty_database_url, host) == before


def test_a_database_that_was_stamped_goes_on_from_there(empty_database_url: str, host: str) -> None:
    before = theirs(empty_database_url, host)
    migrate.upgrade(empty_database_url, DESCRIBED)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("DROP TABLE alembic_version")
    run("alembic", "stamp", DESCRIBED, url=empty_database_url)
    run("alembic", "upgrade", "head", url=empty_database_url)
    run("alembic", "check", url=empty_database_url)
    assert theirs(empty_database_url, host) == before


def test_a_table_of_the_same_name_stops_everything_and_is_left_alone(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE sessions (id int)")
        connection.execute("INSERT INTO sessions VALUES (1)")
    with pytest.raises(Exception, match='relation "sessions" already exists'):
        migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT * FROM sessions").fetchall() == [(1,)]
    assert set(tables(empty_database_url)) <= {"alembic_version", "sessions"}


def test_several_at_once_migrate_once(empty_database_url: str) -> None:
    script = f"from backend.db import migrate; migrate.upgrade({empty_database_url!r})"
    running = [subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    migrate.check(empty_database_url)


def test_a_new_revision_is_a_file_that_imports(empty_database_url: str, tmp_path: Path) -> None:
    migrate.upgrade(empty_database_url)
    shutil.copytree(REPOSITORY / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "alembic.ini", tmp_path)
    versions = tmp_path / "alembic" / "versions"
    before = set(versions.glob("*.py"))
    run("alembic", "revision", "-m", "x", url=empty_database_url, cwd=tmp_path)
    (made,) = set(versions.glob("*.py")) - before
    # A package of that name would stand before the library.
    assert not (REPOSITORY / "alembic" / "__init__.py").exists()
    names = runpy.run_path(str(made))
    assert names["down_revision"] == max(path.name for path in before).partition("_")[0]
    run("alembic", "upgrade", "head", url=empty_database_url, cwd=tmp_path)
