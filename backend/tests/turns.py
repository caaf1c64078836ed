"""Many calls at once, as many at a time as there are connections in a pool: none waits so long that it is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def in_turns(number: int, call: Callable[[], Awaitable[T]], *, at_once: int = 16) -> list[T]:
    """What `number` calls return."""
    turns = asyncio.Semaphore(at_once)

    async def one() -> T:
        async with turns:
            return await call()

    return await asyncio.gather(*(one() for _ in range(number)))
