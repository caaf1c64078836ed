"""One batch of spends in one transaction of its own connection, whose end is known even where it was not heard."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

import psycopg

from backend.core.errors import Unavailable
from backend.db.wire import is_refusal
from backend.enforcement.errors import OutcomeUnknown
from backend.usage.batch import BatchConnection, CounterOf, Locked, Undone
from backend.usage.items import Items
from backend.usage.model import Window

# How often a batch is decided anew because identities turn out to be taken, or another process waits in a circle.
_MOST_ROUNDS = 4
# How long, and how often, an end that was not heard of is asked for.
_STATUS_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)


class BatchWriter:
    """One connection, for one batch at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: BatchConnection | None = None

    async def write(
        self, wanted: Mapping[CounterOf, Window], digests: Sequence[bytes], decide: Callable[[Locked], Items]
    ) -> None:
        """Locks the counters, lets `decide` say what is to be counted, counts all of it. `decide` is asked again where
        an identity has spent meanwhile; its last answer counts.

        Raises OutcomeUnknown, Unavailable, and what the driver raises where the database does not answer.
        """
        for _ in range(_MOST_ROUNDS):
            with contextlib.suppress(Undone, psycopg.errors.DeadlockDetected):
                await self._write(wanted, digests, decide)
                return
        raise Unavailable("Too many equal requests at once; repeat it.", headers={"Retry-After": "1"})

    async def _write(
        self, wanted: Mapping[CounterOf, Window], digests: Sequence[bytes], decide: Callable[[Locked], Items]
    ) -> None:
        connection, locked = await self._lock(wanted, digests)
        async with connection.transaction():
            items = decide(locked)
            if not items:
                await connection.undo()
                return
            try:
                await connection.write(items)
            except psycopg.Error as error:
                if is_refusal(error):
                    raise
                # The driver may not know yet that the connection has gone, and the commit may have come before.
                await connection.close()
                await self._ensure_counted(locked.transaction, items, error)

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

    async def _ensure_counted(self, transaction: str, items: Items, error: psycopg.Error) -> None:
        """The connection broke at the commit: the server knows what became of it. Raises OutcomeUnknown, or the error
        where nothing was counted."""
        for pause in _STATUS_PAUSES:
            await asyncio.sleep(pause)
            try:
                connection = await self._ready()
                status = await connection.status(transaction)
                if status == "aborted" or (status == "committed" and not await connection.counted(items)):
                    raise error
                if status == "committed":
                    return
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
