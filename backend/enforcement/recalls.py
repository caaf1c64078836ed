"""Asking all processes for what they hold of a counter, before somebody is refused for it.

A recall is a notification, so it is there within milliseconds; a process that does not hear it (behind a pooler that
has no notifications, or stopped) gives back what lies idle after a second. Nobody waits longer than 150 ms, and all who
are about to be refused for the same counter wait for the same recall.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import psycopg
import structlog

from backend.db.session import Database, driver
from backend.db.wire import connect
from backend.enforcement.journal import boot_nanoseconds
from backend.usage import settlement
from backend.usage.settlement import CHANNEL, CounterKey, read_recall

PATIENCE = 0.15
_LOOK_EVERY = 0.01
# After one recall the next of the same counter is of no use for so long.
_REST = 150_000_000
_MOST_REMEMBERED = 10_000
_PAUSE_AFTER_FAILURE = 1.0

log = structlog.get_logger(__name__)


class Recalls:
    """One for a process. `give_back` is called with a counter of which this process is to give back what it holds."""

    def __init__(self, database: Database, give_back: Callable[[CounterKey], Awaitable[None]]) -> None:
        self._database = database
        self._give_back = give_back
        self._running: dict[CounterKey, asyncio.Task[None]] = {}
        self._done: dict[CounterKey, int] = {}
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._listener = asyncio.create_task(self._listen(), name="recalls")

    async def stop(self) -> None:
        for task in [*self._running.values(), *filter(None, [self._listener])]:
            task.cancel()
            await asyncio.wait([task])

    def may_help(self, key: CounterKey) -> bool:
        """Whether a recall could bring something that the last one has not."""
        return boot_nanoseconds() >= self._done.get(key, 0) + _REST

    async def recall(self, key: CounterKey) -> None:
        """Returns when nothing of the counter is out any more, or after 150 ms."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._recall(key))
        await asyncio.shield(task)

    async def _recall(self, key: CounterKey) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._give_back(key)
                async with self._database.system() as session:
                    on = await driver(session)
                    if not await settlement.units_out(on, key):
                        return
                    await settlement.recall(on, [key])
                await self._until_back(key)
        except TimeoutError:
            return
        finally:
            del self._running[key]
            if len(self._done) >= _MOST_REMEMBERED:
                self._done.clear()
            self._done[key] = boot_nanoseconds()

    async def _until_back(self, key: CounterKey) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            async with self._database.read(key[0]) as session:
                if not await settlement.units_out(await driver(session), key):
                    return

    async def _listen(self) -> None:
        """Outlives the database's restarts."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._hear()
            await asyncio.sleep(_PAUSE_AFTER_FAILURE)

    async def _hear(self) -> None:
        async with await connect(self._database.url) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            async for notice in connection.notifies():
                with contextlib.suppress(ValueError):
                    await self._give_back(read_recall(notice.payload))
