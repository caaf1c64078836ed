"""Reads the log of refusals of one account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import String, and_, any_, literal, or_, select
from sqlalchemy.sql.elements import ColumnElement

from backend.core.ids import AccountId
from backend.db.models.denial import Denial
from backend.db.session import ReadSession

# Equal ones are folded for a second, or until the database answers again: no longer than this before the last one.
_LONGEST_FOLD = timedelta(hours=1)
# A request that is not the first of its row is looked for among so many of the newest rows.
MOST_LOOKED_THROUGH = 5_000
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class DenialFilter:
    """Which refusals are wanted; None wants all. Times are of the first one of a row, and `until` is not part."""

    code: str | None = None
    meter: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    request_id: str | None = None


async def newest(
    session: ReadSession, account_id: AccountId, wanted: DenialFilter, *, limit: int, after: UUID | None = None
) -> Sequence[Denial]:
    """The newest refusals of an account first; `after` is the id of the last one that was read before."""
    asked = [Denial.account_id == account_id]
    if after is not None:
        asked.append(Denial.id < after)
    if wanted.code is not None:
        asked.append(Denial.code == wanted.code)
    if wanted.meter is not None:
        asked.append(Denial.meter == wanted.meter)
    if wanted.since is not None:
        asked.append(Denial.first_at >= wanted.since)
    if wanted.until is not None:
        asked.append(Denial.first_at < wanted.until)
    if wanted.request_id is not None:
        asked.append(_by_request(account_id, wanted.request_id))
    return (await session.scalars(select(Denial).where(*asked).order_by(Denial.id.desc()).limit(limit))).all()


async def find(session: ReadSession, account_id: AccountId, name: str) -> Denial | None:
    """The refusal with this decision, or else of this request, the newest where a caller named several alike."""
    if not (0 < len(name) <= _LONGEST_ID and name.isascii() and name.isprintable()):
        return None
    mine = select(Denial).where(Denial.account_id == account_id).order_by(Denial.id.desc()).limit(1)
    decision = _as_uuid(name)
    if decision is not None:
        found = await session.scalar(mine.where(_by_decision(decision)))
        if found is not None:
            return found
    found = await session.scalar(mine.where(Denial.request_ids[1] == name))
    return found or await session.scalar(mine.where(_by_request(account_id, name)))


def _by_decision(decision: UUID) -> ColumnElement[bool]:
    """Ids bear their time in their first 48 bits, in milliseconds."""
    milliseconds = (decision.int >> 80) - int(_LONGEST_FOLD.total_seconds() * 1_000)
    lowest = UUID(int=max(0, milliseconds) << 80)
    return and_(Denial.id >= lowest, Denial.id <= decision, literal(decision) == any_(Denial.decision_ids))


def _by_request(account_id: AccountId, request_id: str) -> ColumnElement[bool]:
    recent = (
        select(Denial.id, Denial.request_ids)
        .where(Denial.account_id == account_id)
        .order_by(Denial.id.desc())
        .limit(MOST_LOOKED_THROUGH)
        .subquery()
    )
    folded = select(recent.c.id).where(literal(request_id, String) == any_(recent.c.request_ids))
    return or_(Denial.request_ids[1] == request_id, Denial.id.in_(folded))


def _as_uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
