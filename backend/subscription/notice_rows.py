"""The SQL of notices of usage.

Whoever takes a row that is due locks its counter after it, and deletes it under that lock; whoever makes one due holds
the lock of its counter. So what is made due while somebody looks is either seen by them or made anew after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from backend.catalog.definitions import MeterDefinition
from backend.core.ids import AccountId
from backend.db.session import ReadSession, SystemSession, WriteSession
from backend.usage.model import EPOCH, JOBS_IN_FLIGHT, Window


@dataclass(frozen=True, slots=True)
class CounterKey:
    """Which counter."""

    account_id: AccountId
    meter: str
    window_start: datetime

    def columns(self) -> dict[str, Any]:
        return {"account_id": self.account_id, "meter": self.meter, "window_start": self.window_start}


@dataclass(frozen=True, slots=True)
class Looked:
    """A locked counter. `is_armed`: it became due by passing its mark, and not because its limits may have changed."""

    used: int
    is_armed: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """That use stands at a share of a limit, in base units; `window` is the one in which it is told once, `at` is by
    the account's clock."""

    meter: MeterDefinition
    used: int
    limit: int
    window: Window
    at: datetime

    @property
    def window_end(self) -> datetime:
        assert self.window.end is not None, "a level is told of in a period"
        return self.window.end

    def to_json(self) -> dict[str, Any]:
        """For those who listen; a level does not reset."""
        return {
            "meter": self.meter.key,
            "used": self.used,
            "limit": self.limit,
            "window_start": self.window.start.isoformat(),
            "resets_at": None if self.meter.kind == "gauge" else self.window_end.isoformat(),
            "reached_at": self.at.isoformat(),
        }

    def columns(self) -> dict[str, Any]:
        return {"used": self.used, "quota": self.limit, "window_end": self.window_end, "reached_at": self.at}


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as it is stored; `used` and `quota` in base units, as they were at `reached_at`."""

    meter: str
    percent: int
    used: int
    quota: int
    window_start: datetime
    window_end: datetime
    reached_at: datetime


_ONE = "account_id = :account_id AND meter = :meter AND window_start = :window_start"

_DUE = text("""
    SELECT account_id, meter, window_start FROM usage_notices_due WHERE since <= clock_timestamp()
    ORDER BY since, account_id, meter, window_start LIMIT :limit
""")
_TAKE = text(f"SELECT 1 FROM usage_notices_due WHERE {_ONE} FOR UPDATE SKIP LOCKED")
_FORGET = text(f"DELETE FROM usage_notices_due WHERE {_ONE}")
_LATER = text(f"UPDATE usage_notices_due SET since = clock_timestamp() + CAST(:wait AS interval) WHERE {_ONE}")
_LOCK = text(f"SELECT used, notice_at FROM meter_usage WHERE {_ONE} FOR UPDATE")
_ARM = text(f"UPDATE meter_usage SET notice_at = :notice_at WHERE {_ONE}")

_LOCK_OPEN = text("""
    SELECT u.account_id, u.meter, u.window_start FROM meter_usage u JOIN accounts a ON a.id = u.account_id
    WHERE u.account_id = :account_id AND u.meter <> :jobs_in_flight AND a.status <> 'deleted'
        AND (u.window_end IS NULL OR u.window_end > CAST(:now AS timestamptz) + a.clock_offset)
    ORDER BY u.meter, u.window_start FOR UPDATE OF u
""")
_MAKE_DUE = text("""
    WITH counter AS (
        SELECT * FROM unnest(CAST(:meters AS text[]), CAST(:starts AS timestamptz[])) AS counter (meter, window_start)
    ), unarmed AS (
        UPDATE meter_usage u SET notice_at = NULL FROM counter
        WHERE u.account_id = :account_id AND u.meter = counter.meter AND u.window_start = counter.window_start
    )
    INSERT INTO usage_notices_due (account_id, meter, window_start)
    SELECT :account_id, meter, window_start FROM counter ORDER BY meter, window_start ON CONFLICT DO NOTHING
""")

_TOLD = text("""
    SELECT meter, percent, used, quota, window_start, window_end, reached_at
    FROM usage_notices JOIN unnest(CAST(:meters AS text[]), CAST(:starts AS timestamptz[]))
        AS wanted (meter, window_start) USING (meter, window_start)
    WHERE account_id = :account_id ORDER BY reached_at DESC, percent DESC, meter
""")
_TELL = text("""
    INSERT INTO usage_notices (account_id, meter, window_start, percent, window_end, used, quota, reached_at)
    SELECT :account_id, :meter, :window_start, percent, :window_end, :used, :quota, :reached_at
    FROM unnest(CAST(:percents AS smallint[])) AS percent ON CONFLICT DO NOTHING
