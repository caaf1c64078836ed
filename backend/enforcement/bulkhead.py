"""So many at once and no more: a burst of one kind of request leaves room for all others."""

import asyncio
from types import TracebackType

from backend.core.errors import Unavailable


class Bulkhead:
    """`async with` one: up to `at_once` go on, up to `waiting` more wait in the order of arrival, others are refused.

    Raises Unavailable.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._room = waiting

    async def __aenter__(self) -> None:
        if self._turns.locked() and self._room <= 0:
            raise Unavailable("Too many are signing in just now; nothing was changed.", headers={"Retry-After": "1"})
        self._room -= 1
        try:
            await self._turns.acquire()
        finally:
            self._room += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns.release()
