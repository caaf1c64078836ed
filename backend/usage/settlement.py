"""The SQL of allowances: setting aside, settling what journals say, giving back, forfeiting.

Everybody locks in one order: the journal's row, then counters in primary key order, then records of periods. An
allowance is in its counter's `held` while the journal is live, and in `forfeited` once its lease has run out.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId, UserId
from backend.db.session import ReadSession, SystemSession
from backend.usage.model import API_CALLS, EPOCH, Counter, Window

# How long a process may spend what it holds without being heard of.
LEASE = timedelta(seconds=10)

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


_DATABASE = text("""
    SELECT (SELECT system_identifier FROM pg_control_system()) || '-' || oid
    FROM pg_database WHERE datname = current_database()
""")
_BEGIN_JOURNAL = text("""
    INSERT INTO journal_positions (id, expires_at, created_at)
    VALUES (:id, clock_timestamp() + :lease, clock_timestamp()) ON CONFLICT DO NOTHING
""")
_FENCE = text("""
    SELECT position, round, state = 'expired' AS is_expired FROM journal_positions WHERE id = :id FOR UPDATE
""")
_ADVANCE = text("""
    UPDATE journal_positions
    SET position = :position, round = round + 1, state = 'live', expires_at = clock_timestamp() + :lease
    WHERE id = :id
""")
_HOLDERS = text("SELECT count(*) FROM journal_positions WHERE state = 'live'")
_VERSIONS = text("SELECT id, version FROM accounts WHERE id = ANY (CAST(:ids AS uuid[])) AND status = 'active'")

_ENSURE = text("""
    INSERT INTO meter_usage (account_id, meter, window_start, window_end)
    SELECT * FROM unnest(CAST(:accounts AS uuid[]), CAST(:meters AS text[]), CAST(:starts AS timestamptz[]),
        CAST(:ends AS timestamptz[])) AS wanted (account_id, meter, window_start, window_end)
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
""")
_ENSURE_RECORDS = text("""
    INSERT INTO user_usage (id, user_id, account_id, period_start, period_end, storage_used_mb)
    SELECT DISTINCT ON (account_id, period_start) wanted.id, user_id, account_id, period_start, period_end,
        ceil(coalesce((SELECT level.used FROM meter_usage level WHERE level.account_id = wanted.account_id
            AND level.meter = 'storage' AND level.window_start = :epoch), 0)::numeric / 1000000)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:owners AS uuid[]), CAST(:accounts AS uuid[]),
        CAST(:period_starts AS timestamptz[]), CAST(:period_ends AS timestamptz[]))
        AS wanted (id, user_id, account_id, period_start, period_end)
    ORDER BY account_id, period_start
    ON CONFLICT (account_id, period_start) DO NOTHING
""")
_LOCK = text("""
    SELECT u.account_id, u.meter, u.window_start, u.window_end, u.used, u.held, u.forfeited
    FROM meter_usage u JOIN unnest(CAST(:accounts AS uuid[]), CAST(:meters AS text[]), CAST(:starts AS timestamptz[]))
        AS wanted (account_id, meter, window_start) USING (account_id, meter, window_start)
    ORDER BY u.account_id, u.meter, u.window_start
    FOR UPDATE OF u
""")
_APPLY = text("""
    WITH change AS MATERIALIZED (
        SELECT *, granted - spent - returned AS delta FROM unnest(
            CAST(:accounts AS uuid[]), CAST(:meters AS text[]), CAST(:starts AS timestamptz[]),
            CAST(:spent AS bigint[]), CAST(:returned AS bigint[]), CAST(:granted AS bigint[]))
            AS change (account_id, meter, window_start, spent, returned, granted)
    ), counter AS (
        UPDATE meter_usage u SET used = u.used + change.spent,
            held = u.held + change.granted - CASE WHEN :from_forfeited THEN 0 ELSE change.spent + change.returned END,
            forfeited = u.forfeited - CASE WHEN :from_forfeited THEN change.spent + change.returned ELSE 0 END
        FROM change
        WHERE (u.account_id, u.meter, u.window_start) = (change.account_id, change.meter, change.window_start)
    ), moved AS (
        UPDATE allowances a SET amount = a.amount + change.delta, is_forfeited = false FROM change
        WHERE (a.account_id, a.meter, a.window_start) = (change.account_id, change.meter, change.window_start)
            AND a.journal_id = :journal_id
        RETURNING a.account_id, a.meter, a.window_start
    )
    INSERT INTO allowances (account_id, meter, window_start, journal_id, amount)
    SELECT account_id, meter, window_start, :journal_id, delta FROM change
    WHERE delta > 0 AND (account_id, meter, window_start) NOT IN (SELECT * FROM moved)