""")
_REACHED_AGAIN = text(f"""
    UPDATE usage_notices SET used = :used, quota = :quota, reached_at = :reached_at WHERE {_ONE} AND percent = 100
""")
_OWNER = text("""
    SELECT u.email FROM accounts a JOIN users u ON u.id = a.owner_user_id
    WHERE a.id = :account_id AND u.status = 'active' AND u.deleted_at IS NULL
""")

# Levels of which something was told in a period that is over and nothing since, unless they wait for their first mark.
# A worker that was off for 45 days tells of the next period.
_PAST_LEVELS = text("""
    SELECT DISTINCT n.account_id FROM usage_notices n
    JOIN accounts a ON a.id = n.account_id AND a.status <> 'deleted'
    JOIN meter_usage u ON u.account_id = n.account_id AND u.meter = n.meter AND u.window_start = :epoch
    WHERE n.percent = :first AND n.window_end > CAST(:now AS timestamptz) - interval '45 days'
        AND n.window_end <= CAST(:now AS timestamptz) + a.clock_offset
        AND u.notice_at > ceil(n.quota::numeric * n.percent / 100)
        AND NOT EXISTS (
            SELECT FROM usage_notices newer WHERE newer.account_id = n.account_id AND newer.meter = n.meter
                AND newer.window_start > n.window_start
        )
""")


async def due_counters(session: ReadSession, *, limit: int) -> list[CounterKey]:
    """What is due on the database's clock, the longest due first."""
    rows = await session.execute(_DUE, {"limit": limit})
    return [CounterKey(AccountId(row.account_id), row.meter, row.window_start) for row in rows]


async def take(session: SystemSession, key: CounterKey) -> bool:
    """Locks what is due. False when somebody else is at it, or has been."""
    return await session.scalar(_TAKE, key.columns()) is not None


async def lock(session: SystemSession, key: CounterKey) -> Looked | None:
    """Locks the counter until the end; None when there is none."""
    row = (await session.execute(_LOCK, key.columns())).one_or_none()
    return None if row is None else Looked(row.used, row.notice_at is not None)


async def forget(session: SystemSession, key: CounterKey) -> None:
    """It is due no more."""
    await session.execute(_FORGET, key.columns())


async def put_off(session: SystemSession, key: CounterKey, *, wait: timedelta) -> None:
    """It is due again after `wait`, so that others come first."""
    await session.execute(_LATER, {**key.columns(), "wait": wait})


async def arm(session: SystemSession, key: CounterKey, *, notice_at: int | None) -> None:
    """The use at whose passing the counter is due again."""
    await session.execute(_ARM, {**key.columns(), "notice_at": notice_at})


async def make_due(session: WriteSession, *, account_id: AccountId, now: datetime) -> int:
    """Every counter of an open window, whatever its use: its limits may have changed. Returns how many.

    `now` is the system's clock; a test-mode account adds its offset.
    """
    arguments = {"account_id": account_id, "now": now, "jobs_in_flight": JOBS_IN_FLIGHT}
    rows = (await session.execute(_LOCK_OPEN, arguments)).all()
    if rows:
        columns = {"meters": [row.meter for row in rows], "starts": [row.window_start for row in rows]}
        await session.execute(_MAKE_DUE, {"account_id": account_id, **columns})
    return len(rows)


async def told(session: ReadSession, *, account_id: AccountId, windows: Sequence[tuple[str, datetime]]) -> list[Told]:
    """What was told of these meters in windows with these beginnings, the newest first."""
    columns = {"meters": [meter for meter, _ in windows], "starts": [start for _, start in windows]}
    return [Told(**row) for row in (await session.execute(_TOLD, {"account_id": account_id, **columns})).mappings()]


async def tell(session: SystemSession, key: CounterKey, *, percents: Sequence[int], reached: Reached) -> None:
    """Writes notices of the window that begins at the key's `window_start`, each once for ever."""
    await session.execute(_TELL, {**key.columns(), "percents": list(percents), **reached.columns()})


async def reached_again(session: SystemSession, key: CounterKey, *, reached: Reached) -> None:
    """The limit that was told of before was reached again, after use had gone down or the limit up."""
    await session.execute(_REACHED_AGAIN, {**key.columns(), **reached.columns()})


async def owner_address(session: ReadSession, *, account_id: AccountId) -> str | None:
    """Whom to write to; None when the account has no owner whose address is confirmed and who is still there."""
    found: str | None = await session.scalar(_OWNER, {"account_id": account_id})
    return found


async def accounts_with_past_levels(session: ReadSession, *, first: int, now: datetime) -> list[AccountId]:
    """Accounts with levels that may be told of anew, in another period; `first` is the lowest share that is told."""
    rows = await session.scalars(_PAST_LEVELS, {"epoch": EPOCH, "first": first, "now": now})
    return [AccountId(row) for row in rows]
