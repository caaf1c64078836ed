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
    """One queue, and tasks that live while there is something to write. `write` settles each of its wishes.

    Up to `writers` batches are written at once; what waits is divided among those that are free, but no batch of fewer
    than `least` is begun beside another. A batch that fails fails those that wait for it, and no others.
    """

    def __init__(
        self,
        write: Callable[[list[W]], Awaitable[None]],
        *,
        name: str,
        most: int,
        writers: int = 1,
        least: int = 1,
    ) -> None:
        self._write = write
        self._name = name
        self._most = most
        self._writers = writers
        self._least = least
        self._queue: deque[W] = deque()
        self._live: set[asyncio.Task[None] | None] = set()
        """Tasks that will look at the queue again."""
        self._writing = 0

    def add(self, wish: W) -> None:
        """Goes with the next batch that has room."""
        self._queue.append(wish)
        if not self._live or (len(self._live) < self._writers and len(self._queue) >= self._least):
            task = asyncio.create_task(self._drain(), name=self._name)
            self._live.add(task)
            task.add_done_callback(self._live.discard)  # also one that is stopped before it begins

    async def close(self) -> None:
        """Lets what waits be written."""
        while tasks := [task for task in self._live if task is not None]:
            await asyncio.wait(tasks)

    async def _drain(self) -> None:
        try:
            while self._queue:
                await self._write_one()
        finally:
            self._live.discard(asyncio.current_task())  # before anybody can add: a done callback would be too late

    async def _write_one(self) -> None:
        batch = self._take()
        self._writing += 1
        try:
            await self._write(batch)
        except Exception as error:
            for wish in batch:
                wish.fail(error)
        except BaseException as error:  # this task ends with it; nobody would write what waits if it is the last
            if self._writing == 1:
                batch += self._queue
                self._queue.clear()
            for wish in batch:
                wish.fail(error)
            raise
        finally:
            self._writing -= 1

    def _take(self) -> list[W]:
        """A share of what waits, with as many as could begin now."""
        waiting = len(self._queue)
        share = max(self._least, -(-waiting // (self._writers - self._writing)))
        return [self._queue.popleft() for _ in range(min(waiting, share, self._most))]
