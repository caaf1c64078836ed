"""Tables that are kept in months: made ahead, so that no row waits for its table, looked over, and dropped by rule.

What comes without a month of its own has the default part.
"""

# ruff: noqa: S608 - names of tables and columns are constants of ours, moments are our own

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.db.session import Database, ReadSession, is_unavailable

AHEAD = 3
_BATCH = 5_000

_log = structlog.get_logger(__name__)

# Read from the table, for `to_regclass` may believe what it has known before it waited for a lock.
_IS_THERE = text("SELECT EXISTS (SELECT FROM pg_class WHERE relname = :name AND pg_table_is_visible(oid))")
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext(:table || ' partitions'))")
_SEE_ALL = text("SELECT set_config('feature.scope', 'system', true)")
_PARTS = text("""
    SELECT part.relname AS name, (bound.found)[1]::timestamptz AS start, (bound.found)[2]::timestamptz AS end
    FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
    CROSS JOIN LATERAL (
        SELECT regexp_match(pg_get_expr(part.relpartbound, part.oid), $$FROM \\('(.*)'\\) TO \\('(.*)'\\)$$) AS found
    ) AS bound
    WHERE inhparent = CAST(:table AS regclass) ORDER BY 2 NULLS LAST
""")
_LOOSE = text("""
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND NOT relispartition AND relnamespace = 'public'::regnamespace AND relname ~ :pattern
    ORDER BY relname
""")
_RETIRED = text("SELECT before FROM retired_parts WHERE table_name = :table")
_RETIRE = text("""
    INSERT INTO retired_parts AS retired (table_name, before) VALUES (:table, :before)
    ON CONFLICT (table_name) DO UPDATE SET before = greatest(retired.before, excluded.before), retired_at = now()
""")

Fault = Literal["default", "misplaced", "misnamed", "missing", "detached"]
_CURES: dict[Fault, str] = {
    "default": "they are counted and found as others are; to drop them as quickly, move them to a table of their own",
    "misplaced": "move them to the part of their month",
    "misnamed": "its bounds are not those of the month in its name; make a part of the right bounds, and move its rows",
    "missing": "the month has no table: attach it from a backup, or an empty one if nothing was in it",
    "detached": "attach it again",
}


@dataclass(frozen=True, slots=True)
class ByMonth:
    """A table whose parts are months of `column`, with a part for the rest.

    `witness` is a table with a column of the same name that tells when something was recorded.
    """

    table: str
    column: str
    witness: str | None = None


USAGE_EVENTS = ByMonth("usage_events", "recorded_at", witness="usage_event_keys")
DENIALS = ByMonth("denials", "first_at")


