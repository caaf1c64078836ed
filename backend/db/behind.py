"""Writing behind: what is noted in memory is written a little later, and no request waits for it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

# What a process that ends waits for its last words to be written.
_LAST_WORDS = 3.0


class Behind:
    """One task, which lives while there is something to write.

    `flush` writes what there is and says whether that could be done; `waits` whether there is more.
    """

    def __init__(
        self, name: str, *, interval: float, flush: Callable[[], Awaitable[bool]], waits: Callable[[], bool]
    ) -> None:
        self._name = name
        self._interval = interval
        self._flush = flush
        self._waits = waits
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def wake(self) -> None:
        """There is something to write: it is, within the interval."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Writes what is there, if that can be done now."""
        self._ending.set()
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=_LAST_WORDS)
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._waits():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._ending.wait()
            is_written = await self._flush()
            if self._ending.is_set() and not is_written:
                return
