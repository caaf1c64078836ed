"""The second net: a transaction sees the rows of its scope, whatever its statements say."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from backend.db.session import Database
from backend.tests.factories.accounts import person

_UNPROTECTED = text("""
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attname = 'account_id' AND NOT a.attisdropped
        AND (NOT c.relrowsecurity OR NOT c.relforcerowsecurity
            OR NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
""")
_OF_ACCOUNTS = text("""
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attname = 'account_id' AND NOT a.attisdropped
""")


async def test_every_table_of_accounts_has_a_policy_and_a_planted_one_without_is_found(database: Database) -> None:
    async with database.engine.begin() as connection:
        assert (await connection.scalars(_UNPROTECTED)).all() == []
        assert len((await connection.scalars(_OF_ACCOUNTS)).all()) >= 12
        await connection.execute(text("CREATE TABLE planted (account_id uuid)"))
        assert (await connection.scalars(_UNPROTECTED)).all() == ["planted"]


async def test_a_transaction_without_a_scope_sees_nothing(database: Database) -> None:
    async with database.system() as session:
        await person(session)
        assert await session.scalar(text("SELECT count(*) FROM accounts")) == 1
    async with database.engine.begin() as connection:
        await connection.execute(text("SET LOCAL ROLE feature_app"))
        for table in ["accounts", *(await connection.scalars(_OF_ACCOUNTS)).all()]:
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table


async def test_an_account_sees_and_writes_its_own_rows_only(database: Database) -> None:
    async with database.system() as session:
        mine, others = await person(session), await person(session)
        for user in (mine, others):
            await session.execute(
                text("INSERT INTO meter_usage (account_id, meter, window_start) VALUES (:id, 'jobs', now())"),
                {"id": user.account_id},
            )
    async with database.account(mine.account_id) as session:
        for table, column in (("accounts", "id"), ("meter_usage", "account_id"), ("account_members", "account_id")):
            rows = (await session.scalars(text(f"SELECT {column} FROM {table}"))).all()
            assert rows == [mine.account_id], table
        changed = await session.execute(
            text("UPDATE meter_usage SET used = 9 WHERE account_id = :id RETURNING 1"), {"id": others.account_id}
        )
        assert changed.all() == []
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.account(mine.account_id) as session:
            await session.execute(
                text("INSERT INTO meter_usage (account_id, meter, window_start) VALUES (:id, 'x', now())"),
                {"id": others.account_id},
            )


async def test_a_scope_does_not_leak_through_the_pool(database_url: str) -> None:
    single = Database(database_url, pool_size=1)
    try:
        async with single.system() as session:
            backend = await session.scalar(text("SELECT pg_backend_pid()"))
        async with single.engine.connect() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) == backend
            assert await connection.scalar(text("SELECT current_setting('feature.scope', true)")) in (None, "")
            assert await connection.scalar(text("SELECT current_user")) != "feature_app"
    finally:
        await single.close()


async def test_a_read_session_cannot_write(database: Database) -> None:
    for scope in (database.read(),):
        with pytest.raises(DBAPIError, match="read-only"):
            async with scope as session:
                await session.execute(text("DELETE FROM outbox"))


async def test_the_application_is_no_superuser_and_owns_nothing(database: Database) -> None:
    async with database.read() as session:
        role = (
            await session.execute(text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"))
        ).one()
        assert (role.rolsuper, role.rolbypassrls) == (False, False)
        owned = await session.scalar(
            text("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user")
        )
        assert owned == 0
