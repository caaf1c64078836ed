"""Work of a command in one transaction of the database, which is held while it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from backend.cli.database import Server, held
from backend.cli.output import CommandError
from backend.core.clock import SystemClock
from backend.core.settings import get_settings
from backend.db import migrate
from backend.db.session import Database, SystemSession

T = TypeVar("T")
Piece = Callable[[SystemSession, datetime], Awaitable[T]]


def in_database(work: Piece[T]) -> T:
    """What `work` returns, committed. Raises EmbeddedError, CommandError, and what `work` raises."""
    with held(get_settings()) as server:
        if migrate.pending(server.url):
            raise CommandError("The database is not at the newest migration. Run: feature migrate")
        return on_server(server, work)


def on_server(server: Server, work: Piece[T]) -> T:
    """The same where the server is held already and migrated."""
    return asyncio.run(_run(server.url, work))


async def _run(url: str, work: Piece[T]) -> T:
    database = Database(url, pool_size=1)
    try:
        async with database.system() as session:
            return await work(session, SystemClock().now())
    finally:
        await database.close()
