"""One batch of spends in one transaction of its own connection, whose end is known even where it was not heard."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import psycopg

from backend.enforcement.errors import OutcomeUnknown
from backend.usage.batch import BatchConnection, CounterOf, Item, Locked, RecordMissing
from backend.usage.model import Window

# How long, and how often, an end that was not heard of is asked for.
_STATUS_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)


class BatchWriter:
    """One connection, for one batch at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: BatchConnection | None = None

    async def write(
        self, wanted: Mapping[CounterOf, Window], digests: Sequence[bytes], decide: Callable[[Locked], list[Item]]
    ) -> set[UUID]:
        """Locks the counters, lets `decide` say what is to be counted, counts it. The ids of what was not: an identity
        that has spent meanwhile. `decide` may be asked twice; its last answer counts.

        Raises OutcomeUnknown, and what the driver raises where the database does not answer.
        """
        try:
            return await self._write(wanted, digests, decide)
        except RecordMissing:
            return await self._write(wanted, digests, decide)

    async def _write(
        self, wanted: Mapping[CounterOf, Window], digests: Sequence[bytes], decide: Callable[[Locked], list[Item]]
    ) -> set[UUID]:
        connection, locked = await self._lock(wanted, digests)
        async with connection.transaction():
            items = decide(locked)
            if not items:
                await connection.undo()
                return set()
            try:
                return await connection.write(items)
            except psycopg.Error as error:
                if not connection.is_broken:
                    raise
                counted = await self._counted_after_all(locked.transaction, items, error)
                return {item.event_id for item in items} - counted

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _lock(
        self, wanted: Mapping[CounterOf, Window], digests: Sequence[bytes]
    ) -> tuple[BatchConnection, Locked]:
        """Once more on a new connection where the old one turns out to have died: nothing was written yet."""
        was_open = self._connection is not None
        connection = await self._ready()
        try:
            async with connection.transaction():
                return connection, await connection.lock(wanted, digests)
        except psycopg.OperationalError:
            if not was_open or not connection.is_broken:
                raise
        connection = await self._ready()
        async with connection.transaction():
            return connection, await connection.lock(wanted, digests)

    async def _counted_after_all(self, transaction: str, items: Sequence[Item], error: psycopg.Error) -> set[UUID]:
        """The connection broke at the commit: the server knows what became of it. Raises OutcomeUnknown."""
        for pause in _STATUS_PAUSES:
            await asyncio.sleep(pause)
            try:
                connection = await self._ready()
                status = await connection.status(transaction)
                if status == "aborted":
                    raise error
                if status == "committed":
                    return await connection.counted(items)
            except psycopg.OperationalError as again:
                if again is error:
                    raise
        raise OutcomeUnknown(
            "The database went away while this was being written. Repeat the request with the same idempotency key:"
            " it is counted once.",
            headers={"Retry-After": "1"},
        ) from error

    async def _ready(self) -> BatchConnection:
        if self._connection is None or self._connection.is_broken:
            if self._connection is not None:
                await self._connection.close()
            self._connection = None
            self._connection = await BatchConnection.open(self._url)
        return self._connection