@dataclass(frozen=True, slots=True)
class Part:
    """[start, end); both None for the default part."""

    name: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a month of a table, with how many rows it is about, where that is known."""

    fault: Fault
    part: str
    rows: int | None = None

    @property
    def cure(self) -> str:
        """What to do."""
        return _CURES[self.fault]

    @property
    def hides_rows(self) -> bool:
        """Whether rows may be away that will come back."""
        return self.fault in ("missing", "detached")


async def make_ahead(
    database: Database, *, now: datetime, months: int = AHEAD, kept: ByMonth = USAGE_EVENTS
) -> list[str]:
    """The partitions of the next months that were not there, each in a transaction of its own. Returns their names.

    Made beside the table and then attached, which readers and writers of other parts need not wait for. Who comes to
    the default part waits, for it is locked while PostgreSQL looks whether it has rows of the month: as long as
    reading all of it takes. A month whose rows are there already stays there.
    """
    made = []
    for ahead in range(1, months + 1):
        start, end = first_of_month(now, ahead), first_of_month(now, ahead + 1)
        name = f"{kept.table}_{start:%Y%m}"
        try:
            async with database.engine.begin() as connection:  # as the owner of the tables, not as the application
                if await _make(connection, kept.table, name, start, end):
                    made.append(name)
        except DBAPIError as error:
            if not isinstance(error, IntegrityError) and not is_unavailable(error):
                raise
            _log.warning("partition not made", partition=name, reason=str(error.orig))
    return made


async def retire(database: Database, *, kept: ByMonth, before: datetime) -> list[str]:
    """Drops the months that are over by the month of `before`, each in a transaction of its own, and deletes what the
    default part has of them. Returns the names of the parts that are gone or emptied.

    How far is written down first: whoever compares takes nothing older for lost. A part is detached and dropped at
    once, with a lock that is given up after `lock_timeout`: PostgreSQL detaches nothing concurrently from a table
    that has a default part. What could not be locked goes the next time.
    """
    before = first_of_month(before, 0)
    parts = await read_parts(database, kept)
    old = [part for part in parts if part.end is not None and part.end <= before]
    default = next((part for part in parts if part.end is None), None)
    has_old = default is not None and await _has_rows(database, kept, default, before)
    if not old and not has_old:
        return []
    gone = []
    try:
        async with database.engine.begin() as connection:
            await connection.execute(_RETIRE, {"table": kept.table, "before": before})
        for part in old:
            async with database.engine.begin() as connection:
                await connection.execute(_ALONE, {"table": kept.table})
                if await connection.scalar(_IS_THERE, {"name": part.name}):  # or another worker was here first
                    await connection.execute(text(f"ALTER TABLE {kept.table} DETACH PARTITION {part.name}"))
                    await connection.execute(text(f"DROP TABLE {part.name}"))
                    gone.append(part.name)
        if has_old and default is not None:
            await _empty(database, kept, default, before)
            gone.append(default.name)
    except DBAPIError as error:
        if not is_unavailable(error):
            raise
        _log.warning("months not retired yet", table=kept.table, reason=str(error.orig))
    return gone


async def look_over(database: Database, *, now: datetime, kept: ByMonth = USAGE_EVENTS) -> list[Finding]:
    """What is not as it should be of the months of a table. Reads all of it."""
    parts = await read_parts(database, kept)
    async with database.read() as session:
        retired = await retired_before(session, kept)
        loose = (await session.scalars(_LOOSE, {"pattern": f"^{kept.table}_[0-9]{{6}}$"})).all()
        rows = await session.execute(_rows_by_month(kept))
        found = [(str(row.part), row.month, int(row.rows)) for row in rows]
        expected = await _expected(session, parts, kept, retired, now)
    by_name = {part.name: part for part in parts}
    findings = [Finding("detached", name) for name in loose]
    findings += [
        Finding("misnamed", part.name)
        for part in parts
        if part.start is not None
        and (part.name, part.end) != (f"{kept.table}_{part.start:%Y%m}", first_of_month(part.start, 1))
    ]
    held_elsewhere = set(loose)
    for name, month, count in found:
        part, own = by_name[name], f"{kept.table}_{month:%Y%m}"
        held_elsewhere.add(own)
        if part.start is None or part.end is None:
            findings.append(Finding("misplaced" if own in by_name else "default", own, count))
        elif not part.start <= month < part.end:
            findings.append(Finding("misplaced", name, count))
    findings += [Finding("missing", name) for name in expected if name not in by_name and name not in held_elsewhere]
    return findings


async def read_parts(database: Database, kept: ByMonth) -> list[Part]:
    """In their order, the default part last."""
    async with database.engine.begin() as connection:
        rows = (await connection.execute(_PARTS, {"table": kept.table})).all()
    return [Part(row.name, row.start, row.end) for row in rows]


async def retired_before(session: ReadSession, kept: ByMonth) -> datetime | None:
    """Rows of before this moment were dropped by rule; None: none was."""
    found: datetime | None = await session.scalar(_RETIRED, {"table": kept.table})
    return found


def first_of_month(now: datetime, ahead: int) -> datetime:
    """The first moment of a month, in UTC, so many months after the one of `now`."""
    year, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(year, month + 1, 1, tzinfo=now.tzinfo)


async def _expected(
    session: ReadSession, parts: list[Part], kept: ByMonth, retired: datetime | None, now: datetime
) -> list[str]:
    """The names of the months from the first that has a table, or of which the witness knows, to the present one."""
    month = min((part.start for part in parts if part.start is not None), default=None)
    if kept.witness is not None:
        known = await session.scalar(text(f"SELECT min({kept.column}) FROM {kept.witness}"))
        month = min((first for first in (known, month) if first is not None), default=None)
    if month is None:
        return []
    month, names = first_of_month(max(month, retired or month), 0), []
    while month <= now:
        names.append(f"{kept.table}_{month:%Y%m}")
        month = first_of_month(month, 1)
    return names


def _rows_by_month(kept: ByMonth) -> TextClause:
    return text(f"""
        SELECT part.relname AS part, counted.month, counted.rows FROM (
            SELECT tableoid AS oid, date_trunc('month', {kept.column}, 'UTC') AS month, count(*) AS rows
            FROM {kept.table} GROUP BY 1, 2
        ) AS counted JOIN pg_class AS part USING (oid) ORDER BY 2, 1
    """)


async def _has_rows(database: Database, kept: ByMonth, part: Part, before: datetime) -> bool:
    async with database.engine.begin() as connection:
        await connection.execute(_SEE_ALL)
        statement = text(f"SELECT EXISTS (SELECT FROM {part.name} WHERE {kept.column} < :before)")
        return bool(await connection.scalar(statement, {"before": before}))


async def _empty(database: Database, kept: ByMonth, part: Part, before: datetime) -> None:
    """A batch a transaction, so that nothing waits for it."""
    statement = text(f"""
        DELETE FROM {part.name} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM {part.name} WHERE {kept.column} < :before LIMIT :batch
        )) RETURNING 1
    """)
    while True:
        async with database.engine.begin() as connection:
            await connection.execute(_SEE_ALL)
            deleted = len((await connection.execute(statement, {"before": before, "batch": _BATCH})).all())
        if deleted < _BATCH:
            return


async def _make(connection: AsyncConnection, table: str, name: str, start: datetime, end: datetime) -> bool:
    await connection.execute(_ALONE, {"table": table})
    if await connection.scalar(_IS_THERE, {"name": name}):
        return False
    await connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    await connection.execute(
        text(
            f"ALTER TABLE {table} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
    )
    return True
