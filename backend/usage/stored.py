"""The SQL of spends that are stored before they are answered, and counted soon after.

A process that has set units of a strict meter aside writes down here what it spends of them: no counter is touched,
so a batch of spends costs little more than one. Whoever settles the journal makes events of them and counts them, in
the transaction that takes them off the allowance; each is in one place or in the other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from backend.core.ids import AccountId
from backend.db.line import Line
from backend.db.wire import SCOPE_SYSTEM, Wire
from backend.usage.model import API_CALLS, COMPUTE, JOBS, SECONDS_PER_MINUTE, Source
from backend.usage.rollups import adding
from backend.usage.settlement import CounterKey, Spent

# All or nothing: where the journal is another's by now, a batch of this number is there, or an account is not on the
# terms on which it was decided, nothing is stored.
_STORE = b"""
    WITH spend AS MATERIALIZED (
        SELECT * FROM unnest($4::stored_spends[])
    ), fence AS (
        UPDATE spend_stores SET stored = $2::bigint
        WHERE journal_id = $1::uuid AND NOT is_closed AND epoch = $3::bigint AND stored = $2::bigint - 1
        RETURNING journal_id
    ), stored AS (
        INSERT INTO stored_spends (journal_id, number, id, account_id, account_version, meter, window_start,
            period_start, amount, key_id, subject, properties, occurred_at, recorded_at)
        SELECT fence.journal_id, $2::bigint, spend.id, account_id, account_version, meter, window_start, period_start,
            amount, key_id, subject, properties, occurred_at, recorded_at
        FROM spend CROSS JOIN fence
    )
    SELECT 1 / (EXISTS (SELECT FROM fence) AND NOT EXISTS (
        SELECT FROM spend LEFT JOIN accounts ON (accounts.id, accounts.version) = (account_id, account_version)
        WHERE accounts.id IS NULL
    ))::int
"""
_STATEMENTS = {b"scope_system": SCOPE_SYSTEM.encode(), b"store_spends": _STORE}
_STAND = "SELECT stored, epoch FROM spend_stores WHERE journal_id = %(id)s"
# From here on nothing can be stored that was sent before.
_END_EPOCH = "UPDATE spend_stores SET epoch = epoch + 1 WHERE journal_id = %(id)s RETURNING stored, epoch"
_CLOSE = "UPDATE spend_stores SET epoch = epoch + 1, is_closed = true WHERE journal_id = %(id)s"
# What one snapshot shows: all batches up to the last, for each has waited for the one before it.
_SUMS = """
    SELECT store.stored, account_id, meter, window_start, sum(amount)::bigint
    FROM spend_stores store JOIN stored_spends USING (journal_id)
    WHERE journal_id = %(id)s AND number <= store.stored GROUP BY 1, 2, 3, 4
"""
_RECORDS = """
    SELECT FROM user_usage JOIN (
        SELECT * FROM unnest(%(accounts)b::uuid[], %(period_starts)b::timestamptz[])
        UNION SELECT account_id, period_start FROM stored_spends
        WHERE journal_id = %(id)s AND number <= %(up_to)s
    ) AS wanted (account_id, period_start) USING (account_id, period_start)
    ORDER BY account_id, period_start FOR UPDATE OF user_usage
"""
# The counters have been moved before, in the same transaction.
_COUNT = f"""
    WITH spend AS (
        DELETE FROM stored_spends WHERE journal_id = %(id)s AND number <= %(up_to)s RETURNING *
    ), event AS (
        INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, counted, occurred_at,
            window_start, key_id, subject, properties)
        SELECT account_id, id, recorded_at, meter, amount, 'consume', true, occurred_at, window_start, key_id,
            subject, properties
        FROM spend ORDER BY account_id, id
    ), rollup AS (
        {adding("spend")}
    ), total AS (
        SELECT account_id, period_start,
            coalesce(sum(amount) FILTER (WHERE meter = '{API_CALLS}'), 0)::bigint AS api_calls,
            coalesce(sum(amount) FILTER (WHERE meter = '{JOBS}'), 0)::bigint AS jobs,
            bool_or(meter = '{COMPUTE}') AS has_compute
        FROM spend WHERE meter IN ('{API_CALLS}', '{JOBS}', '{COMPUTE}') GROUP BY account_id, period_start
    ), record AS MATERIALIZED (
        SELECT record.id, total.api_calls, total.jobs, has_compute,
            (SELECT coalesce(sum(used), 0) FROM meter_usage u
            WHERE has_compute AND u.account_id = record.account_id AND u.meter = '{COMPUTE}'
                AND u.window_start >= record.period_start AND u.window_start < record.period_end) AS compute
        FROM user_usage record JOIN total USING (account_id, period_start)
        ORDER BY record.account_id, record.period_start FOR UPDATE OF record
    )
    UPDATE user_usage SET api_calls = user_usage.api_calls + record.api_calls,
        jobs_created = user_usage.jobs_created + record.jobs,
        compute_minutes = CASE WHEN has_compute THEN ceil(compute::numeric / {SECONDS_PER_MINUTE})
            ELSE user_usage.compute_minutes END,
        updated_at = now()
    FROM record WHERE user_usage.id = record.id
