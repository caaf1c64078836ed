"""Migrations on tables that are in use: others go on, and one that was broken off is repeated."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from backend.db import migrate

BEFORE_DENIALS, AFTER_DENIALS = "202511301700", "202511301800"
WITH_ACTING, CHECKED = "202511301900", "202511301930"
_BUILDING = "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND datname = current_database() AND pid <> %s"


class Aside(threading.Thread):
    """Something that goes on beside the test; what it raises is kept."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self._work = work
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.error = error


def connected(url: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(url, autocommit=True)


def building(admin: "psycopg.Connection[Any]") -> int:
    """Waits until an index is being made beside others; the process that makes it."""
    for _ in range(400):
        found = admin.execute(_BUILDING, ["CREATE INDEX CONCURRENTLY%", admin.info.backend_pid]).fetchone()
        if found is not None:
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("no index is being made")


def test_refusals_are_read_and_written_while_their_indexes_wait_for_a_long_reader(empty_database_url: str) -> None:
    url = empty_database_url
    migrate.upgrade(url, BEFORE_DENIALS)
    with psycopg.connect(url) as older, psycopg.connect(url) as reader, connected(url) as other:
        older.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        older.execute("SELECT count(*) FROM subscription_plans")  # what is made beside others waits for its end
        migrating = Aside(lambda: migrate.upgrade(url, AFTER_DENIALS))
        migrating.start()
        building(other)
        reader.execute("SELECT count(*) FROM denials")  # holds the index that is being made
        older.rollback()
        other.execute("SET lock_timeout = '2s'")
        other.execute("SET feature.scope = 'system'")
        until = time.monotonic() + 6
        while time.monotonic() < until:
            other.execute("SELECT count(*) FROM denials")
            other.execute("DELETE FROM denials")
            time.sleep(0.05)
        assert migrating.is_alive()  # for the reader is still there
        reader.rollback()
        migrating.join(60)
        assert (migrating.error, migrating.is_alive()) == (None, False)
        valid = other.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_denials_id'::regclass").fetchone()
        assert valid == (True,)


def test_an_index_whose_making_was_broken_off_is_made_anew(empty_database_url: str) -> None:
    url = empty_database_url
    migrate.upgrade(url, WITH_ACTING)
    with psycopg.connect(url) as older, connected(url) as admin:
        older.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        older.execute("SELECT count(*) FROM subscription_plans")  # what is made beside others waits for its end
        migrating = Aside(lambda: migrate.upgrade(url, CHECKED))
        migrating.start()
        admin.execute("SELECT pg_terminate_backend(%s)", [building(admin)])
        migrating.join(60)
        assert migrating.error is not None
    migrate.upgrade(url)
    with connected(url) as admin:
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_sessions_impersonator_id'::regclass"
        assert admin.execute(valid).fetchone() == (True,)


@pytest.mark.parametrize("behind", [WITH_ACTING, AFTER_DENIALS])
def test_who_acts_as_a_user_does_so_no_more_where_the_schema_knows_nothing_of_it(
    empty_database_url: str, behind: str
) -> None:
    url = empty_database_url
    migrate.upgrade(url)
    with connected(url) as admin:
        admin.execute("SET feature.scope = 'system'")
        for name in ("user", "operator"):
            admin.execute(
                "WITH made AS (INSERT INTO accounts (id, name, usage_anchor) VALUES (gen_random_uuid(), %s, now())"
                " RETURNING id) INSERT INTO users (id, email, status, personal_account_id)"
                " SELECT gen_random_uuid(), %s || '@example.com', 'active', id FROM made",
                [name, name],
            )
        admin.execute(
            "INSERT INTO sessions (id, user_id, impersonator_id, refresh_hash, rotated_at, created_at, last_seen_at,"
            " expires_at) SELECT gen_random_uuid(), u.id, o.id, '\\x00', now(), now(), now(), now() + interval '30 min'"
            " FROM users u, users o WHERE u.email = 'user@example.com' AND o.email = 'operator@example.com'"
        )
        migrate.downgrade(url, behind)
        expected = 1 if behind == WITH_ACTING else 0
        live = admin.execute("SELECT count(*) FROM sessions WHERE revoked_at IS NULL").fetchone()
        assert live == (expected,)
