"""The SQL of allowances: setting aside, settling what journals say, giving back, forfeiting.

Everybody locks in one order: the journal's row, then counters in primary key order, then records of periods. An
allowance is in its counter's `held` while the journal is live, and in `forfeited` once its lease has run out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from backend.core.ids import AccountId, UserId
from backend.usage.model import API_CALLS, EPOCH, Counter, Window
from backend.usage.rollups import adding

# How long a process may spend what it holds without being heard of.
LEASE = timedelta(seconds=10)

Connection = AsyncConnection[TupleRow]
CounterKey = tuple[AccountId, str, datetime]
CHANNEL = "feature_recall"


@dataclass(frozen=True, slots=True)
class Fence:
    """A journal's row, locked."""

    position: int
    round: int
    is_expired: bool
    """Its lease has run out and somebody has noticed: what it holds is forfeited until it says what it spent."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one settlement does to one counter, and to the journal's allowance of it."""

    key: CounterKey
    spent: int = 0
    returned: int = 0
    granted: int = 0

    @property
    def moves(self) -> bool:
        """Whether it does anything."""
        return bool(self.spent or self.returned or self.granted)


@dataclass(frozen=True, slots=True)
class Spent:
    """What one key spent of one counter in one minute (since 1970, by the system's clock)."""

    key: CounterKey
    period_start: datetime
    key_id: UUID | None
    minute: int
    amount: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A counter that somebody is about to set aside from, with the period whose record its spends enter."""

    key: CounterKey
    window: Window
    owner_user_id: UserId | None
    period_start: datetime
    period_end: datetime
    record_id: UUID


FENCE = "SELECT position, round, state = 'expired' FROM journal_positions WHERE id = %(id)s FOR UPDATE"

LOCK = """
    SELECT u.account_id, u.meter, u.window_start, u.window_end, u.used, u.held, u.forfeited
    FROM meter_usage u JOIN unnest(%(accounts)b::uuid[], %(meters)b::text[], %(starts)b::timestamptz[])
        AS wanted (account_id, meter, window_start) USING (account_id, meter, window_start)
    ORDER BY u.account_id, u.meter, u.window_start
    FOR UPDATE OF u
"""
_APPLY = """
    WITH change AS MATERIALIZED (
        SELECT *, granted - spent - returned AS delta FROM unnest(
            %(accounts)b::uuid[], %(meters)b::text[], %(starts)b::timestamptz[],
            %(spent)b::bigint[], %(returned)b::bigint[], %(granted)b::bigint[])
            AS change (account_id, meter, window_start, spent, returned, granted)
    ), counter AS (
        UPDATE meter_usage u SET used = u.used + change.spent,
            held = u.held + change.granted
                - CASE WHEN %(from_forfeited)s THEN 0 ELSE change.spent + change.returned END,
            forfeited = u.forfeited - CASE WHEN %(from_forfeited)s THEN change.spent + change.returned ELSE 0 END
        FROM change
        WHERE (u.account_id, u.meter, u.window_start) = (change.account_id, change.meter, change.window_start)
    ), moved AS (
        UPDATE allowances a SET amount = a.amount + change.delta, is_forfeited = false FROM change
        WHERE (a.account_id, a.meter, a.window_start) = (change.account_id, change.meter, change.window_start)
            AND a.journal_id = %(journal_id)s
        RETURNING a.account_id, a.meter, a.window_start
    )
    INSERT INTO allowances (account_id, meter, window_start, journal_id, amount)
    SELECT account_id, meter, window_start, %(journal_id)s, delta FROM change
    WHERE delta > 0 AND (account_id, meter, window_start) NOT IN (SELECT * FROM moved)
"""
# One event for an account, meter, key and minute, which grows until its minute is over.
_EVENTS = f"""
    WITH spent AS MATERIALIZED (
        SELECT spent.*, greatest(spent.minute + accounts.clock_offset, spent.window_start) AS occurred_at
        FROM unnest(%(accounts)b::uuid[], %(ids)b::uuid[], %(meters)b::text[],
            %(starts)b::timestamptz[], %(minutes)b::timestamptz[], %(keys)b::uuid[],
            %(amounts)b::bigint[])
            AS spent (account_id, id, meter, window_start, minute, key_id, amount)
            JOIN accounts ON accounts.id = spent.account_id
    ), event AS (
        INSERT INTO usage_events AS event (account_id, id, recorded_at, meter, amount, source, counted, occurred_at,
            window_start, key_id)
        SELECT account_id, id, minute, meter, amount, 'journal', true, occurred_at, window_start, key_id
        FROM spent ORDER BY 1, 2
        ON CONFLICT (account_id, id, recorded_at) DO UPDATE SET amount = event.amount + excluded.amount
    )
    {adding("spent")}
"""  # noqa: S608 - a part of ours, without values
_RECORDS = """
    WITH total AS (
        SELECT account_id, period_start, sum(amount)::bigint AS amount
        FROM unnest(%(accounts)b::uuid[], %(period_starts)b::timestamptz[], %(amounts)b::bigint[])
            AS spent (account_id, period_start, amount)
        GROUP BY 1, 2
    ), locked AS MATERIALIZED (
        SELECT record.id, total.amount FROM user_usage record JOIN total USING (account_id, period_start)
        ORDER BY record.account_id, record.period_start FOR UPDATE OF record
    )
    UPDATE user_usage record SET api_calls = record.api_calls + locked.amount, updated_at = now()
    FROM locked WHERE record.id = locked.id
