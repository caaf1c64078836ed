"""The SQL of counting. Whoever changes a counter locks its row first, rows in primary key order."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from backend.core.ids import AccountId, uuid7
from backend.db.models import UserUsage
from backend.db.session import ReadSession, WriteSession
from backend.usage.model import (
    API_CALLS,
    BYTES_PER_MB,
    COMPUTE,
    EPOCH,
    JOBS,
    SECONDS_PER_MINUTE,
    STORAGE,
    Cost,
    Counter,
    Scope,
    Source,
    Window,
)
from backend.usage.rollups import adding

_WANTED = """
    SELECT * FROM unnest(CAST(:meters AS text[]), CAST(:starts AS timestamptz[])) AS wanted (meter, window_start)
"""

_READ = text(f"""
    SELECT u.meter, u.window_start, u.window_end, u.used, u.held, u.forfeited
    FROM meter_usage u JOIN ({_WANTED}) wanted USING (meter, window_start)
    WHERE u.account_id = :account_id
""")

_ENSURE = text("""
    INSERT INTO meter_usage (account_id, meter, window_start, window_end)
    SELECT :account_id, wanted.meter, wanted.window_start, wanted.window_end
    FROM unnest(CAST(:meters AS text[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
        AS wanted (meter, window_start, window_end)
    ORDER BY wanted.meter, wanted.window_start
    ON CONFLICT DO NOTHING
""")

_LOCK = text(f"""
    SELECT u.meter, u.window_start, u.window_end, u.used, u.held, u.forfeited
    FROM meter_usage u JOIN ({_WANTED}) wanted USING (meter, window_start)
    WHERE u.account_id = :account_id
    ORDER BY u.meter, u.window_start
    FOR UPDATE OF u
""")

# Counters, events and the record of the period in one statement: all of it or nothing. The rows of the counters are
# locked by the caller, so the amounts are final; an account that has changed since its limits were read makes every
# other part empty.
_SPEND = text(f"""
    WITH present AS (
        SELECT 1 FROM accounts
        WHERE id = :account_id AND (CAST(:version AS bigint) IS NULL OR version = CAST(:version AS bigint))
), cost AS (
        SELECT cost.* FROM present, unnest(
            CAST(:meters AS text[]), CAST(:starts AS timestamptz[]), CAST(:amounts AS bigint[]), CAST(:ids AS uuid[])
        ) AS cost (meter, window_start, amount, event_id)
    ), spent AS (
        UPDATE meter_usage u SET used = u.used + cost.amount FROM cost
        WHERE u.account_id = :account_id AND u.meter = cost.meter AND u.window_start = cost.window_start
        RETURNING u.meter, u.window_start, u.used, cost.amount
    ), event AS (
        INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, counted, occurred_at,
            window_start, key_id, subject, properties, corrects)
        SELECT :account_id, cost.event_id, :now, cost.meter, cost.amount, :source, true, :occurred_at,
            cost.window_start, :key_id, :subject, CAST(:properties AS jsonb), CAST(:corrects AS uuid)
        FROM cost
    ), rollup AS (
        {adding("cost", account_id=":account_id", key_id="CAST(:key_id AS uuid)", occurred_at=":occurred_at")}
    ), recorded AS (
        INSERT INTO user_usage AS record (id, user_id, account_id, period_start, period_end,
            api_calls, jobs_created, storage_used_mb, compute_minutes)
        SELECT :record_id, CAST(:owner_user_id AS uuid), :account_id, :period_start, :period_end,
            coalesce(sum(amount) FILTER (WHERE meter = :api_calls), 0),
            coalesce(sum(amount) FILTER (WHERE meter = :jobs), 0),
            ceil(coalesce(max(used) FILTER (WHERE meter = :storage), (
                SELECT level.used FROM meter_usage level
                WHERE level.account_id = :account_id AND level.meter = :storage AND level.window_start = :epoch
            ), 0)::numeric / :bytes_per_mb),
            ceil((coalesce(sum(used) FILTER (WHERE meter = :compute), 0) + coalesce((
                SELECT sum(other.used) FROM meter_usage other
                WHERE other.account_id = :account_id AND other.meter = :compute
                    AND other.window_start >= :period_start AND other.window_start < :period_end
                    AND NOT EXISTS (
                        SELECT FROM cost
                        WHERE cost.meter = other.meter AND cost.window_start = other.window_start
                    )
            ), 0))::numeric / :seconds_per_minute)
        FROM spent HAVING count(*) > 0
        ON CONFLICT (account_id, period_start) DO UPDATE SET
            api_calls = record.api_calls + excluded.api_calls,
            jobs_created = record.jobs_created + excluded.jobs_created,
            storage_used_mb = CASE WHEN :storage = ANY (CAST(:meters AS text[]))
                THEN excluded.storage_used_mb ELSE record.storage_used_mb END,
            compute_minutes = CASE WHEN :compute = ANY (CAST(:meters AS text[]))
                THEN excluded.compute_minutes ELSE record.compute_minutes END,
            updated_at = now()
    )
    SELECT EXISTS (SELECT FROM spent)
""")

_MOVE = text("""
    UPDATE meter_usage u
    SET used = u.used + moved.add_used, held = u.held + moved.add_held
    FROM unnest(CAST(:meters AS text[]), CAST(:starts AS timestamptz[]),
            CAST(:add_used AS bigint[]), CAST(:add_held AS bigint[]))
        AS moved (meter, window_start, add_used, add_held)
    WHERE u.account_id = :account_id AND u.meter = moved.meter AND u.window_start = moved.window_start
""")

_NAMES = {
    "epoch": EPOCH,
    "api_calls": API_CALLS,
    "jobs": JOBS,
    "storage": STORAGE,
    "compute": COMPUTE,
    "bytes_per_mb": BYTES_PER_MB,
    "seconds_per_minute": SECONDS_PER_MINUTE,
}

CounterKey = tuple[str, datetime]


def _counters(rows: Sequence[Any]) -> dict[CounterKey, Counter]:
    return {
        (row.meter, row.window_start): Counter(
            row.meter, Window(row.window_start, row.window_end), row.used, row.held, row.forfeited
        )
        for row in rows
    }


def _arrays(wanted: Sequence[tuple[str, Window]]) -> dict[str, Any]:
    return {"meters": [meter for meter, _ in wanted], "starts": [window.start for _, window in wanted]}


async def read_counters(
    session: ReadSession, *, account_id: AccountId, wanted: Sequence[tuple[str, Window]]
) -> dict[CounterKey, Counter]:
    """The counters as committed. One that nobody has touched is absent, which means zero."""
    rows = await session.execute(_READ, {"account_id": account_id, **_arrays(wanted)})
    return _counters(rows.all())


async def lock_counters(
    session: WriteSession, *, account_id: AccountId, wanted: Sequence[tuple[str, Window]]
) -> dict[CounterKey, Counter]:
    """Locks the rows in primary key order until the transaction ends, making those that are missing."""
    arguments = {"account_id": account_id, **_arrays(wanted)}
    rows = (await session.execute(_LOCK, arguments)).all()
    if len(rows) < len(wanted):
        # A second statement on purpose: in one, a row that another transaction just made would be invisible.
        await session.execute(_ENSURE, {**arguments, "ends": [window.end for _, window in wanted]})
        rows = (await session.execute(_LOCK, arguments)).all()
    return _counters(rows)


async def spend(
    session: WriteSession,
    *,
    scope: Scope,
    version: int | None,
    costs: Sequence[Cost],
    source: str,
    by: Source,
    occurred_at: datetime,
    now: datetime,
    corrects: UUID | None = None,
) -> bool:
    """Writes amounts that the caller has checked under lock, if the account still has the `version` whose limits
    were checked; None counts a fact, whatever the limits. False: it has not, and nothing was written.

    `occurred_at` is by the account's clock, `now` (when it was recorded) by the system's.
    """
    found = await session.scalar(
        _SPEND,
        {
            "account_id": scope.account_id,
            "owner_user_id": scope.owner_user_id,
            "version": version,
            "period_start": scope.period_start,
            "period_end": scope.period_end,
            "record_id": uuid7(),
            "meters": [cost.meter for cost in costs],
            "starts": [cost.window.start for cost in costs],
            "amounts": [cost.amount for cost in costs],
            "ids": [uuid7() for _ in costs],
            "source": source,
            "key_id": by.key_id,
            "subject": by.subject,
            "properties": json.dumps(dict(by.properties)) if by.properties else None,
            "occurred_at": occurred_at,
            "now": now,
            "corrects": corrects,
            **_NAMES,
        },
    )
    return bool(found)


async def move(
    session: WriteSession, *, account_id: AccountId, changes: Sequence[tuple[str, Window, int, int]]
) -> None:
    """Adds (used, held) to counters that the caller has locked; for holds, which are no events."""
    await session.execute(
        _MOVE,
        {
            "account_id": account_id,
            "meters": [meter for meter, *_ in changes],
            "starts": [window.start for _, window, *_ in changes],
            "add_used": [used for *_, used, _ in changes],
            "add_held": [held for *_, held in changes],
        },
    )


async def read_record(session: ReadSession, *, account_id: AccountId, period_start: datetime) -> UserUsage | None:
    """The record of one period; None when nothing has been counted in it."""
    wanted = select(UserUsage).where(UserUsage.account_id == account_id, UserUsage.period_start == period_start)
    # Spending writes the record by a statement of its own, so a copy that this transaction has read before is old.
    record: UserUsage | None = await session.scalar(wanted.execution_options(populate_existing=True))
    return record


async def uncounted_event(
    session: WriteSession,
    *,
    account_id: AccountId,
    meter: str,
    window: Window,
    amount: int,
    source: str,
    by: Source,
    corrects: UUID | None,
    occurred_at: datetime,
    now: datetime,
) -> None:
    """Appends an amount that is shown and never counted: beyond the room of a late commit, or below
    nothing."""
    await session.execute(
        text("""
            INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, counted, occurred_at,
                window_start, key_id, subject, properties, corrects)
            VALUES (:account_id, :id, :now, :meter, :amount, :source, false, :occurred_at,
                :window_start, :key_id, :subject, CAST(:properties AS jsonb), :corrects)
        """),
        {
            "account_id": account_id,
            "id": uuid7(),
            "occurred_at": occurred_at,
            "now": now,
            "meter": meter,
            "amount": amount,
            "source": source,
            "properties": json.dumps(dict(by.properties)) if by.properties else None,
            "window_start": window.start,
            "key_id": by.key_id,
            "subject": by.subject,
            "corrects": corrects,
        },
    )
