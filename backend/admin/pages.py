"""Pages of long lists: they end, and so does counting, for beyond some thousands nobody learns anything from it."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import ColumnElement

from backend.core.errors import InvalidInput
from backend.db.session import ReadSession

MOST_ROWS = 10_000


def offset_of(page: int, page_size: int, *, narrow_by: str) -> int:
    """How many rows are before a page, the first of which is 1. Raises InvalidInput beyond the first 10,000 rows."""
    offset = (page - 1) * page_size
    if offset + page_size > MOST_ROWS:
        raise InvalidInput(f"Pages end after {MOST_ROWS:,} rows; narrow the list by {narrow_by}.")
    return offset


async def count(
    session: ReadSession, column: InstrumentedAttribute[Any], which: list[ColumnElement[bool]], *, most: int
) -> tuple[int, bool]:
    """(how many rows, whether that is all of them): no more than `most` are counted."""
    counted = select(column).where(*which).limit(most + 1).subquery()
    found = await session.scalar(select(func.count()).select_from(counted)) or 0
    return min(found, most), found <= most
