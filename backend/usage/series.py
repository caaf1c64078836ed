"""Usage over time: the sums of hours, days or months, in an account's zone, read from sums of quarters of an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import TextClause, text

from backend.core.ids import AccountId
from backend.db.session import ReadSession
from backend.usage.model import EPOCH
from backend.usage.rollups import BUCKET, NO_KEY

Step = Literal["hour", "day", "month"]
MOST_POINTS = 1_000


@dataclass(frozen=True, slots=True)
class Point:
    """What was counted in [start, end), signed; of a gauge also the level at the end."""

    start: datetime
    end: datetime
    amount: int
    level: int | None = None


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """What one key counted in the step that begins at `start`; None is usage without a key.

    `key_name` and `key_prefix` of the account's own keys, revoked ones too; None of a host application's.
    """

    start: datetime
    key_id: UUID | None
    amount: int
    key_name: str | None = None
    key_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """What was counted of a meter since a moment, and since when all of its use is known: since its first use, and no
    earlier than the account is there. What was reported of the time before need not be all there was.
    """

    amount: int
    first: datetime


# Hours are of the clock that goes on; days and months begin when the zone's calendar says so.
_EDGES = {
    "hour": """
        SELECT start FROM generate_series(
            date_trunc('hour', CAST(:from AS timestamptz), CAST(:zone AS text)), CAST(:to AS timestamptz)
                + interval '1 hour', interval '1 hour') AS start
    """,
    "day": """
        SELECT wall AT TIME ZONE CAST(:zone AS text) AS start FROM generate_series(
            date_trunc('day', CAST(:from AS timestamptz) AT TIME ZONE CAST(:zone AS text)),
            CAST(:to AS timestamptz) AT TIME ZONE CAST(:zone AS text) + interval '1 day', interval '1 day') AS wall
    """,
    "month": """
        SELECT wall AT TIME ZONE CAST(:zone AS text) AS start FROM generate_series(
            date_trunc('month', CAST(:from AS timestamptz) AT TIME ZONE CAST(:zone AS text)),
            CAST(:to AS timestamptz) AT TIME ZONE CAST(:zone AS text) + interval '1 month', interval '1 month') AS wall
    """,
}


def _statement(step: Step, columns: str, grouped: str, join: str) -> TextClause:
    return text(f"""
        WITH edge AS ({_EDGES[step]}), step AS MATERIALIZED (
            SELECT start, finish FROM (SELECT start, lead(start) OVER (ORDER BY start) AS finish FROM edge) AS step
            WHERE start < CAST(:to AS timestamptz) AND finish IS NOT NULL AND finish > start LIMIT :most
        )
        SELECT {columns} FROM step {join} usage_rollups AS rollup
            ON rollup.account_id = :account_id AND rollup.meter = :meter
                AND rollup.bucket_start >= step.start AND rollup.bucket_start < step.finish
        GROUP BY {grouped} ORDER BY {grouped}
    """)  # noqa: S608 - parts of this module


_SUM = "coalesce(sum(rollup.amount), 0)::bigint AS amount"
_STEPS: tuple[Step, ...] = ("hour", "day", "month")
_TOTALS = {step: _statement(step, f"start, finish, {_SUM}", "start, finish", "LEFT JOIN") for step in _STEPS}
_BY_KEY = {step: _statement(step, f"start, rollup.key_id, {_SUM}", "start, rollup.key_id", "JOIN") for step in _STEPS}
_NAMES = text("""
    SELECT id, name, prefix FROM api_keys WHERE account_id = :account_id AND id = ANY (CAST(:ids AS uuid[]))
""")
_LEVEL = text("""
    SELECT coalesce((
        SELECT used FROM meter_usage
        WHERE account_id = :account_id AND meter = :meter AND window_start = :epoch
    ), 0) - coalesce((
        SELECT sum(amount) FROM usage_rollups
        WHERE account_id = :account_id AND meter = :meter AND bucket_start >= :end
    ), 0)::bigint
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every step that begins before `end`, from the one that contains `start`."""

    account_id: AccountId
    meter: str
    start: datetime
    end: datetime
    step: Step
    zone: ZoneInfo

    @property
    def arguments(self) -> dict[str, object]:
        return {
            "account_id": self.account_id,
            "meter": self.meter,
            "from": self.start,
            "to": self.end,
            "zone": self.zone.key,
            "most": MOST_POINTS + 1,
        }


_PACES = text("""
    SELECT wanted.meter, greatest(first.bucket_start, account.created_at) AS first, (
        SELECT coalesce(sum(amount), 0)::bigint FROM usage_rollups
        WHERE account_id = :account_id AND meter = wanted.meter AND bucket_start >= :since
            AND bucket_start > account.created_at - CAST(:bucket AS interval)
    ) AS amount
    FROM accounts AS account CROSS JOIN unnest(CAST(:meters AS text[])) AS wanted (meter) CROSS JOIN LATERAL (
        SELECT bucket_start FROM usage_rollups WHERE account_id = :account_id AND meter = wanted.meter
        ORDER BY bucket_start LIMIT 1
    ) AS first
    WHERE account.id = :account_id
""")


async def read_paces(
    session: ReadSession, *, account_id: AccountId, meters: Sequence[str], since: datetime
) -> dict[str, Pace]:
    """Of each meter that was ever used."""
    arguments = {"account_id": account_id, "meters": list(meters), "since": since, "bucket": BUCKET}
    rows = await session.execute(_PACES, arguments)
    return {row.meter: Pace(row.amount, row.first) for row in rows}


async def read_series(session: ReadSession, wanted: Wanted, *, is_gauge: bool) -> list[Point]:
    """The points, those without usage too; at most MOST_POINTS + 1 of them."""
    rows = (await session.execute(_TOTALS[wanted.step], wanted.arguments)).all()
    points = [Point(row.start, row.finish, row.amount) for row in rows]
    if not is_gauge or not points:
        return points
    arguments = {**wanted.arguments, "epoch": EPOCH, "end": points[-1].end}
    return _with_levels(points, int(await session.scalar(_LEVEL, arguments) or 0))


async def read_series_by_key(session: ReadSession, wanted: Wanted) -> list[KeyPoint]:
    """The same steps by key; where a key has counted nothing, it is missing."""
    rows = (await session.execute(_BY_KEY[wanted.step], wanted.arguments)).all()
    named = {"account_id": wanted.account_id, "ids": sorted({row.key_id for row in rows} - {NO_KEY})}
    names = {row.id: (row.name, row.prefix) for row in await session.execute(_NAMES, named)} if named["ids"] else {}
    return [
        KeyPoint(row.start, None if row.key_id == NO_KEY else row.key_id, row.amount, *names.get(row.key_id, ()))
        for row in rows
    ]


def _with_levels(points: Sequence[Point], last: int) -> list[Point]:
    """Counted back from the level after the last point."""
    found = []
    for point in reversed(points):
        found.append(Point(point.start, point.end, point.amount, last))
        last -= point.amount
    return found[::-1]
