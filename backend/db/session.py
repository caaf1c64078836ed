"""Transactions with a scope.

Every transaction begins by becoming the role `feature_app`, which row-level security binds, and by naming whose rows
it may see. Both settings end with the transaction, so nothing leaks through a pool (PgBouncer in transaction mode
included), and a transaction that names nobody sees nothing. Only these context managers commit.
"""

import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from backend.core.errors import PlatformError
from backend.core.ids import AccountId

_BEGIN = text(
    "SELECT set_config('role', 'feature_app', true), set_config('feature.scope', :scope, true),"
    " set_config('feature.account_id', :account, true)"
)
_BEGIN_READ = text(
    "SELECT set_config('role', 'feature_app', true), set_config('feature.scope', :scope, true),"
    " set_config('feature.account_id', :account, true), set_config('transaction_read_only', 'on', true)"
)


class ReadSession(AsyncSession):
    """May read. What writes takes a WriteSession, so that a type checker refuses this one."""


class AccountSession(ReadSession):
    """Reads and writes the rows of one account, the acting one."""


class SystemSession(ReadSession):
    """Reads and writes the rows of all accounts: settlement, jobs, operators, sign-in."""


WriteSession = AccountSession | SystemSession


class Database:
    """One pool of connections. `statement_seconds`: 5 for the web, 900 for background work."""

    def __init__(self, url: str, *, pool_size: int = 16, statement_seconds: int = 5, lock_seconds: int = 2) -> None:
        self.url = async_url(url)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=2,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "feature-platform",
                "client_encoding": "utf8",  # whatever the environment says
                "options": (
                    f"-c statement_timeout={statement_seconds}s -c lock_timeout={lock_seconds}s"
                    " -c idle_in_transaction_session_timeout=10s -c timezone=UTC"
                ),
            },
        )

    async def close(self) -> None:
        await self.engine.dispose()

    @contextlib.asynccontextmanager
    async def system(self) -> AsyncIterator[SystemSession]:
        async with SystemSession(self.engine, expire_on_commit=False) as session, self._begun(session, "system"):
            yield session

    @contextlib.asynccontextmanager
    async def account(self, account_id: AccountId) -> AsyncIterator[AccountSession]:
        async with AccountSession(self.engine, expire_on_commit=False) as session:
            scope = self._begun(session, "account", account_id)
            async with scope:
                yield session

    @contextlib.asynccontextmanager
    async def read(self, account_id: AccountId | None = None) -> AsyncIterator[ReadSession]:
        """Read-only in PostgreSQL's own sense. Without an account: all rows."""
        async with ReadSession(self.engine, expire_on_commit=False) as session:
            scope = self._begun(session, "account" if account_id else "system", account_id, begin=_BEGIN_READ)
            async with scope:
                yield session

    @contextlib.asynccontextmanager
    async def _begun(
        self, session: AsyncSession, scope: str, account_id: UUID | None = None, *, begin: TextClause = _BEGIN
    ) -> AsyncIterator[None]:
        await session.execute(begin, {"scope": scope, "account": str(account_id or "")})
        try:
            yield
        except PlatformError as error:
            if error.keeps_writes:
                await session.commit()
            raise
        await session.commit()


def async_url(url: str) -> str:
    """The address with our driver named: `postgres://` and `postgresql://` become `postgresql+psycopg://`."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql", "postgresql+psycopg"} else url


async def driver(session: ReadSession) -> AsyncConnection[TupleRow]:
    """The driver's own connection beneath a session, for statements that are shared with `Wire`."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, AsyncConnection)
    return connection


def driver_url(url: str) -> str:
    """The address as libpq reads it."""
    return "postgresql://" + url.partition("://")[2]


# Errors that mean "the database does not answer in time": 503, never 500.
_UNAVAILABLE_STATES = frozenset({"08", "53", "57", "55", "40"})
UNAVAILABLE: tuple[type[Exception], ...] = (PoolTimeout, DBAPIError, psycopg.Error)


def is_unavailable(error: BaseException) -> bool:
    """Whether a driver error comes from the connection, a timeout or a shutdown rather than from the statement."""
    if isinstance(error, PoolTimeout | OSError):
        return True
    if isinstance(error, psycopg.Error):
        return is_driver_unavailable(error)
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # said by the driver: about the connection, or about a value that it cannot send
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in _UNAVAILABLE_STATES


def is_driver_unavailable(error: psycopg.Error) -> bool:
    """The same, of an error of the driver that went through no engine."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate[:2] in _UNAVAILABLE_STATES
