"""The second net: a transaction sees the rows of its scope, whatever its statements say."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from backend.core.ids import AccountId, uuid7
from backend.db.session import Database

_OF_ACCOUNTS = """
    SELECT c.oid, c.relname, c.relrowsecurity AND c.relforcerowsecurity AS bound,
        EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND (c.relname = 'accounts' OR EXISTS (SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND NOT a.attisdropped))
"""
_UNPROTECTED = text(f"SELECT relname FROM ({_OF_ACCOUNTS}) t WHERE NOT bound OR NOT has_policy")
_NAMES = text(f"SELECT relname FROM ({_OF_ACCOUNTS}) t ORDER BY relname")
_CONSTRAINTS = text(
    f"SELECT t.relname, k.conname FROM ({_OF_ACCOUNTS}) t JOIN pg_constraint k ON k.conrelid = t.oid"
    " WHERE k.contype IN ('f', 'c')"
)
_NEEDED = text("""
    SELECT attname, format_type(atttypid, NULL) AS kind FROM pg_attribute
    WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
        AND (attnotnull AND NOT atthasdef OR attname = 'account_id')
""")

# One value of each kind, different for each account where that may matter.
_VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "md5(random()::text)",
    "bytea": "sha256(random()::text::bytea)",
    "timestamp with time zone": "now()",
    "bigint": "1",
    "integer": "1",
    "smallint": "1",
    "boolean": "false",
    "jsonb": "'{}'",
    "text[]": "'{}'",
    "uuid[]": "'{}'",
}


def owner(table: str) -> str:
    """The column that says whose a row is."""
    return "id" if table == "accounts" else "account_id"


async def names(session: AsyncSession | AsyncConnection) -> list[str]:
    return list((await session.scalars(_NAMES)).all())


async def insert(session: AsyncSession | AsyncConnection, table: str, account_id: AccountId) -> None:
    """A row of an account, whatever the table is."""
    needed = (await session.execute(_NEEDED, {"table": table})).all()
    columns = {row.attname: _VALUES[row.kind] for row in needed} | {owner(table): ":account_id"}
    await session.execute(
        text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"),
        {"account_id": account_id},
    )


async def whose(session: AsyncSession, table: str) -> list[Any]:
    return list((await session.scalars(text(f"SELECT {owner(table)} FROM {table} ORDER BY 1"))).all())


@pytest.fixture
async def two(database: Database) -> tuple[AccountId, AccountId]:
    """Two accounts with a row in every table. What else a row must be is not what is tried here."""
    mine, others = AccountId(uuid7()), AccountId(uuid7())
    async with database.engine.begin() as connection:
        for table, constraint in (await connection.execute(_CONSTRAINTS)).all():
            await connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}"))
    async with database.system() as session:
        for table in await names(session):
            await insert(session, table, mine)
            await insert(session, table, others)
    return mine, others


async def test_every_table_of_accounts_has_a_policy_and_a_planted_one_without_is_found(database: Database) -> None:
    async with database.engine.begin() as connection:
        assert (await connection.scalars(_UNPROTECTED)).all() == []
        assert len(await names(connection)) >= 12
        await connection.execute(text("CREATE TABLE planted (account_id uuid)"))
        assert (await connection.scalars(_UNPROTECTED)).all() == ["planted"]
        await connection.execute(text("ALTER TABLE planted ENABLE ROW LEVEL SECURITY"))
        await connection.execute(text("CREATE POLICY own ON planted USING (true)"))
        # Its owner would still pass.
        assert (await connection.scalars(_UNPROTECTED)).all() == ["planted"]


async def test_every_table_shows_an_account_its_own_rows_only(
    database: Database, two: tuple[AccountId, AccountId]
) -> None:
    mine, others = two
    async with database.account(mine) as session, database.read(others) as reading:
        for table in await names(session):
            assert await whose(session, table) == [mine], table
            assert await whose(reading, table) == [others], table
    async with database.read() as reading:
        for table in await names(reading):
            assert await whose(reading, table) == sorted(two), table


async def test_without_a_scope_nothing_is_seen(database: Database, two: tuple[AccountId, AccountId]) -> None:
    for role in ("SET LOCAL ROLE feature_app", "SELECT 'the owner of the tables'"):
        async with database.engine.begin() as connection:
            await connection.execute(text(role))
            for table in await names(connection):
                assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0, (role, table)


async def test_an_account_changes_and_makes_its_own_rows_only(
    database: Database, two: tuple[AccountId, AccountId]
) -> None:
    mine, others = two
    async with database.account(mine) as session:
        for table in await names(session):
            column = owner(table)
            touched = await session.scalars(text(f"UPDATE {table} SET {column} = {column} RETURNING {column}"))
            assert touched.all() == [mine], table
            for attempt in (insert(session, table, others), give_away(session, table, others)):
                with pytest.raises(DBAPIError, match="row-level security"):
                    async with session.begin_nested():
                        await attempt
            removed = await session.scalars(text(f"DELETE FROM {table} RETURNING {column}"))
            assert removed.all() == [mine], table
    async with database.read() as reading:
        for table in await names(reading):
            assert await whose(reading, table) == [others], table


async def give_away(session: AsyncSession, table: str, account_id: AccountId) -> None:
    await session.execute(text(f"UPDATE {table} SET {owner(table)} = :id"), {"id": account_id})


async def test_partitions_are_no_way_around(database: Database, two: tuple[AccountId, AccountId]) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.account(two[0]) as session:
            await session.execute(text("SELECT 1 FROM usage_events_default"))


async def test_the_application_is_no_superuser_and_owns_nothing(system_session: AsyncSession) -> None:
    role = (
        await system_session.execute(
            text("SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = current_user")
        )
    ).one()
    assert tuple(role) == (False, False, False)
    owned = await system_session.scalar(
        text("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user")
    )
    assert owned == 0
