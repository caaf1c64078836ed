"""Reading the audit log: filters, pages, and a CSV that is safe to open in a spreadsheet."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.sql import ColumnElement

from backend.admin import pages
from backend.admin.users import addresses_of
from backend.core import spreadsheet
from backend.core.errors import InvalidInput
from backend.db.models import AuditEvent, User
from backend.db.session import Database, ReadSession

MOST_COUNTED = 10_000
_BATCH = 1_000
_MOST_NAMED = 20

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
    "actor_email",
    "real_actor_email",
    "target_email",
)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events. `action` is one, or the beginning of several that ends with a dot: `user.`. `actor` is who did
    it, also where they acted as somebody else; `target_id` is who or what it was done to. Users are named by their id,
    or by an address that is or was theirs when they were deleted."""

    action: str | None = None
    actor: str | None = None
    target_id: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An act, with the addresses that its users have now: None for commands, for what is no user, and in part."""

    event: AuditEvent
    actor_email: str | None
    real_actor_email: str | None
    target_email: str | None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A part of the log, the newest first. Where `total_is_exact` is false there are at least `total`."""

    items: Sequence[AuditLine]
    total: int
    total_is_exact: bool


async def read(session: ReadSession, wanted: AuditFilter, *, page: int, page_size: int) -> AuditPage:
    """A page, from 1. Raises InvalidInput for one beyond the first 10,000 events."""
    offset = pages.offset_of(page, page_size, narrow_by="its filters, or export it")
    which = await _conditions(session, wanted)
    total, is_exact = await pages.count(session, AuditEvent.id, which, most=MOST_COUNTED)
    found = select(AuditEvent).where(*which).order_by(AuditEvent.id.desc()).limit(page_size).offset(offset)
    return AuditPage(await _lines(session, (await session.scalars(found)).all()), total, is_exact)


async def ensure(session: ReadSession, wanted: AuditFilter) -> None:
    """Raises InvalidInput for a filter that names nobody, before anything is answered."""
    await _conditions(session, wanted)


async def export(database: Database, wanted: AuditFilter) -> AsyncIterator[bytes]:
    """The log as CSV, the oldest first, a batch a transaction: no reader holds the database's old rows for long."""
    yield spreadsheet.line(COLUMNS)
    after: UUID | None = None
    while True:
        async with database.read() as session:
            which = await _conditions(session, wanted)
            if after is not None:
                which.append(AuditEvent.id > after)
            found = select(AuditEvent).where(*which).order_by(AuditEvent.id).limit(_BATCH)
            lines = await _lines(session, (await session.scalars(found)).all())
        if lines:
            yield b"".join(spreadsheet.line([_cell(line, name) for name in COLUMNS]) for line in lines)
            after = lines[-1].event.id
        if len(lines) < _BATCH:
            return


async def _lines(session: ReadSession, events: Sequence[AuditEvent]) -> Sequence[AuditLine]:
    targets = {event.id: _id_of(event.target_id) for event in events if event.target_kind == "user"}
    ids = {each for event in events for each in (event.actor_id, event.real_actor_id, targets.get(event.id)) if each}
    known = await addresses_of(session, ids)
    return [
        AuditLine(event, known.get(event.actor_id), known.get(event.real_actor_id), known.get(targets.get(event.id)))
        for event in events
    ]


async def _conditions(session: ReadSession, wanted: AuditFilter) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if wanted.action is not None:
        which += _named(wanted.action)
    if wanted.actor is not None:
        actors = await _users_named(session, wanted.actor)
        which.append(or_(AuditEvent.actor_id.in_(actors), AuditEvent.real_actor_id.in_(actors)))
    if wanted.target_id is not None:
        is_address = "@" in wanted.target_id
        users = await _users_named(session, wanted.target_id) if is_address else [wanted.target_id]
        which.append(AuditEvent.target_id.in_([str(each) for each in users]))
    if wanted.request_id is not None:
        which.append(AuditEvent.request_id == wanted.request_id)
    if wanted.since is not None:
        which.append(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        which.append(AuditEvent.at < wanted.until)
    return which


async def _users_named(session: ReadSession, named: str) -> Sequence[UUID]:
    """By an id, or by an address. Raises InvalidInput for what is neither."""
    user_id = _id_of(named)
    if user_id is not None:
        return [user_id]
    if "@" not in named:
        raise InvalidInput(f"actor: {named[:80]!r} is neither the id of a user nor an address.")
    of_address = select(User.id).where(User.email == named.strip().lower()).limit(_MOST_NAMED)
    return (await session.scalars(of_address)).all()


def _id_of(text: str | None) -> UUID | None:
    try:
        return UUID(text.strip()) if text else None
    except ValueError:
        return None


def _cell(line: AuditLine, name: str) -> str:
    value = getattr(line, name) if name.endswith("_email") else getattr(line.event, name)
    return spreadsheet.cell(str(value) if isinstance(value, UUID) else value)


def _named(action: str) -> list[ColumnElement[bool]]:
    """The column is in the order of its bytes, so what begins with `user.` lies between it and `user/`."""
    if not action.endswith("."):
        return [AuditEvent.action == action]
    return [AuditEvent.action >= action, AuditEvent.action < f"{action[:-1]}/"]
