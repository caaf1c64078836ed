"""Counters, events and sums must say the same. Where they do not, two of them against one say which is wrong.

Counters are compared with events by window, sums with events by quarter of an hour. A wrong counter or sum is written
anew from the events; what is missing among the events is appended as a `repair`. Where all three differ, nothing is
touched: a person has to look. Nothing is appended, either, while a month of events is away that may come back.

Windows and quarters of an hour are compared where all of their events are kept. A level has had one window for ever:
what was retired of its events is in the sums, which then cannot say who is right, so it is reported and left alone.
"""

# ruff: noqa: S608 - statements are put together from parts of this module, never from values

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy import text

from backend.core.ids import AccountId, uuid7
from backend.db.session import AccountSession, Database
from backend.usage.facts import NEWEST
from backend.usage.model import EPOCH, JOBS_IN_FLIGHT
from backend.usage.partitions import USAGE_EVENTS, retired_before
from backend.usage.rollups import adding

Fault = Literal["counter", "events", "sums", "unexplained", "unread"]

_PAGE = 500
_NOBODY = UUID(int=0)

_log = structlog.get_logger(__name__)

# By an account's clock: what began by then has all its events. Nobody counts further ahead than facts may be.
_KEPT = f"""(
    SELECT id AS account_id, CAST(:kept_since AS timestamptz) + clock_offset
        + interval '{NEWEST.total_seconds()} seconds' AS since
    FROM accounts
) AS kept"""
_EVER = f"TIMESTAMPTZ '{EPOCH.isoformat()}'"
_BUCKET = "date_bin('15 minutes', occurred_at, TIMESTAMPTZ '2000-01-01 00:00+00')"
_BY_WINDOW = f"""
    SELECT account_id, meter, window_start, coalesce(used, 0) AS used, coalesce(amount, 0) AS amount
    FROM (
        SELECT account_id, meter, window_start, used FROM meter_usage JOIN {_KEPT} USING (account_id)
        WHERE {{which}} AND meter <> :in_flight AND (window_start >= since OR window_start = {_EVER})
    ) AS counter FULL JOIN (
        SELECT account_id, meter, window_start, sum(amount)::bigint AS amount FROM (
            SELECT account_id, meter, window_start, amount FROM usage_events JOIN {_KEPT} USING (account_id)
            WHERE {{which}} AND counted
                AND CASE WHEN window_start = {_EVER} THEN {_BUCKET} >= since ELSE window_start >= since END
            UNION ALL
            SELECT account_id, meter, {_EVER}, amount FROM usage_rollups JOIN {_KEPT} USING (account_id)
            WHERE {{which}} AND bucket_start < since AND (account_id, meter) IN (
                SELECT account_id, meter FROM meter_usage WHERE {{which}} AND window_start = {_EVER}
            )
        ) AS counted GROUP BY 1, 2, 3
    ) AS event USING (account_id, meter, window_start)
"""
_BY_BUCKET = f"""
    SELECT account_id, meter FROM (
        SELECT account_id, meter, bucket_start, key_id, amount FROM usage_rollups JOIN {_KEPT} USING (account_id)
        WHERE {{which}} AND bucket_start >= since
    ) AS sums FULL JOIN (
        SELECT account_id, meter, {_BUCKET} AS bucket_start, coalesce(key_id, :nobody) AS key_id,
            sum(amount)::bigint AS counted
        FROM usage_events JOIN {_KEPT} USING (account_id)
        WHERE {{which}} AND counted AND {_BUCKET} >= since GROUP BY 1, 2, 3, 4
    ) AS event USING (account_id, meter, bucket_start, key_id)
    WHERE coalesce(amount, 0) <> coalesce(counted, 0)
"""
_SOME = "account_id = ANY (CAST(:accounts AS uuid[]))"
_ONE = "account_id = :account_id AND meter = :meter"
_FIND = text(f"""
    SELECT DISTINCT account_id, meter FROM (
        SELECT account_id, meter FROM ({_BY_WINDOW.format(which=_SOME)}) AS windows WHERE used <> amount
        UNION ALL {_BY_BUCKET.format(which=_SOME)}
    ) AS found ORDER BY 1, 2
""")
_ACCOUNTS = text("SELECT id FROM accounts WHERE id > :after ORDER BY id LIMIT :page")
_LOCK = text("""
    SELECT 1 FROM meter_usage WHERE account_id = :account_id AND meter = :meter ORDER BY window_start FOR UPDATE
""")
_WINDOWS = text(_BY_WINDOW.format(which=_ONE))
_SUM = text(f"SELECT coalesce(sum(amount), 0)::bigint FROM usage_rollups WHERE {_ONE}")
_USED = text(f"SELECT coalesce(sum(used), 0)::bigint FROM meter_usage WHERE {_ONE}")
_BUCKETS = text(f"SELECT count(*) FROM ({_BY_BUCKET.format(which=_ONE)}) AS found")
# A row that was lost comes back without its end, which whoever counts knows from the calendar.
_SET_COUNTER = text("""
    INSERT INTO meter_usage (account_id, meter, window_start, used) VALUES (:account_id, :meter, :window_start, :used)
    ON CONFLICT (account_id, meter, window_start) DO UPDATE SET used = excluded.used
""")
_SINCE = f"(SELECT since FROM {_KEPT} WHERE kept.account_id = :account_id)"
_FORGET_SUMS = text(f"DELETE FROM usage_rollups WHERE {_ONE} AND bucket_start >= {_SINCE}")
_SUM_ANEW = text(adding(f"(SELECT * FROM usage_events WHERE {_ONE} AND counted AND {_BUCKET} >= {_SINCE}) AS event"))
_APPEND = text("""
    INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, counted, occurred_at, window_start)
    VALUES (:account_id, :id, :now, :meter, :amount, 'repair', :counted, :window_start, :window_start)
""")


