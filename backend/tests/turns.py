"""Many calls at once, as many at a time as there are connections in a pool: none waits so long that it is refused.

And one after another, where one waits for the lock of the other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import text

from backend.db.session import Database

T = TypeVar("T")

_WAITERS = text("""
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()
""")


async def in_turns(number: int, call: Callable[[], Awaitable[T]], *, at_once: int = 16) -> list[T]:
    """What `number` calls return."""
    turns = asyncio.Semaphore(at_once)

    async def one() -> T:
        async with turns:
            return await call()

    return await asyncio.gather(*(one() for _ in range(number)))


async def until_somebody_waits(database: Database) -> None:
    """Until a transaction in this database waits for another's lock; for at most a second and a half."""
    for _ in range(75):
        async with database.engine.connect() as connection:
            if await connection.scalar(_WAITERS):
                return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def turns_true(look: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    """Until it is so; AssertionError when it is not within the time."""
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 - what is looked at sets no event
            await asyncio.sleep(0.05)