""")
# One event for an account, meter, key and minute, which grows until its minute is over.
_EVENTS = text("""
    INSERT INTO usage_events AS event (account_id, id, recorded_at, meter, amount, source, counted, occurred_at,
        window_start, key_id)
    SELECT spent.account_id, spent.id, spent.minute, spent.meter, spent.amount, 'journal', true,
        greatest(spent.minute + accounts.clock_offset, spent.window_start), spent.window_start, spent.key_id
    FROM unnest(CAST(:accounts AS uuid[]), CAST(:ids AS uuid[]), CAST(:meters AS text[]),
        CAST(:starts AS timestamptz[]), CAST(:minutes AS timestamptz[]), CAST(:keys AS uuid[]),
        CAST(:amounts AS bigint[]))
        AS spent (account_id, id, meter, window_start, minute, key_id, amount)
        JOIN accounts ON accounts.id = spent.account_id
    ORDER BY 1, 2
    ON CONFLICT (account_id, id, recorded_at) DO UPDATE SET amount = event.amount + excluded.amount
""")
_RECORDS = text("""
    WITH total AS (
        SELECT account_id, period_start, sum(amount)::bigint AS amount
        FROM unnest(CAST(:accounts AS uuid[]), CAST(:period_starts AS timestamptz[]), CAST(:amounts AS bigint[]))
            AS spent (account_id, period_start, amount)
        GROUP BY 1, 2
    ), locked AS MATERIALIZED (
        SELECT record.id, total.amount FROM user_usage record JOIN total USING (account_id, period_start)
        ORDER BY record.account_id, record.period_start FOR UPDATE OF record
    )
    UPDATE user_usage record SET api_calls = record.api_calls + locked.amount, updated_at = now()
    FROM locked WHERE record.id = locked.id
""")
_HELD = text("SELECT account_id, meter, window_start, amount FROM allowances WHERE journal_id = :id AND amount > 0")
_TIDY = text("DELETE FROM allowances WHERE journal_id = :id AND amount = 0")
_OUT = text("""
    SELECT coalesce(sum(amount), 0)::bigint FROM allowances
    WHERE account_id = :account_id AND meter = :meter AND window_start = :window_start AND NOT is_forfeited
""")
_RECALL = text("SELECT pg_notify(:channel, :payload)")


async def database_name(session: ReadSession) -> str:
    """What tells this database from every other, also from its own copies on the same server."""
    return str(await session.scalar(_DATABASE))


async def begin_journal(session: SystemSession, journal_id: UUID) -> None:
    """Makes a new journal known, with its first lease."""
    await session.execute(_BEGIN_JOURNAL, {"id": journal_id, "lease": LEASE})


async def lock_journal(session: SystemSession, journal_id: UUID) -> Fence | None:
    """The journal's row, locked until the end; None when somebody has taken it over, or it was never begun."""
    row = (await session.execute(_FENCE, {"id": journal_id})).one_or_none()
    return None if row is None else Fence(row.position, row.round, row.is_expired)


async def advance_journal(session: SystemSession, journal_id: UUID, *, position: int) -> None:
    """Everything up to `position` is settled; the lease begins anew."""
    await session.execute(_ADVANCE, {"id": journal_id, "position": position, "lease": LEASE})


async def count_holders(session: ReadSession) -> int:
    """How many processes may hold allowances."""
    return int(await session.scalar(_HOLDERS) or 0)


