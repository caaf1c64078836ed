"""The records of periods (`user_usage`) must say what the counters say, in whole units rounded up.

A window within one record's time is that record's. One that reaches over an edge - a day in which a period ends, a
period that an upgrade cut short - is divided by its events, by when they were counted; where an event may be of
either side, both are right. What is wrong is written anew if afterwards all of the account's usage is in a record.
"""

# ruff: noqa: S608 - statements are put together from parts of this module, never from values

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import AccountSession, Database, ReadSession
from backend.usage.facts import NEWEST
from backend.usage.model import API_CALLS, BYTES_PER_MB, COMPUTE, EPOCH, JOBS, SECONDS_PER_MINUTE, STORAGE
from backend.usage.partitions import USAGE_EVENTS, retired_before

_PAGE = 500
_NOBODY = UUID(int=0)
_COLUMNS = {API_CALLS: "api_calls", JOBS: "jobs_created", STORAGE: "storage_used_mb", COMPUTE: "compute_minutes"}

_log = structlog.get_logger(__name__)

_ACCOUNTS = text("SELECT id FROM accounts WHERE id > :after ORDER BY id LIMIT :page")
_LOCK = text("SELECT 1 FROM meter_usage WHERE account_id = :account_id ORDER BY meter, window_start FOR UPDATE")
_OFFSET = text(
    f"SELECT clock_offset + interval '{NEWEST.total_seconds()} seconds' FROM accounts WHERE id = :account_id"
)
_SOME = "account_id = ANY (CAST(:accounts AS uuid[]))"
# `low` and `high`: the least and the most that a record may say. A counter of 0 may be the sum of what two records say.
# By which clock a test account counted is known only of what was consumed at once: its clock may have been moved since.
_BOUNDS = f"""
    WITH record AS MATERIALIZED (
        SELECT *, least(period_end, lead(period_start) OVER (PARTITION BY account_id ORDER BY period_start)) AS until
        FROM user_usage WHERE {_SOME}
    ), counter AS MATERIALIZED (
        SELECT account_id, meter, window_start, coalesce(window_end, 'infinity') AS window_end, used
        FROM meter_usage WHERE {_SOME} AND meter IN ('{API_CALLS}', '{JOBS}', '{COMPUTE}')
    ), home AS MATERIALIZED (
        SELECT counter.*, record.id FROM counter LEFT JOIN record ON record.account_id = counter.account_id
            AND record.period_start <= counter.window_start AND counter.window_end <= record.until
    ), event AS MATERIALIZED (
        SELECT event.account_id, event.meter, event.amount,
            least(home.window_end - interval '1 microsecond', CASE
                WHEN event.source = 'consume' THEN event.occurred_at
                WHEN event.source IN ('reservation', 'repair') OR accounts.mode = 'test' THEN home.window_start
                ELSE greatest(event.occurred_at, event.recorded_at)
            END) AS low,
            least(home.window_end - interval '1 microsecond', CASE
                WHEN event.source = 'consume' THEN event.occurred_at
                WHEN event.source = 'repair' OR accounts.mode = 'test' THEN 'infinity'
                ELSE greatest(event.occurred_at, event.recorded_at)
                    + CASE WHEN event.source = 'journal' THEN interval '1 minute' ELSE '0' END
            END) AS high
        FROM home JOIN usage_events AS event USING (account_id, meter, window_start)
            JOIN accounts ON accounts.id = home.account_id
        WHERE home.id IS NULL AND event.counted
    ), part AS (
        SELECT account_id, meter, id, used AS low, used AS high FROM home WHERE id IS NOT NULL
        UNION ALL
        SELECT event.account_id, event.meter, record.id,
            CASE WHEN is_sure THEN amount ELSE least(amount, 0) END,
            CASE WHEN is_sure THEN amount ELSE greatest(amount, 0) END
        FROM event JOIN record ON record.account_id = event.account_id
            AND record.period_start <= event.high AND event.low < record.until
        CROSS JOIN LATERAL (SELECT record.period_start <= event.low AND event.high < record.until AS is_sure) AS sure
    ), bound AS (
        SELECT record.account_id, record.id, record.period_start, wanted.meter, wanted.value,
            coalesce(sum(part.low), 0)::bigint AS low, coalesce(sum(part.high), 0)::bigint AS high
        FROM record CROSS JOIN LATERAL (
            VALUES ('{API_CALLS}', api_calls), ('{JOBS}', jobs_created)
        ) AS wanted (meter, value) LEFT JOIN part ON part.id = record.id AND part.meter = wanted.meter
        GROUP BY 1, 2, 3, 4, 5
    ), minutes AS (
        SELECT record.account_id, record.id, record.period_start, '{COMPUTE}' AS meter, compute_minutes AS value,
            ceil(coalesce(sum(used) FILTER (WHERE home.id = record.id), 0)::numeric / {SECONDS_PER_MINUTE})::bigint
                AS low,
            ceil(coalesce(sum(used), 0)::numeric / {SECONDS_PER_MINUTE})::bigint AS high
        FROM record LEFT JOIN home ON home.account_id = record.account_id AND home.meter = '{COMPUTE}'
            AND home.window_start < record.period_end AND record.period_start < home.window_end
        GROUP BY 1, 2, 3, 4, 5
    ), megabytes AS (
        SELECT DISTINCT ON (account_id) account_id, record.id, period_start, '{STORAGE}' AS meter,
            storage_used_mb AS value, ceil(coalesce(used, 0)::numeric / {BYTES_PER_MB})::bigint AS level
        FROM record JOIN accounts ON accounts.id = account_id LEFT JOIN (
            SELECT account_id, used FROM meter_usage
            WHERE meter = '{STORAGE}' AND window_start = TIMESTAMPTZ '{EPOCH.isoformat()}'
        ) AS level USING (account_id)
        WHERE period_start <= CAST(:now AS timestamptz) + clock_offset
        ORDER BY account_id, period_start DESC
    )
    SELECT account_id, id, period_start, meter, value, low, high FROM bound
    UNION ALL SELECT * FROM minutes
    UNION ALL SELECT account_id, id, period_start, meter, value, level, level FROM megabytes
"""
_FIND = text(f"SELECT DISTINCT account_id FROM ({_BOUNDS}) AS bound WHERE value NOT BETWEEN low AND high")
_READ = text(f"SELECT * FROM ({_BOUNDS}) AS bound ORDER BY period_start, meter")
_TOTALS = """
    SELECT coalesce(counted.account_id, recorded.account_id) AS account_id, '{meter}' AS meter,
        coalesce(used, 0)::bigint AS used, coalesce(value, 0)::bigint AS value
    FROM (
        SELECT account_id, sum(used) AS used FROM meter_usage WHERE {some} AND meter = '{meter}' GROUP BY 1
    ) AS counted FULL JOIN (
        SELECT account_id, sum({column}) AS value FROM user_usage WHERE {some} GROUP BY 1
    ) AS recorded USING (account_id)
    WHERE coalesce(used, 0) <> coalesce(value, 0)
"""
_TOTAL = text(
    " UNION ALL ".join(_TOTALS.format(meter=meter, column=_COLUMNS[meter], some=_SOME) for meter in (API_CALLS, JOBS))
)
_CORRECT = {
    meter: text(f"""
        UPDATE user_usage SET {column} = {column} + :difference, updated_at = now()
        WHERE account_id = :account_id AND id = :id
    """)
    for meter, column in _COLUMNS.items()
}


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """A record that says something else than the counters, in its own units. Without a period it is about all records
    of the account together: usage is in none of them, or in two, and nothing was changed. Without a meter the account
    could not be read, for somebody held it, and nothing is known."""

    account_id: AccountId
    meter: str | None
    period_start: datetime | None
    recorded: int
    expected: int
    is_repaired: bool


