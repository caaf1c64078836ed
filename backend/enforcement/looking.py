"""One look a second at the database, shared by all in this process who wait for what it finds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from backend.core.errors import Unavailable
from backend.db.session import is_unavailable

INTERVAL = 1.0
# New ones need not wait for the next look, but many who come together share one.
_LEAST_PAUSE = 0.1

log = structlog.get_logger(__name__)


class Looking:
    """Calls `look` for as long as somebody `is_watched`; no error ends it."""

    def __init__(self, name: str, look: Callable[[], Awaitable[None]], is_watched: Callable[[], bool]) -> None:
        self._name = name
        self._look = look
        self._is_watched = is_watched
        self._next: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def looked(self) -> None:
        """Waits for a look that begins after this call. Raises Unavailable."""
        if self.task is None or self.task.done():
            self._next = asyncio.get_running_loop().create_future()
            self.task = asyncio.create_task(self._run(), name=self._name)
        assert self._next is not None
        self._wake.set()
        await asyncio.shield(self._next)

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def _run(self) -> None:
        while self._is_watched():
            done, self._next = self._next, asyncio.get_running_loop().create_future()
            assert done is not None
            self._wake.clear()
            try:
                await self._look()
                if not done.done():
                    done.set_result(None)
            except Exception as error:
                self._note(error)
                _fail(done)
            except asyncio.CancelledError:
                _fail(done)
                _fail(self._next)
                raise
            await asyncio.sleep(_LEAST_PAUSE)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL - _LEAST_PAUSE):
                    await self._wake.wait()
        _fail(self._next)

    def _note(self, error: Exception) -> None:
        if is_unavailable(error):
            log.warning("the database does not answer", round=self._name)
        else:
            log.error("round failed", round=self._name, exc_info=error)


def _fail(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_exception(
            Unavailable("The database does not answer; there is nothing to look at.", headers={"Retry-After": "1"})
        )
        waiting.exception()  # there may be nobody who waits for it
