"""Reading the audit log: filters, pages, and a CSV that is safe to open in a spreadsheet."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.sql import ColumnElement

from backend.admin import pages
from backend.core import spreadsheet
from backend.db.models import AuditEvent
from backend.db.session import Database, ReadSession

MOST_COUNTED = 10_000
_BATCH = 1_000

COLUMNS = (
    "id",
    "at",
    "action",
    "actor_kind",
    "actor_id",
    "real_actor_id",
    "target_kind",
    "target_id",
    "reason",
    "before",
    "after",
    "address",
    "request_id",
    "seal",
)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events. `action` is one, or the beginning of several that ends with a dot: `user.`. `actor` is who did
    it, also where they acted as somebody else; `target_id` is who or what it was done to."""

    action: str | None = None
    actor: UUID | None = None
    target_id: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A part of the log, the newest first. Where `total_is_exact` is false there are at least `total`."""

    items: Sequence[AuditEvent]
    total: int
    total_is_exact: bool


async def read(session: ReadSession, wanted: AuditFilter, *, page: int, page_size: int) -> AuditPage:
    """A page, from 1. Raises InvalidInput for one beyond the first 10,000 events."""
    offset = pages.offset_of(page, page_size, narrow_by="its filters, or export it")
    which = _conditions(wanted)
    total, is_exact = await pages.count(session, AuditEvent.id, which, most=MOST_COUNTED)
    found = select(AuditEvent).where(*which).order_by(AuditEvent.id.desc()).limit(page_size).offset(offset)
    return AuditPage((await session.scalars(found)).all(), total, is_exact)


async def export(database: Database, wanted: AuditFilter) -> AsyncIterator[bytes]:
    """The log as CSV, the oldest first, a batch a transaction: no reader holds the database's old rows for long."""
    yield spreadsheet.line(COLUMNS)
    after: UUID | None = None
    while True:
        which = _conditions(wanted)
        if after is not None:
            which.append(AuditEvent.id > after)
        async with database.read() as session:
            found = select(AuditEvent).where(*which).order_by(AuditEvent.id).limit(_BATCH)
            events = (await session.scalars(found)).all()
        if events:
            yield b"".join(spreadsheet.line([_cell(event, name) for name in COLUMNS]) for event in events)
            after = events[-1].id
        if len(events) < _BATCH:
            return


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if wanted.action is not None:
        which += _named(wanted.action)
    if wanted.actor is not None:
        which.append(or_(AuditEvent.actor_id == wanted.actor, AuditEvent.real_actor_id == wanted.actor))
    for column, value in ((AuditEvent.target_id, wanted.target_id), (AuditEvent.request_id, wanted.request_id)):
        if value is not None:
            which.append(column == value)
    if wanted.since is not None:
        which.append(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        which.append(AuditEvent.at < wanted.until)
    return which


def _cell(event: AuditEvent, name: str) -> str:
    value = getattr(event, name)
    return spreadsheet.cell(str(value) if isinstance(value, UUID) else value)


def _named(action: str) -> list[ColumnElement[bool]]:
    """The column is in the order of its bytes, so what begins with `user.` lies between it and `user/`."""
    if not action.endswith("."):
        return [AuditEvent.action == action]
    return [AuditEvent.action >= action, AuditEvent.action < f"{action[:-1]}/"]
