"""A connection that speaks to the driver directly: for the few paths where the round trips are what costs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from backend.db.session import driver_url

# The statements are few and take arrays, so their plans never depend on the values: planning once halves their time.
_OPTIONS = (
    "-c plan_cache_mode=force_generic_plan"
    " -c statement_timeout=5s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s -c timezone=UTC"
)

# The first statement of a transaction: as `Database.system` begins one.
SCOPE_SYSTEM = (
    "SELECT set_config('role', 'feature_app', true), set_config('feature.scope', 'system', true),"
    " set_config('feature.account_id', '', true)"
)


async def connect(url: str) -> AsyncConnection[TupleRow]:
    """A connection of its own, that commits by itself. Raises psycopg.OperationalError.

    Who is cancelled while it connects leaves nothing behind: a connection that was abandoned before it has signed in
    keeps PostgreSQL for a minute from dropping a database, or whatever else waits for all connections.
    """
    connecting = asyncio.ensure_future(
        AsyncConnection.connect(
            driver_url(url),
            autocommit=True,
            connect_timeout=5,
            application_name="feature-platform",
            client_encoding="utf8",  # whatever the environment says
            options=_OPTIONS,
        )
    )
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        with contextlib.suppress(psycopg.Error):
            await (await connecting).close()
        raise


class Wire:
    """One connection, used by one task at a time; subclasses know the statements, and begin and commit in pipelines."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str) -> Self:
        """Raises psycopg.OperationalError."""
        return cls(await connect(url))

    @property
    def is_broken(self) -> bool:
        return self._connection.closed or self._connection.broken

    async def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            await self._connection.close()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Undone where it is left by an exception. Errors of the driver leave it; the connection may be broken."""
        try:
            yield
        except BaseException:
            if not self.is_broken:
                with contextlib.suppress(psycopg.Error):
                    await self._connection.execute("ROLLBACK")
            raise


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the server has refused a statement, and so undone its transaction; else the connection is going, and
    what became of a commit that was sent is open.

    Class 08 and 57P say that it is going (PostgreSQL, appendix A); the driver's own errors have no state.
    """
    state = error.sqlstate
    return state is not None and not state.startswith(("08", "57P"))