async def check_records(database: Database, *, now: datetime, repairs: bool = True) -> list[RecordDifference]:
    """Compares the records of all accounts with counters that are known to be right; each in a transaction.

    An account that cannot be read now does not keep the others waiting.
    """
    found: list[RecordDifference] = []
    async with database.read() as session:
        kept_since = await retired_before(session, USAGE_EVENTS)
    after = _NOBODY
    while True:
        async with database.read() as session:
            accounts = list((await session.scalars(_ACCOUNTS, {"after": after, "page": _PAGE})).all())
            differing = await _differing(session, accounts, now)
        for account_id in differing:
            try:
                async with database.account(AccountId(account_id)) as session:
                    found += await _examine(session, AccountId(account_id), kept_since, now=now, repairs=repairs)
            except Exception:
                _log.exception("records of usage not compared", account_id=str(account_id))
                found.append(RecordDifference(AccountId(account_id), None, None, 0, 0, is_repaired=False))
        if len(accounts) < _PAGE:
            break
        after = accounts[-1]
    for one in found:
        if one.meter is None:
            continue
        _log.error(
            "record of usage differs",
            account_id=str(one.account_id),
            meter=one.meter,
            period_start=one.period_start and one.period_start.isoformat(),
            recorded=one.recorded,
            expected=one.expected,
            is_repaired=one.is_repaired,
        )
    return found


async def _differing(session: ReadSession, accounts: Sequence[UUID], now: datetime) -> list[UUID]:
    if not accounts:
        return []
    bounds = await session.scalars(_FIND, {"accounts": accounts, "now": now})
    totals = await session.scalars(_TOTAL, {"accounts": accounts})
    return sorted({*bounds, *totals})


async def _examine(
    session: AccountSession, account_id: AccountId, kept_since: datetime | None, *, now: datetime, repairs: bool
) -> list[RecordDifference]:
    """Under the lock of the account's counters, which everybody takes who changes a record."""
    await session.execute(_LOCK, {"account_id": account_id})
    rows = (await session.execute(_READ, {"accounts": [account_id], "now": now})).all()
    totals = (await session.execute(_TOTAL, {"accounts": [account_id]})).all()
    missing = {row.meter: row.used - row.value for row in totals}
    since = None
    if kept_since is not None:
        since = kept_since + await session.scalar(_OFFSET, {"account_id": account_id})
    wrong = [row for row in rows if _expected(row) != row.value and (since is None or row.period_start >= since)]
    found: list[RecordDifference] = []
    explained: dict[str, int] = defaultdict(int)
    for row in wrong:
        explained[row.meter] += _expected(row) - row.value
    for row in wrong:
        is_repaired = repairs and (
            row.meter not in (API_CALLS, JOBS) or explained[row.meter] == missing.get(row.meter, 0)
        )
        if is_repaired:
            change = {"account_id": account_id, "id": row.id, "difference": _expected(row) - row.value}
            await session.execute(_CORRECT[row.meter], change)
        found.append(RecordDifference(account_id, row.meter, row.period_start, row.value, _expected(row), is_repaired))
    found += [
        RecordDifference(account_id, row.meter, None, row.value, row.used, is_repaired=False)
        for row in totals
        if explained[row.meter] != row.used - row.value
    ]
    return found


def _expected(row: Any) -> int:
    """What the record should say: what it says, where that may be."""
    return int(min(max(row.value, row.low), row.high))
