"""Events one after the other, in pages, so that an export of any length holds no lock and little memory."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.auth.principal import told_to_customer
from backend.core import spreadsheet
from backend.core.ids import AccountId
from backend.db.session import Database

_PAGE = 2_000
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
# From one meter to the next by index: there are few of them, and many events.
_METERS = text("""
    WITH RECURSIVE found AS (
        SELECT min(meter) AS meter FROM usage_events WHERE account_id = :account_id
        UNION ALL
        SELECT (SELECT min(meter) FROM usage_events WHERE account_id = :account_id AND meter > found.meter)
        FROM found WHERE found.meter IS NOT NULL
    )
    SELECT meter FROM found WHERE meter IS NOT NULL
""")
# The index has account, meter and time, so a page costs what it has, of each meter. When an event was recorded says
# nothing of when it took place: it may be taken back a year later, and the clock of a test account moves.
_READ = text("""
    SELECT event.* FROM unnest(CAST(:meters AS text[])) AS wanted (meter) CROSS JOIN LATERAL (
        SELECT id, external_id, meter, amount, source, counted, occurred_at, recorded_at, key_id, subject, corrects,
            properties
        FROM usage_events
        WHERE account_id = :account_id AND meter = wanted.meter
            AND occurred_at >= :start AND occurred_at < :end AND (occurred_at, id) > (:start, :after)
        ORDER BY occurred_at, id LIMIT :page
    ) AS event ORDER BY occurred_at, id LIMIT :page
""")


async def events(
    database: Database,
    *,
    account_id: AccountId,
    meter: str | None,
    start: datetime,
    end: datetime,
) -> AsyncIterator[dict[str, Any]]:
    """Those that took place in [start, end) by the account's clock, in this order; each as plain JSON values."""
    async with database.read(account_id) as session:
        meters = [meter] if meter else list((await session.scalars(_METERS, {"account_id": account_id})).all())
    after = UUID(int=0)
    while True:
        async with database.read(account_id) as session:
            rows = (
                await session.execute(
                    _READ,
                    {
                        "account_id": account_id,
                        "meters": meters,
                        "start": start,
                        "after": after,
                        "end": end,
                        "page": _PAGE,
                    },
                )
            ).all()
        for row in rows:
            yield _plain(row)
        if len(rows) < _PAGE:
            return
        start, after = rows[-1].occurred_at, rows[-1].id


async def as_csv(found: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """A header line, then a line for each; safe to open in a spreadsheet."""
    yield spreadsheet.line(COLUMNS)
    async for event in found:
        yield spreadsheet.line([spreadsheet.cell(event[column]) for column in COLUMNS])


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
        "subject": told_to_customer(row.subject),
        "corrects": str(row.corrects) if row.corrects else None,
        "properties": row.properties,
    }