async def read_versions(session: ReadSession, ids: Sequence[AccountId]) -> dict[AccountId, int]:
    """The versions of active accounts, as committed now."""
    if not ids:
        return {}
    rows = await session.execute(_VERSIONS, {"ids": list(ids)})
    return {AccountId(row.id): row.version for row in rows}


async def open_counters(session: SystemSession, openings: Sequence[Opening]) -> None:
    """Makes the counters and the records that are missing."""
    if not openings:
        return
    keys = _columns([opening.key for opening in openings])
    await session.execute(_ENSURE, {**keys, "ends": [opening.window.end for opening in openings]})
    await session.execute(
        _ENSURE_RECORDS,
        {
            "ids": [opening.record_id for opening in openings],
            "owners": [opening.owner_user_id for opening in openings],
            "accounts": keys["accounts"],
            "period_starts": [opening.period_start for opening in openings],
            "period_ends": [opening.period_end for opening in openings],
            "epoch": EPOCH,
        },
    )


async def lock_counters_of_all(session: SystemSession, keys: Sequence[CounterKey]) -> dict[CounterKey, Counter]:
    """Locks counters of many accounts, in primary key order, until the transaction ends."""
    if not keys:
        return {}
    rows = await session.execute(_LOCK, _columns(keys))
    return {
        (AccountId(row.account_id), row.meter, row.window_start): Counter(
            row.meter, Window(row.window_start, row.window_end), row.used, row.held, row.forfeited
        )
        for row in rows
    }


async def apply(
    session: SystemSession,
    journal_id: UUID,
    *,
    changes: Sequence[Change],
    spends: Sequence[Spent],
    from_forfeited: bool,
) -> None:
    """Writes changes to locked counters with the events that say why. `from_forfeited`: the journal had expired."""
    if changes:
        await session.execute(
            _APPLY,
            {
                **_columns([change.key for change in changes]),
                "spent": [change.spent for change in changes],
                "returned": [change.returned for change in changes],
                "granted": [change.granted for change in changes],
                "journal_id": journal_id,
                "from_forfeited": from_forfeited,
            },
        )
    spends = [spent for spent in spends if spent.amount]
    if spends:
        keys = _columns([spent.key for spent in spends])
        await session.execute(
            _EVENTS,
            {
                **keys,
                "ids": [_event_id(spent) for spent in spends],
                "minutes": [_minute(spent.minute) for spent in spends],
                "keys": [spent.key_id for spent in spends],
                "amounts": [spent.amount for spent in spends],
            },
        )
    calls = [spent for spent in spends if spent.key[1] == API_CALLS]
    if calls:
        await session.execute(
            _RECORDS,
            {
                "accounts": [spent.key[0] for spent in calls],
                "period_starts": [spent.period_start for spent in calls],
                "amounts": [spent.amount for spent in calls],
            },
        )


async def held_by(session: ReadSession, journal_id: UUID) -> dict[CounterKey, int]:
    """What a journal still holds of each counter."""
    rows = await session.execute(_HELD, {"id": journal_id})
    return {(AccountId(row.account_id), row.meter, row.window_start): row.amount for row in rows}


async def tidy(session: SystemSession, journal_id: UUID) -> None:
    """Forgets allowances that hold nothing any more."""
    await session.execute(_TIDY, {"id": journal_id})


async def units_out(session: ReadSession, key: CounterKey) -> int:
    """What live processes hold of a counter and have not settled."""
    arguments: Mapping[str, Any] = {"account_id": key[0], "meter": key[1], "window_start": key[2]}
    return int(await session.scalar(_OUT, arguments) or 0)


async def recall(session: SystemSession, key: CounterKey) -> None:
    """Asks all processes to give back what they hold of a counter. They hear of it when this commits."""
    payload = f"{key[0]}|{key[1]}|{key[2].isoformat()}"
    await session.execute(_RECALL, {"channel": CHANNEL, "payload": payload})


def read_recall(payload: str) -> CounterKey:
    """What `recall` has said."""
    account_id, meter, start = payload.split("|")
    return AccountId(UUID(account_id)), meter, datetime.fromisoformat(start)


def _columns(keys: Sequence[CounterKey]) -> dict[str, list[Any]]:
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