@dataclass(frozen=True, slots=True)
class Difference:
    """What was found of one meter of one account, in base units, and which of the three was wrong.

    Of one that is `unread`, for somebody held its counters, nothing more is known: all are 0.
    """

    account_id: AccountId
    meter: str
    counters: int
    events: int
    sums: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class _How:
    """`kept_since`: events of before are retired. `appends`: what is missing among the events is lost for good."""

    kept_since: datetime | None
    now: datetime
    repairs: bool
    appends: bool

    @property
    def arguments(self) -> dict[str, object]:
        since = "-infinity" if self.kept_since is None else self.kept_since.isoformat()
        return {"kept_since": since, "in_flight": JOBS_IN_FLIGHT, "nobody": _NOBODY}


async def check(database: Database, *, now: datetime, repairs: bool = True, appends: bool = True) -> list[Difference]:
    """Compares everything, and repairs what can be explained, each meter of an account in its own transaction.

    Without `appends` missing events stay missing: for while a month of them may come back. A meter that cannot be read
    now does not keep the others waiting.
    """
    async with database.read() as session:
        how = _How(await retired_before(session, USAGE_EVENTS), now, repairs, appends)
    found = []
    async for account_id, meter in _differing(database, how):
        try:
            async with database.account(account_id) as session:
                difference = await _examine(session, account_id, meter, how)
        except Exception:
            _log.exception("usage not compared", account_id=str(account_id), meter=meter)
            found.append(Difference(account_id, meter, 0, 0, 0, "unread"))
            continue
        if difference is not None:
            _log.error("usage differs", account_id=str(account_id), meter=meter, fault=difference.fault)
            found.append(difference)
    return found


async def _differing(database: Database, how: _How) -> AsyncIterator[tuple[AccountId, str]]:
    after = _NOBODY
    while True:
        async with database.read() as session:
            accounts = list((await session.scalars(_ACCOUNTS, {"after": after, "page": _PAGE})).all())
            rows = (await session.execute(_FIND, {**how.arguments, "accounts": accounts})).all() if accounts else []
        for row in rows:
            yield AccountId(row.account_id), row.meter
        if len(accounts) < _PAGE:
            return
        after = accounts[-1]


async def _examine(session: AccountSession, account_id: AccountId, meter: str, how: _How) -> Difference | None:
    """Under the lock of the counters, which everybody takes who appends counted events."""
    which: dict[str, object] = {"account_id": account_id, "meter": meter}
    await session.execute(_LOCK, which)
    windows = (await session.execute(_WINDOWS, {**which, **how.arguments})).all()
    buckets = int(await session.scalar(_BUCKETS, {**which, **how.arguments}) or 0)
    differing = [row for row in windows if row.used != row.amount]
    if not differing and not buckets:
        return None
    counters = int(await session.scalar(_USED, which) or 0)
    sums = int(await session.scalar(_SUM, which) or 0)
    events = counters - sum(row.used - row.amount for row in differing)
    fault = _fault(counters, events, sums, is_by_window=bool(differing), is_by_bucket=bool(buckets))
    if how.kept_since is not None and any(row.window_start == EPOCH for row in differing):
        fault = "unexplained"
    if how.repairs and fault == "counter":
        for row in differing:
            await session.execute(_SET_COUNTER, {**which, "used": row.amount, "window_start": row.window_start})
            await _append(session, which, row.window_start, row.amount - row.used, counted=False, now=how.now)
    if how.repairs and how.appends and fault == "events":
        for row in differing:
            await _append(session, which, row.window_start, row.used - row.amount, counted=True, now=how.now)
    if how.repairs and (fault == "sums" or (how.appends and fault == "events")):
        await session.execute(_FORGET_SUMS, {**which, "kept_since": how.arguments["kept_since"]})
        await session.execute(_SUM_ANEW, {**which, "kept_since": how.arguments["kept_since"]})
    return Difference(account_id, meter, counters, events, sums, fault)


def _fault(counters: int, events: int, sums: int, *, is_by_window: bool, is_by_bucket: bool) -> Fault:
    """The one against two."""
    if not is_by_window:
        return "sums"
    if not is_by_bucket:
        return "counter"
    return "events" if counters == sums != events else "unexplained"


async def _append(
    session: AccountSession,
    which: dict[str, object],
    window_start: datetime,
    amount: int,
    *,
    counted: bool,
    now: datetime,
) -> None:
    """Says what was done; `counted` where it is what was missing."""
    arguments = {"id": uuid7(), "now": now, "amount": amount, "counted": counted, "window_start": window_start}
    await session.execute(_APPEND, {**which, **arguments})
