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
    """One queue and one task, which lives while there is something to write. `write` settles each of its wishes.

    A batch that fails fails those that wait for it, and no others.
    """

    def __init__(
        self,
        write: Callable[[list[W]], Awaitable[None]],
        *,
        name: str,
        most: int,
        size_of: Callable[[W], int] = lambda _: 1,
    ) -> None:
        self._write = write
        self._name = name
        self._most = most
        self._size_of = size_of
        self._queue: deque[W] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, wish: W) -> None:
        """Goes with the next batch that has room."""
        self._queue.append(wish)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name=self._name)

    async def close(self) -> None:
        """Lets what waits be written."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _take(self) -> list[W]:
        """As many as come to at most so much together, but always one."""
        batch = [self._queue.popleft()]
        size = self._size_of(batch[0])
        while self._queue and (size := size + self._size_of(self._queue[0])) <= self._most:
            batch.append(self._queue.popleft())
        return batch

    async def _drain(self) -> None:
        while self._queue:
            batch = self._take()
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
