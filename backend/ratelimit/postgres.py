"""Buckets that several processes share, in PostgreSQL and on its clock."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from feature_platform.core.gcra import RateLimit
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take, checked, decide, key_prefix
from backend.ratelimit.store import RateStoreUnavailable, translated

# Locks the buckets in the order of their keys, so that no two requests wait for each other; reads the clock once the
# locks are held; judges all; moves all or none, and corrects what is too far ahead. `judged` holds the rules of
# `gcra.check` in SQL; the answer is computed by that function from the same state and clock.
_TAKE = text("""
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:keys AS text[]), CAST(:intervals AS bigint[]), CAST(:capacities AS bigint[]), CAST(:costs AS bigint[])
    ) WITH ORDINALITY AS wish (key, interval_us, capacity_us, cost, position)
), locked AS MATERIALIZED (
    SELECT key, tat FROM rate_limit_states WHERE key = ANY (CAST(:keys AS text[])) ORDER BY key FOR UPDATE
), clock AS MATERIALIZED (
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now, held.buckets
    FROM (SELECT count(*) AS buckets FROM locked) AS held
), judged AS MATERIALIZED (
    SELECT position, key, now, stored, tat, tat + interval_us * cost AS moved, cost,
           tat + interval_us * cost <= now + capacity_us AND buckets = (SELECT count(*) FROM wanted) AS fits
    FROM (
        SELECT wanted.*, clock.*, locked.tat AS stored,
               greatest(clock.now, least(locked.tat, clock.now + wanted.capacity_us)) AS tat
        FROM wanted JOIN locked USING (key) CROSS JOIN clock
    ) AS buckets
), verdict AS MATERIALIZED (
    SELECT bool_and(fits) AS all_fit FROM judged
), taken AS (
    UPDATE rate_limit_states AS state
    SET tat = CASE WHEN verdict.all_fit THEN judged.moved ELSE judged.tat END, updated_at = clock_timestamp()
    FROM judged CROSS JOIN verdict
    WHERE state.key = judged.key AND (verdict.all_fit AND judged.cost > 0 OR judged.stored > judged.tat)
)
SELECT tat, now FROM judged ORDER BY position
""")

_ENSURE = text("""
INSERT INTO rate_limit_states (key, tat)
SELECT key, 0 FROM unnest(CAST(:keys AS text[])) AS wish (key) ORDER BY key
ON CONFLICT (key) DO NOTHING
""")

_CLEAR = text("""
WITH locked AS MATERIALIZED (
    SELECT key FROM rate_limit_states WHERE starts_with(key, :prefix) AND tat <> 0 ORDER BY key FOR UPDATE
)
UPDATE rate_limit_states AS state SET tat = 0, updated_at = clock_timestamp()
FROM locked WHERE state.key = locked.key
RETURNING state.key
""")

_PRUNE = text("""
WITH full_again AS MATERIALIZED (
    SELECT key FROM rate_limit_states
    WHERE updated_at < clock_timestamp() - interval '1 hour'
      AND tat <= CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)
    LIMIT :at_most FOR UPDATE SKIP LOCKED
)
DELETE FROM rate_limit_states AS state USING full_again WHERE state.key = full_again.key RETURNING state.key
""")

# One to find that a row is missing, one to take from it; one more for a row that was pruned in between.
_ATTEMPTS = 3

OpenSession = Callable[[], AbstractAsyncContextManager[AsyncSession]]


class PostgresRateStore:
    """Exact over all processes. `open_session` begins a short transaction that may write and commits when it ends.

    A request is one statement, refused or not; two more, once, for a bucket that was never used.
    """

    def __init__(self, open_session: OpenSession) -> None:
        self._open = open_session

    def take_now(self, key: str, limit: RateLimit) -> None:
        """The database always takes a moment."""

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        verdicts = await self.take_all((Take(bucket, limit, cost),))
        return verdicts[0]

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        wishes = {
            "keys": [take.bucket.key for take in checked(takes)],
            "intervals": [take.limit.interval for take in takes],
            "capacities": [take.limit.capacity for take in takes],
            # A cost above the burst never passes; how far above changes nothing, and might not fit a bigint.
            "costs": [min(take.cost, take.limit.burst + 1) for take in takes],
        }
        with translated():
            for _ in range(_ATTEMPTS):
                async with self._open() as session:
                    rows = (await session.execute(_TAKE, wishes)).all()
                if len(rows) == len(takes):
                    return decide(takes, [row.tat for row in rows], rows[0].now)[0] if rows else ()
                # In a transaction of its own: rows made while others are held could be waited for in a circle.
                async with self._open() as session:
                    await session.execute(_ENSURE, {"keys": wishes["keys"]})
        raise RateStoreUnavailable("the buckets vanish as soon as they are made")

    async def clear(self, subject: Subject) -> int:
        return await self._count(_CLEAR, prefix=key_prefix(subject))

    async def close(self) -> None:
        """Its sessions are opened and closed by others."""

    async def prune(self, at_most: int = 10_000) -> int:
        """Forgets buckets that are full again and were not used for an hour; the answer is how many."""
        return await self._count(_PRUNE, at_most=at_most)

    async def _count(self, statement: TextClause, **values: str | int) -> int:
        with translated():
            async with self._open() as session:
                return len((await session.execute(statement, values)).all())
