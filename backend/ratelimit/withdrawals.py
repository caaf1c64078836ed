"""Takes from many shared buckets in one transaction: the SQL, in two round trips, each a pipeline.

A crash of the server may forget what was taken in its last half second (`synchronous_commit = off`): it takes longer
than that to be back, and a bucket refills meanwhile.
"""

from collections.abc import Sequence
from typing import NamedTuple

from backend.db.wire import SCOPE_SYSTEM, Wire

_LOCK = """
    SELECT key, tat, leased, leased_until FROM rate_limit_states WHERE key = ANY (%b::text[]) ORDER BY key FOR UPDATE
"""
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_ENSURE = """
    INSERT INTO rate_limit_states (key, tat) SELECT key, 0 FROM unnest(%b::text[]) AS wish (key) ORDER BY key
    ON CONFLICT (key) DO NOTHING
"""
_WRITE = """
    UPDATE rate_limit_states AS state
    SET tat = wish.tat, leased = wish.leased, leased_until = wish.leased_until, updated_at = clock_timestamp()
    FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[]) AS wish (key, tat, leased, leased_until)
    WHERE state.key = wish.key
"""

# Once for rows that are missing, once more for one that was pruned in between.
_MOST_RETRIES = 2


class Shared(NamedTuple):
    """A bucket as all processes see it: microseconds of the database's clock, and units that are out in leases."""

    key: str
    tat: int
    leased: int
    leased_until: int


class WithdrawalConnection(Wire):
    """One connection to the database that does nothing but this."""

    async def lock(self, keys: Sequence[str]) -> tuple[dict[str, Shared], int]:
        """Begins, and locks the buckets until the end in the order of their keys; and the time, once all are held."""
        found, now = await self._lock(keys)
        for _ in range(_MOST_RETRIES):
            if len(found) == len(keys):
                break
            await self._ensure(keys)
            found, now = await self._lock(keys)
        return found, now

    async def write(self, buckets: Sequence[Shared]) -> None:
        """What becomes of them; commits."""
        columns = [[bucket[part] for bucket in buckets] for part in range(4)]
        async with self._connection.pipeline():
            if buckets:
                await self._connection.execute(_WRITE, columns, prepare=True, binary=True)
            await self._connection.execute("COMMIT")

    async def _ensure(self, keys: Sequence[str]) -> None:
        """In a transaction of its own: rows made while others are held could be waited for in a circle."""
        await self._connection.execute("ROLLBACK")
        async with self._connection.pipeline():
            await self._connection.execute("BEGIN")
            await self._connection.execute(SCOPE_SYSTEM)
            await self._connection.execute(_ENSURE, [sorted(keys)])
            await self._connection.execute("COMMIT")

    async def _lock(self, keys: Sequence[str]) -> tuple[dict[str, Shared], int]:
        run = self._connection.execute
        async with self._connection.pipeline():
            await run("BEGIN")
            await run(SCOPE_SYSTEM)
            await run("SET LOCAL synchronous_commit = off")
            rows = await run(_LOCK, [list(keys)], prepare=True, binary=True)
            clock = await run(_CLOCK, prepare=True, binary=True)
        now = await clock.fetchone()
        assert now is not None
        return {row[0]: Shared(*row) for row in await rows.fetchall()}, now[0]
