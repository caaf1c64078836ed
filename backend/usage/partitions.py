"""The months of events, made ahead, so that no event waits for its table; what comes without one has the default."""

from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.db.session import Database, is_unavailable

AHEAD = 3

_log = structlog.get_logger(__name__)

_IS_THERE = text("SELECT to_regclass(:name) IS NOT NULL")


async def make_ahead(database: Database, *, now: datetime, months: int = AHEAD) -> list[str]:
    """The partitions of the next months that were not there, each in a transaction of its own. Returns their names.

    Made beside the table and then attached, which reads and writers of the table need not wait for. A month whose
    events are in the default partition already stays there.
    """
    made = []
    for ahead in range(1, months + 1):
        start, end = _month(now, ahead), _month(now, ahead + 1)
        name = f"usage_events_{start:%Y%m}"
        try:
            async with database.engine.begin() as connection:  # as the owner of the tables, not as the application
                if await _make(connection, name, start, end):
                    made.append(name)
        except DBAPIError as error:
            if not isinstance(error, IntegrityError) and not is_unavailable(error):
                raise
            _log.warning("partition not made", partition=name, reason=str(error.orig))
    return made


async def _make(connection: AsyncConnection, name: str, start: datetime, end: datetime) -> bool:
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('usage_events partitions'))"))
    if await connection.scalar(_IS_THERE, {"name": name}):
        return False
    await connection.execute(text(f"CREATE TABLE {name} (LIKE usage_events INCLUDING ALL)"))
    await connection.execute(
        text(
            f"ALTER TABLE usage_events ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
    )
    return True


def _month(now: datetime, ahead: int) -> datetime:
    """The first moment of a month, in UTC, so many months after the present one."""
    year, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(year, month + 1, 1, tzinfo=now.tzinfo)
