"""Enqueueing by name, in the caller's transaction; handlers are found by the worker alone."""

from typing import Any

from procrastinate import App, PsycopgConnector

from backend.db.session import WriteSession, driver_url


def make_app(url: str, *, connections: int = 4) -> App:
    """The queue of one database. The worker adds the domains' blueprints to it and opens it."""
    connector = PsycopgConnector(
        conninfo=driver_url(url),
        min_size=1,
        max_size=connections,
        kwargs={"options": "-c statement_timeout=900s -c lock_timeout=2s -c timezone=UTC"},
    )
    return App(connector=connector)


# Enqueueing needs no pool of its own: the statement runs on the connection of the caller's transaction.
_enqueuer = App(connector=PsycopgConnector(conninfo=""))


async def enqueue(session: WriteSession, task: str, **arguments: Any) -> None:
    """Adds a job that runs if and only if this transaction commits. Arguments are plain JSON values.

    A task runs at least once: its handler must be idempotent.
    """
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    deferrer = _enqueuer.configure_task(task, allow_unknown=True, connection=raw.driver_connection)
    await deferrer.defer_async(**arguments)
