"""Events one after the other, in pages, so that an export of any length holds no lock and little memory."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import Database
from backend.usage.facts import NEWEST, OLDEST

_PAGE = 2_000
_DAY = timedelta(days=1)
COLUMNS = (
    "id",
    "event_id",
    "meter",
    "amount",
    "source",
    "counted",
    "occurred_at",
    "recorded_at",
    "key_id",
    "subject",
    "corrects",
    "properties",
)
_READ = text("""
    SELECT id, external_id, meter, amount, source, counted, occurred_at, recorded_at, key_id, subject, corrects,
        properties
    FROM usage_events
    WHERE account_id = :account_id AND id > :after
        AND recorded_at >= :recorded_from AND recorded_at < :recorded_to
        AND occurred_at >= :start AND occurred_at < :end
        AND (CAST(:meter AS text) IS NULL OR meter = :meter)
    ORDER BY id LIMIT :page
""")
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def events(
    database: Database,
    *,
    account_id: AccountId,
    meter: str | None,
    start: datetime,
    end: datetime,
    clock_offset: timedelta,
) -> AsyncIterator[dict[str, Any]]:
    """Those that took place in [start, end), in the order in which they were recorded; each as plain JSON values.

    `clock_offset`: how far the account's clock, by which they took place, is ahead of the one that recorded them.
    """
    # Each was recorded between 5 minutes before it took place and 35 days after; a day more costs next to nothing.
    earliest, latest = start - clock_offset - NEWEST - _DAY, end - clock_offset + OLDEST + _DAY
    after = UUID(int=0)
    while True:
        async with database.read(account_id) as session:
            rows = (
                await session.execute(
                    _READ,
                    {
                        "account_id": account_id,
                        "after": after,
                        "recorded_from": earliest,
                        "recorded_to": latest,
                        "start": start,
                        "end": end,
                        "meter": meter,
                        "page": _PAGE,
                    },
                )
            ).all()
        for row in rows:
            yield _plain(row)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


async def as_csv(found: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """A header line, then a line for each; safe to open in a spreadsheet."""
    yield _line(COLUMNS)
    async for event in found:
        yield _line([_cell(event[column]) for column in COLUMNS])


async def as_json(found: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """One array."""
    separator = b"["
    async for event in found:
        yield separator + json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        separator = b",\n"
    yield b"[]" if separator == b"[" else b"]\n"


def _plain(row: Any) -> dict[str, Any]:
    return {
        "id": row.external_id,
        "event_id": str(row.id),
        "meter": row.meter,
        "amount": row.amount,
        "source": row.source,
        "counted": row.counted,
        "occurred_at": row.occurred_at.isoformat(),
        "recorded_at": row.recorded_at.isoformat(),
        "key_id": str(row.key_id) if row.key_id else None,
        "subject": row.subject,
        "corrects": str(row.corrects) if row.corrects else None,
        "properties": row.properties,
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"'{written}" if written.startswith(_FORMULA) else written


def _line(cells: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode()