"""
_HELD = "SELECT account_id, meter, window_start, amount FROM allowances WHERE journal_id = %(id)s AND amount > 0"
_OUT = """
    SELECT coalesce(sum(amount), 0)::bigint FROM allowances
    WHERE account_id = %(account_id)s AND meter = %(meter)s AND window_start = %(window_start)s AND NOT is_forfeited
"""
_RECALL = "SELECT pg_notify(%(channel)s, payload) FROM unnest(%(payloads)b::text[]) AS payload"


async def lock_journal(on: Connection, journal_id: UUID) -> Fence | None:
    """The journal's row, locked until the end; None when somebody has taken it over, or it was never begun."""
    row = await (await on.execute(FENCE, {"id": journal_id})).fetchone()
    return None if row is None else Fence(*row)


async def lock_counters_of_all(on: Connection, keys: Sequence[CounterKey]) -> dict[CounterKey, Counter]:
    """Locks counters of many accounts, in primary key order, until the transaction ends."""
    if not keys:
        return {}
    return counters_of(await (await on.execute(LOCK, columns(keys), prepare=True, binary=True)).fetchall())


def counters_of(rows: Sequence[TupleRow]) -> dict[CounterKey, Counter]:
    """What LOCK has found."""
    return {
        (AccountId(account_id), meter, start): Counter(meter, Window(start, end), used, held, forfeited)
        for account_id, meter, start, end, used, held, forfeited in rows
    }


async def apply(
    on: Connection,
    journal_id: UUID,
    *,
    changes: Sequence[Change],
    spends: Sequence[Spent],
    from_forfeited: bool,
) -> None:
    """Writes changes to locked counters with the events that say why. `from_forfeited`: the journal had expired."""
    if changes:
        await on.execute(
            _APPLY,
            {
                **columns([change.key for change in changes]),
                "spent": [change.spent for change in changes],
                "returned": [change.returned for change in changes],
                "granted": [change.granted for change in changes],
                "journal_id": journal_id,
                "from_forfeited": from_forfeited,
            },
            prepare=True,
        )
    spends = [spent for spent in spends if spent.amount]
    if spends:
        keys = columns([spent.key for spent in spends])
        await on.execute(
            _EVENTS,
            {
                **keys,
                "ids": [_event_id(spent) for spent in spends],
                "minutes": [_minute(spent.minute) for spent in spends],
                "keys": [spent.key_id for spent in spends],
                "amounts": [spent.amount for spent in spends],
            },
            prepare=True,
        )
    calls = [spent for spent in spends if spent.key[1] == API_CALLS]
    if calls:
        await on.execute(
            _RECORDS,
            {
                "accounts": [spent.key[0] for spent in calls],
                "period_starts": [spent.period_start for spent in calls],
                "amounts": [spent.amount for spent in calls],
            },
            prepare=True,
        )


async def held_by(on: Connection, journal_id: UUID) -> dict[CounterKey, int]:
    """What a journal still holds of each counter."""
    rows = await (await on.execute(_HELD, {"id": journal_id})).fetchall()
    return {(AccountId(account_id), meter, start): amount for account_id, meter, start, amount in rows}


async def units_out(on: Connection, key: CounterKey) -> int:
    """What live processes hold of a counter and have not settled."""
    row = await (await on.execute(_OUT, {"account_id": key[0], "meter": key[1], "window_start": key[2]})).fetchone()
    return 0 if row is None else int(row[0])


async def recall(on: Connection, keys: Sequence[CounterKey]) -> None:
    """Asks all processes to give back what they hold of these counters. They hear of it when this commits."""
    if keys:
        payloads = [f"{key[0]}|{key[1]}|{key[2].isoformat()}" for key in keys]
        await on.execute(_RECALL, {"channel": CHANNEL, "payloads": payloads})


def read_recall(payload: str) -> CounterKey:
    """What `recall` has said."""
    account_id, meter, start = payload.split("|")
    return AccountId(UUID(account_id)), meter, datetime.fromisoformat(start)


def columns(keys: Sequence[CounterKey]) -> dict[str, list[Any]]:
    """The arguments of a statement about many counters."""
    return {
        "accounts": [key[0] for key in keys],
        "meters": [key[1] for key in keys],
        "starts": [key[2] for key in keys],
    }


def _minute(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def _event_id(spent: Spent) -> UUID:
    """The same for every spend of the minute, whichever process settles it; in the order of time, as other ids are."""
    name = f"{spent.key[0]}|{spent.key[1]}|{spent.key[2].isoformat()}|{spent.key_id}|{spent.minute}"
    low = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10], "big")
    high = spent.minute * 60_000
    return UUID(int=high << 80 | 0x8 << 76 | (low >> 68 & 0xFFF) << 64 | 0b10 << 62 | low & ((1 << 62) - 1))
