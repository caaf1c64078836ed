"""Wishes that gather while others are written, so that one transaction serves all that came meanwhile."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """A wish that can be told that it failed."""

    def fail(self, error: BaseException) -> None: ...


W = TypeVar("W", bound=Waiting)


class Batches(Generic[W]):
    """One queue, and a task that lives while there is something to write. `write` settles each of its wishes.

    `at_once`: so many batches may be under way; they are begun in order, and beside another only where `worth` wishes
    wait, for each costs something by itself. A batch that fails fails those that wait for it, and no others.
    """

    def __init__(
        self,
        write: Callable[[list[W]], Awaitable[None]],
        *,
        name: str,
        most: int,
        at_once: int = 1,
        worth: int = 1,
        size_of: Callable[[W], int] = lambda _: 1,
    ) -> None:
        self._write = write
        self._name = name
        self._most = most
        self._at_once = at_once
        self._worth = worth
        self._size_of = size_of
        self._queue: deque[W] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = 0

    def add(self, wish: W) -> None:
        """Goes with the next batch that has room."""
        self._queue.append(wish)
        if self._draining == 0 or (self._draining < self._at_once and len(self._queue) >= self._worth):
            self._draining += 1
            task = asyncio.create_task(self._drain(), name=self._name)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Lets what waits be written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _take(self) -> list[W]:
        """As many as come to at most so much together, but always one."""
        batch = [self._queue.popleft()]
        size = self._size_of(batch[0])
        while self._queue and (size := size + self._size_of(self._queue[0])) <= self._most:
            batch.append(self._queue.popleft())
        return batch

    async def _drain(self) -> None:
        try:
            while self._queue and (self._draining == 1 or len(self._queue) >= self._worth):
                await self._write_one(self._take())
        finally:
            self._draining -= 1  # at once, and not when the task has been seen to have ended: what comes now needs one

    async def _write_one(self, batch: list[W]) -> None:
        try:
            await self._write(batch)
        except Exception as error:
            for wish in batch:
                wish.fail(error)
        except BaseException as error:  # this task ends with it, and nobody would write the others
            while self._queue:
                batch.append(self._queue.popleft())
            for wish in batch:
                wish.fail(error)
            raise