"""  # noqa: S608 - parts of ours, without values

Connection = AsyncConnection[TupleRow]


class NotStored(Exception):
    """Nothing of the batch was stored: the journal is another's, or an account has changed."""


class Stand(NamedTuple):
    """Where the store of a journal stands: the number of the last batch that was stored, and the epoch that goes on."""

    stored: int
    epoch: int


class StoreConnection(Wire):
    """One connection to the database that does nothing but this. Every call is a transaction of its own."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._line = Line(connection)

    @classmethod
    async def open(cls, url: str) -> Self:
        made = await super().open(url)
        try:
            await made._line.prepare(_STATEMENTS)
        except BaseException:
            await made.close()
            raise
        return made

    async def store(self, journal_id: UUID, at: Stand, spends: str) -> None:
        """Stores the batch that comes after `at`. `spends` are made by `spends_of`. Raises NotStored.

        It is sent before anything is waited for; the next one may be sent meanwhile. Nothing else may.
        """
        batch = (journal_id.hex.encode(), b"%d" % (at.stored + 1), b"%d" % at.epoch, spends.encode())
        try:
            await self._line.run(((b"scope_system", ()), (b"store_spends", batch)))
        except psycopg.errors.DivisionByZero as error:
            raise NotStored from error

    async def stand(self, journal_id: UUID) -> Stand | None:
        """None: the journal has not begun, or has been taken over."""
        return await self._stand(_STAND, journal_id)

    async def end_epoch(self, journal_id: UUID) -> Stand | None:
        """What was sent before and not heard of is stored by now, or never will be; the number tells."""
        return await self._stand(_END_EPOCH, journal_id)

    async def _stand(self, statement: str, journal_id: UUID) -> Stand | None:
        async with self._connection.transaction():
            await self._connection.execute(SCOPE_SYSTEM)
            row = await (await self._connection.execute(statement, {"id": journal_id})).fetchone()
        return None if row is None else Stand(*row)


@dataclass(frozen=True, slots=True)
class Uncounted:
    """What is stored of a journal and not counted, of each counter: all batches up to a number."""

    up_to: int = 0
    sums: Mapping[CounterKey, int] = field(default_factory=dict)


async def uncounted_of(on: Connection, journal_id: UUID) -> Uncounted:
    """Nobody else counts it meanwhile, for the journal's row is locked; more may be stored."""
    rows = await (await on.execute(_SUMS, {"id": journal_id}, prepare=True)).fetchall()
    sums = {(AccountId(account_id), meter, start): amount for _, account_id, meter, start, amount in rows}
    return Uncounted(rows[0][0] if rows else 0, sums)


async def count_stored(on: Connection, journal_id: UUID, up_to: int) -> None:
    """Makes events of what is stored of a journal, whose counters have been moved; and removes it."""
    await on.execute(_COUNT, {"id": journal_id, "up_to": up_to}, prepare=True)


async def lock_records(on: Connection, journal_id: UUID, up_to: int, spends: Sequence[Spent]) -> None:
    """All records that these spends and what is stored enter, in one order: two statements lock in two."""
    arguments = {
        "accounts": [spent.key[0] for spent in spends],
        "period_starts": [spent.period_start for spent in spends],
        "id": journal_id,
        "up_to": up_to,
    }
    await on.execute(_RECORDS, arguments, prepare=True)


async def close_store(on: Connection, journal_id: UUID) -> None:
    """Nothing is stored any more, also nothing that was sent before, until the journal's next round."""
    await on.execute(_CLOSE, {"id": journal_id})


def place_of(key: CounterKey, *, version: int, period_start: datetime, by: Source) -> str:
    """The part of a stored spend that is the same for all of one counter, period and spender: see `spend_of`."""
    account_id, meter, window_start = key
    fields = (
        None if by.key_id is None else by.key_id.hex,
        by.subject,
        json.dumps(dict(by.properties)) if by.properties else None,
    )
    head = ",".join([account_id.hex, str(version), _field(meter), _field(str(window_start)), _field(str(period_start))])
    tail = ",".join("" if field is None else _field(field) for field in fields)
    return _escaped(head) + ",%d," + _escaped(tail)


def spend_of(place: str, event: str, amount: int, occurred_at: str, recorded_at: str) -> str:
    """One spend as an element of an array of rows, in the order of the columns. Moments as `str` writes them; `event`:
    the digits of its id."""
    return f'"(,,{event},{place % amount},{occurred_at},{recorded_at})"'


def spends_of(spends: list[str]) -> str:
    """A batch as an array of rows."""
    return "{" + ",".join(spends) + "}"


def _field(value: str) -> str:
    """A field of a row in its text form (PostgreSQL, 8.16.2)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    """A part of a row as a part of a quoted element of an array (PostgreSQL, 8.15.2), ready for one `%d`."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
