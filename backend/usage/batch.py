"""Many spends in one transaction: the SQL of a group commit.

Two round trips, each a pipeline: lock the counters of all accounts in primary key order and read the accounts'
versions; then write identities, counters, events and the records of periods in one statement, and commit. Speaks to
the driver directly, for this is where the time goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from backend.core.ids import AccountId
from backend.db.arrays import take_arrays
from backend.db.wire import SCOPE_SYSTEM, Wire
from backend.usage.items import Items
from backend.usage.model import (
    API_CALLS,
    BYTES_PER_MB,
    COMPUTE,
    EPOCH,
    JOBS,
    SECONDS_PER_MINUTE,
    STORAGE,
    Counter,
    FirstResult,
    Window,
)
from backend.usage.rollups import adding

# One counter in a batch: account, meter, start of the window.
CounterOf = tuple[AccountId, str, datetime]

_WANTED = "unnest(%b::uuid[], %b::text[], %b::timestamptz[])"

_LOCK = f"""
    SELECT u.account_id, u.meter, u.window_start, u.used, u.held, u.forfeited
    FROM meter_usage u JOIN {_WANTED} AS wanted (account_id, meter, window_start)
        USING (account_id, meter, window_start)
    ORDER BY u.account_id, u.meter, u.window_start
    FOR UPDATE OF u
"""
_ENSURE = """
    INSERT INTO meter_usage (account_id, meter, window_start, window_end)
    SELECT * FROM unnest(%b::uuid[], %b::text[], %b::timestamptz[], %b::timestamptz[])
        AS wanted (account_id, meter, window_start, window_end)
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
"""
_VERSIONS = "SELECT id, version FROM accounts WHERE id = ANY (%b::uuid[])"
_FIRST = "SELECT digest, content_hash, result FROM usage_event_keys WHERE digest = ANY (%b::bytea[])"
_SCOPE_AND_TRANSACTION = f"{SCOPE_SYSTEM}, pg_current_xact_id()::text"
_STATUS = "SELECT pg_xact_status(%s::text::xid8)"
_THERE = """
    SELECT id FROM usage_events JOIN unnest(%b::uuid[], %b::uuid[]) AS wanted (account_id, id) USING (account_id, id)
