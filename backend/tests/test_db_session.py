"""Transactions: who commits, what is undone, how long anything may take."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.errors import PlatformError
from backend.core.ids import AccountId, uuid7
from backend.db.session import Database, async_url, driver_url, is_unavailable
from backend.db.wire import connect
from backend.tests.factories.accounts import person

_SCOPE = text(
    "SELECT current_user, current_setting('feature.scope', true), current_setting('feature.account_id', true)"
)
_NOBODY = AccountId(UUID(int=0))


class Refused(PlatformError):
    """Leaves nothing."""


class Counted(PlatformError):
    """Leaves its trace."""

    keeps_writes = True


async def attempt(session: AsyncSession, subject: str) -> None:
    await session.execute(
        text("INSERT INTO sign_in_attempts (id, subject, attempted_at) VALUES (:id, :subject, now())"),
        {"id": uuid7(), "subject": subject},
    )


async def attempts(database: Database) -> list[str]:
    async with database.read() as session:
        return list((await session.scalars(text("SELECT subject FROM sign_in_attempts ORDER BY subject"))).all())


@pytest.fixture
async def single(shared_database_url: str) -> AsyncIterator[Database]:
    """A pool of one connection, and little patience. Tests on it keep nothing."""
    made = Database(shared_database_url, pool_size=1, statement_seconds=1)
    yield made
    await made.close()


async def backend_of(database: Database) -> int:
    """The process that serves the next transaction of a pool of one."""
    async with database.read() as session:
        return int(await session.scalar(text("SELECT pg_backend_pid()")))


async def end(pid: int, database: Database) -> None:
    async with database.engine.begin() as connection:
        assert await connection.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


async def test_a_transaction_is_committed_when_its_block_ends_well(database: Database) -> None:
    async with database.system() as session:
        await attempt(session, "a")
        assert await attempts(database) == []
    assert await attempts(database) == ["a"]


async def test_an_error_undoes_it_unless_it_keeps_its_writes(database: Database) -> None:
    async with database.system() as session:
        user = await person(session)

    async def by_the_system(error: Exception) -> None:
        async with database.system() as session:
            await attempt(session, type(error).__name__)
            raise error

    async def by_the_account(error: Exception) -> None:
        async with database.account(user.account_id) as session:
            await session.execute(text("UPDATE accounts SET name = name || :kind"), {"kind": type(error).__name__})
            raise error

    for error in (Refused("no"), ValueError("a defect"), Counted("no, and remembered")):
        for block in (by_the_system, by_the_account):
            with pytest.raises(type(error)):
                await block(error)
    assert await attempts(database) == ["Counted"]
    async with database.read() as reading:
        assert await reading.scalar(text("SELECT name FROM accounts")) == f"{user.email}Counted"


async def test_a_commit_that_fails_is_an_error_of_the_block(single: Database) -> None:
    # The constraint is deferred: it is looked at when the transaction is committed.
    with pytest.raises(IntegrityError, match="fk_users_personal_account_id"):
        async with single.system() as session:
            await session.execute(
                text("INSERT INTO users (id, email, personal_account_id) VALUES (:id, 'a@example.test', :account)"),
                {"id": uuid7(), "account": uuid7()},
            )


async def test_a_cancelled_block_leaves_nothing_and_gives_its_connection_back(single: Database) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with single.system() as session:
            await attempt(session, "a")
            started.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await attempts(single) == []


async def test_each_kind_of_transaction_names_its_scope(single: Database) -> None:
    async with single.system() as session:
        assert (await session.execute(_SCOPE)).one() == ("feature_app", "system", "")
    async with single.account(_NOBODY) as session:
        assert (await session.execute(_SCOPE)).one() == ("feature_app", "account", str(_NOBODY))
    async with single.read(_NOBODY) as session:
        assert (await session.execute(_SCOPE)).one() == ("feature_app", "account", str(_NOBODY))
    async with single.read() as session:
        assert (await session.execute(_SCOPE)).one() == ("feature_app", "system", "")


async def test_nothing_of_a_transaction_is_left_on_its_connection(single: Database) -> None:
    async def ends(how: str) -> None:
        async with single.system() as session:
            assert (await session.execute(_SCOPE)).one().current_user == "feature_app"
            if how == "with an error":
                raise Refused("no")
            if how == "with a statement that fails":
                await session.execute(text("SELECT nothing"))

    backend = await backend_of(single)
    for how in ("well", "with an error", "with a statement that fails"):
        with contextlib.suppress(Refused, ProgrammingError):
            await ends(how)
        async with single.engine.connect() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) == backend
            user, scope, account = (await connection.execute(_SCOPE)).one()
            assert user != "feature_app"
            assert (scope or "", account or "") == ("", "")


async def test_what_comes_next_on_a_connection_is_bound_by_its_own_scope(single: Database) -> None:
    for _ in range(2):
        async with single.read(_NOBODY) as session:
            assert await session.scalar(text("SHOW transaction_read_only")) == "on"
            assert await session.scalar(text("SELECT count(*) FROM accounts")) == 0
        async with single.system() as session:
            assert await session.scalar(text("SHOW transaction_read_only")) == "off"
            await person(session)
            assert await session.scalar(text("SELECT count(*) FROM accounts")) == 1
            await session.rollback()


async def test_a_read_session_cannot_write(single: Database) -> None:
    async def run(statement: str, account_id: AccountId | None) -> None:
        async with single.read(account_id) as session:
            await session.execute(text(statement))

    for statement in (
        "INSERT INTO roles (name, description) VALUES ('x', 'x')",
        "UPDATE accounts SET name = 'x'",
        "DELETE FROM outbox",
        "CREATE TABLE x ()",
        "SELECT nextval('procrastinate_jobs_id_seq')",
    ):
        for account_id in (None, _NOBODY):
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await run(statement, account_id)


async def test_a_statement_has_its_time(single: Database) -> None:
    began = time.monotonic()
    with pytest.raises(DBAPIError, match="statement timeout") as caught:
        async with single.read() as session:
            await session.execute(text("SELECT pg_sleep(30)"))
    assert 0.9 < time.monotonic() - began < 10
    assert is_unavailable(caught.value)


async def test_a_lock_is_waited_for_and_no_longer(shared_database_url: str) -> None:
    impatient = Database(shared_database_url, lock_seconds=1)
    lock = text("SELECT name FROM roles WHERE name = 'admin' FOR UPDATE")
    async with impatient.system() as first:
        await first.execute(lock)
        with pytest.raises(DBAPIError, match="lock timeout") as caught:
            async with impatient.system() as second:
                await second.execute(lock)
    assert is_unavailable(caught.value)
    await impatient.close()


async def test_the_timeouts_of_the_web_are_the_default(shared_database_url: str) -> None:
    web = Database(shared_database_url)
    async with web.read() as session:
        for name, value in {
            "statement_timeout": "5s",
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "10s",
            "TimeZone": "UTC",
        }.items():
            assert await session.scalar(text(f"SHOW {name}")) == value
    await web.close()


async def test_a_full_pool_says_so_in_time(single: Database) -> None:
    began = time.monotonic()
    async with single.read():
        with pytest.raises(PoolTimeout) as caught:
            async with single.read():
                pass
    assert 1.9 < time.monotonic() - began < 10
    assert is_unavailable(caught.value)


async def test_a_connection_that_was_cut_is_replaced(single: Database, shared_database_url: str) -> None:
    other = Database(shared_database_url)
    backend = await backend_of(single)
    await end(backend, other)
    assert await backend_of(single) != backend
    await other.close()


async def test_a_connection_that_is_cut_under_way_is_unavailable_and_a_mistake_is_not(
    single: Database, shared_database_url: str
) -> None:
    other = Database(shared_database_url)

    async def cut() -> None:
        async with single.read() as session:
            await end(await session.scalar(text("SELECT pg_backend_pid()")), other)
            await session.execute(text("SELECT 1"))

    async def mistaken() -> None:
        async with single.read() as session:
            await session.execute(text("SELECT nothing"))

    with pytest.raises(DBAPIError) as caught:
        await cut()
    assert is_unavailable(caught.value)
    with pytest.raises(DBAPIError) as mistake:
        await mistaken()
    assert not is_unavailable(mistake.value)
    assert not is_unavailable(ValueError("a defect"))
    assert is_unavailable(ConnectionRefusedError())
    await other.close()


async def test_nobody_there_is_unavailable() -> None:
    nowhere = Database("postgresql://feature@127.0.0.1:1/nowhere")
    with pytest.raises(DBAPIError) as caught:
        async with nowhere.read():
            pass
    assert is_unavailable(caught.value)
    await nowhere.close()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_is_read_however_it_begins(scheme: str) -> None:
    rest = "feature:p%40ss%25@db.example.com:5432/feature_db?sslmode=require"
    assert async_url(f"{scheme}://{rest}") == f"postgresql+psycopg://{rest}"
    assert driver_url(f"{scheme}://{rest}") == f"postgresql://{rest}"


async def test_a_value_that_cannot_be_sent_is_no_outage(database: Database) -> None:
    for value in ("a\0b", "\ud800"):
        with pytest.raises((DBAPIError, UnicodeEncodeError)) as raised:
            async with database.read() as session:
                await session.execute(text("SELECT CAST(:value AS text)"), {"value": value})
        assert not is_unavailable(raised.value), value


async def test_text_is_utf_8_whatever_the_environment_says(
    shared_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database, wire = Database(shared_database_url, pool_size=1), await connect(shared_database_url)
    try:
        async with database.read() as session:
            assert await session.scalar(text("SHOW client_encoding")) == "UTF8"
        assert await (await wire.execute("SHOW client_encoding")).fetchone() == ("UTF8",)
    finally:
        await wire.close()
        await database.close()