"""

# All or nothing: where an identity turns out to have spent meanwhile, the transaction ends by an error, for what was
# decided after it rests on it. The counters are locked, so what is added up here is final.
_COUNT = f"""
    WITH place AS MATERIALIZED (
        SELECT * FROM unnest(%b::uuid[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::timestamptz[],
            %b::uuid[]) WITH ORDINALITY
        AS place (account_id, meter, window_start, period_start, period_end, owner_user_id, number)
    ), item AS MATERIALIZED (
        SELECT * FROM unnest(%b::bigint[], %b::uuid[], %b::bigint[], %b::bytea[], %b::bytea[], %b::text[],
            %b::text[], %b::uuid[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::text[],
            %b::uuid[])
        AS item (number, id, amount, digest, content_hash, external_id, result, key_id, subject, properties,
            occurred_at, recorded_at, source, corrects)
        JOIN place USING (number)
    ), identity AS (
        INSERT INTO usage_event_keys (digest, account_id, content_hash, event_id, result, recorded_at)
        SELECT digest, account_id, content_hash, id, result::jsonb, recorded_at
        FROM item WHERE digest IS NOT NULL ORDER BY digest
        ON CONFLICT (digest) DO NOTHING
        RETURNING event_id
    ), cost AS MATERIALIZED (
        SELECT account_id, meter, window_start, sum(amount)::bigint AS amount
        FROM item GROUP BY account_id, meter, window_start
    ), spent AS (
        UPDATE meter_usage u SET used = u.used + cost.amount FROM cost
        WHERE (u.account_id, u.meter, u.window_start) = (cost.account_id, cost.meter, cost.window_start)
        RETURNING u.account_id, u.meter, u.window_start, u.used
    ), event AS (
        INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, counted, occurred_at,
            window_start, key_id, subject, external_id, properties, corrects)
        SELECT account_id, id, recorded_at, meter, amount, source, true, occurred_at, window_start, key_id,
            subject, external_id, properties::jsonb, corrects
        FROM item
    ), rollup AS (
        {adding("item")}
    )
"""
_ALL_IDENTITIES = "(SELECT count(*) FROM identity) = (SELECT count(*) FROM item WHERE digest IS NOT NULL)"
# Of records that are there, and meters that are summed up in them. One that is missing after all ends the transaction.
_AND_SUM = f"""
    , period AS MATERIALIZED (
        SELECT account_id, period_start,
            coalesce(sum(amount) FILTER (WHERE meter = '{API_CALLS}'), 0)::bigint AS api_calls,
            coalesce(sum(amount) FILTER (WHERE meter = '{JOBS}'), 0)::bigint AS jobs
        FROM item WHERE meter IN ('{API_CALLS}', '{JOBS}') GROUP BY account_id, period_start
    ), record AS MATERIALIZED (
        SELECT record.id, period.api_calls, period.jobs
        FROM user_usage record JOIN period USING (account_id, period_start)
        ORDER BY record.account_id, record.period_start FOR UPDATE OF record
    ), recorded AS (
        UPDATE user_usage SET api_calls = user_usage.api_calls + record.api_calls,
            jobs_created = user_usage.jobs_created + record.jobs, updated_at = now()
        FROM record WHERE user_usage.id = record.id
    )
    SELECT 1 / ({_ALL_IDENTITIES} AND (SELECT count(*) FROM record) = (SELECT count(*) FROM period))::int
"""
_AND_RECORD = f"""
    , period AS MATERIALIZED (
        SELECT account_id, period_start, period_end, (array_agg(owner_user_id))[1] AS owner_user_id,
            (array_agg(id))[1] AS record_id,
            coalesce(sum(amount) FILTER (WHERE meter = '{API_CALLS}'), 0) AS api_calls,
            coalesce(sum(amount) FILTER (WHERE meter = '{JOBS}'), 0) AS jobs,
            bool_or(meter = '{STORAGE}') AS has_storage, bool_or(meter = '{COMPUTE}') AS has_compute
        FROM item GROUP BY account_id, period_start, period_end
    ), level AS (
        SELECT period.account_id, period.period_start, coalesce(
            (SELECT used FROM spent WHERE spent.account_id = period.account_id AND spent.meter = '{STORAGE}'),
            (SELECT used FROM meter_usage u WHERE u.account_id = period.account_id AND u.meter = '{STORAGE}'
                AND u.window_start = '{EPOCH.isoformat()}'), 0) AS storage,
            (SELECT coalesce(sum(coalesce(spent.used, u.used)), 0)
            FROM meter_usage u LEFT JOIN spent USING (account_id, meter, window_start)
            WHERE u.account_id = period.account_id AND u.meter = '{COMPUTE}'
                AND u.window_start >= period.period_start AND u.window_start < period.period_end) AS compute
        FROM period
    ), recorded AS (
        INSERT INTO user_usage AS record (id, user_id, account_id, period_start, period_end,
            api_calls, jobs_created, storage_used_mb, compute_minutes)
        SELECT record_id, owner_user_id, account_id, period_start, period_end, api_calls, jobs,
            ceil(storage::numeric / {BYTES_PER_MB}), ceil(compute::numeric / {SECONDS_PER_MINUTE})
        FROM period JOIN level USING (account_id, period_start)
        ORDER BY account_id, period_start
        ON CONFLICT (account_id, period_start) DO UPDATE SET
            api_calls = record.api_calls + excluded.api_calls,
            jobs_created = record.jobs_created + excluded.jobs_created,
            storage_used_mb = CASE WHEN EXISTS (
                SELECT FROM period p WHERE p.account_id = record.account_id AND p.has_storage
            ) THEN excluded.storage_used_mb ELSE record.storage_used_mb END,
            compute_minutes = CASE WHEN EXISTS (
                SELECT FROM period p WHERE p.account_id = record.account_id AND p.has_compute
            ) THEN excluded.compute_minutes ELSE record.compute_minutes END,
            updated_at = now()
    )
    SELECT 1 / ({_ALL_IDENTITIES})::int
"""

_LEVELS = frozenset({STORAGE, COMPUTE})
_MOST_RECORDS = 200_000


class Undone(Exception):
    """An identity has spent meanwhile, or the record of a period is there no more. Nothing was counted; once more."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What the first round trip found. `transaction` names it to the server, in case its end is not heard of."""

    counters: dict[CounterOf, Counter]
    versions: dict[AccountId, int]
    first: dict[bytes, FirstResult]
    transaction: str


class BatchConnection(Wire):
    """One connection to the database that does nothing but this."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        super().__init__(connection)
        take_arrays(connection)
        self._recorded: set[tuple[AccountId, datetime]] = set()
        """Accounts and periods whose record is there."""

    async def lock(self, wanted: Mapping[CounterOf, Window], digests: Sequence[bytes]) -> Locked:
        """Begins, and locks the counters until the end, making those that are missing."""
        keys = sorted(wanted, key=lambda key: (key[0], key[1], key[2]))
        columns: list[Any] = [[key[part] for key in keys] for part in range(3)]
        run = self._connection.execute
        async with self._connection.pipeline():
            await run("BEGIN")
            transaction = await run(_SCOPE_AND_TRANSACTION, prepare=True)
            locked = await run(_LOCK, columns, prepare=True, binary=True)
            versions = await run(_VERSIONS, [sorted(set(columns[0]))], prepare=True, binary=True)
            first = await run(_FIRST, [list(digests)], prepare=True, binary=True) if digests else None
        rows = await locked.fetchall()
        if len(rows) < len(keys):
            # Later statements on purpose: in one, a row that another transaction just made would be invisible.
            async with self._connection.pipeline():
                await run(_ENSURE, [*columns, [wanted[key].end for key in keys]], prepare=True)
                locked = await run(_LOCK, columns, prepare=True, binary=True)
                versions = await run(_VERSIONS, [sorted(set(columns[0]))], prepare=True, binary=True)
                first = await run(_FIRST, [list(digests)], prepare=True, binary=True) if digests else None
            rows = await locked.fetchall()
        counters = {
            (AccountId(row[0]), row[1], row[2]): Counter(row[1], wanted[(row[0], row[1], row[2])], *row[3:])
            for row in rows
        }
        return Locked(
            counters=counters,
            versions={AccountId(row[0]): row[1] for row in await versions.fetchall()},
            first={row[0]: FirstResult(row[1], row[2] or {}) for row in await first.fetchall()} if first else {},
            transaction=(await transaction.fetchall())[0][-1],
        )

    async def write(self, items: Items) -> None:
        """Counts the items and commits. Raises Undone."""
        records = {(item.scope.account_id, item.scope.period_start) for item in items.each}
        is_sum = records <= self._recorded and _LEVELS.isdisjoint([item.meter for item in items.each])
        statement = _COUNT + (_AND_SUM if is_sum else _AND_RECORD)
        try:
            async with self._connection.pipeline():
                await self._connection.execute(statement, items.arrays(), prepare=True, binary=True)
                await self._connection.execute("COMMIT")
        except psycopg.errors.DivisionByZero as error:
            self._recorded.clear()
            raise Undone from error
        if not is_sum:
            if len(self._recorded) + len(records) > _MOST_RECORDS:
                self._recorded.clear()
            self._recorded |= records

    async def undo(self) -> None:
        await self._connection.execute("ROLLBACK")

    async def status(self, transaction: str) -> str | None:
        """`committed`, `aborted` or `in progress`; None when it is too long ago.

        A server that crashed before it had written anything of the transaction calls its number one of the future.
        It gives the number away again, so `committed` may be said of another's: `counted` tells.
        """
        try:
            row = await (await self._connection.execute(_STATUS, [transaction])).fetchone()
        except psycopg.errors.InvalidParameterValue:
            return "aborted"
        return None if row is None else row[0]

    async def counted(self, items: Items) -> bool:
        """Whether a transaction that has committed did count these items: all of them or none."""
        async with self._connection.transaction():
            await self._connection.execute(SCOPE_SYSTEM)
            accounts = [item.scope.account_id for item in items.each]
            rows = await self._connection.execute(_THERE, [accounts, [item.event_id for item in items.each]])
            return len(await rows.fetchall()) == len(items)
