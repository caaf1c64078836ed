"""Reads the log of refusals: of one account, or as operators do, of all.

What comes back is bounded, and so is what is looked at for it: a filter that few refusals pass reads on where it
stopped, call after call, instead of for minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, String, Subquery, Uuid, any_, func, literal, or_, select, text, union_all
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.sql.elements import ColumnElement

from backend.core.ids import AccountId, first_id_of, second_of_request
from backend.db.models.denial import Denial
from backend.db.session import ReadSession

# Equal ones are folded for a second, or until the database answers again: no longer than this before the last one.
_LONGEST_FOLD = timedelta(hours=1)
_LONGEST_FOLD_MS = int(_LONGEST_FOLD.total_seconds() * 1_000)
# A name that is not the first of its row is looked for among so many rows: from its time on backwards, which our own
# names bear, else from now on.
MOST_LOOKED_THROUGH = 5_000
# Rows that a page looks at where not all of them are wanted.
_MOST_READ = 20_000
# Of one account that was refused under one name; and how many accounts are told apart.
_MOST_NAMED = 100
MOST_ACCOUNTS = 20
# Row-level security hides from PostgreSQL how many rows pass. It expects one in two hundred, and would rather read and
# sort all of them than go along an index until there are enough.
_BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true)")
_ACCOUNTS = text("""
    WITH RECURSIVE found AS (
        (SELECT account_id FROM denials WHERE request_ids[1] = :name ORDER BY account_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT account_id FROM denials WHERE request_ids[1] = :name AND account_id > found.account_id
            ORDER BY account_id LIMIT 1
        ) FROM found WHERE found.account_id IS NOT NULL
    )
    SELECT account_id FROM found WHERE account_id IS NOT NULL LIMIT :most
""")
_LONGEST_ID = 200
# Between the second that a request's id bears and the refusal's own id, both made by one process.
_SLACK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class DenialFilter:
    """Which refusals are wanted; None wants all. Times are of the first one of a row, and `until` is not part.

    `ids` are those of rows, as `named` finds them; `key_ids` those of the keys that were used.
    """

    code: str | None = None
    meter: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[UUID] | None = None
    key_ids: Sequence[UUID] | None = None

    @property
    def is_sparse(self) -> bool:
        """Whether rows must be looked at that are not wanted."""
        return self.code is not None or self.meter is not None


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the log, the newest first. `next` is where it goes on: None is the end."""

    items: Sequence[Denial]
    next: UUID | None


async def newest(
    session: ReadSession,
    account_id: AccountId | None,
    wanted: DenialFilter,
    *,
    limit: int,
    after: UUID | None = None,
) -> Part:
    """The newest refusals of an account, or of all, first; `after` is the `next` of the part before.

    A part may have fewer than `limit` although it goes on: 20,000 rows were looked at for it.
    """
    if [] in (wanted.ids, wanted.key_ids):
        return Part([], None)
    await session.execute(_BY_INDEX)
    most = _MOST_READ if wanted.is_sparse else limit + 1
    read = aliased(Denial, _read(account_id, wanted, after, most))
    asked: list[ColumnElement[bool]] = []
    if wanted.code is not None:
        asked.append(read.code == wanted.code)
    if wanted.meter is not None:
        asked.append(read.meter == wanted.meter)
    order = (read.first_at.desc(), read.id.desc()) if _is_by_time(account_id, wanted) else (read.id.desc(),)
    found = (await session.scalars(select(read).where(*asked).order_by(*order).limit(limit + 1))).all()
    if len(found) > limit:
        return Part(found[:limit], found[limit - 1].id)
    last = select(read.id).order_by(*order).offset(most - 1).limit(1)
    return Part(found, await session.scalar(last) if wanted.is_sparse else None)


async def named(session: ReadSession, account_id: AccountId | None, name: str) -> Sequence[Denial]:
    """The refusals with this decision, or else of this request, the newest first: of an account, or of all.

    A caller may give several requests one id, and others the same: no more than the newest hundred of an account are
    said, and no more than `MOST_ACCOUNTS` that have it as the first of a row.
    """
    if not (0 < len(name) <= _LONGEST_ID and name.isascii() and name.isprintable()):
        return []
    await session.execute(_BY_INDEX)
    decision = _as_uuid(name)
    if decision is not None:
        of_id = _of(account_id).where(Denial.id == decision)
        lowest = UUID(int=max(0, (decision.int >> 80) - _LONGEST_FOLD_MS) << 80)
        about_then = _of(account_id).where(Denial.id >= lowest, Denial.id <= decision)
        found = (await session.scalars(of_id)).all()
        found = found or await _folded(session, about_then, literal(decision, Uuid()), Denial.decision_ids)
        if found:
            return found
    # Another may have used the id, too: the first of a row for one is among the folded for the other.
    first = await _of_first_request(session, account_id, name)
    request, at = literal(name, String), second_of_request(name)
    if at is None:
        return _together(first, await _folded(session, _of(account_id), request, Denial.request_ids))
    lowest, highest = first_id_of(at - _LONGEST_FOLD), first_id_of(at + _SLACK)
    about_then = _of(account_id).where(Denial.id >= lowest, Denial.id < highest)
    found = _together(first, await _folded(session, about_then, request, Denial.request_ids))
    return found or await _folded(session, _of(account_id), request, Denial.request_ids)


async def find(session: ReadSession, account_id: AccountId, name: str) -> Denial | None:
    """The newest one of an account that is `named` so."""
    found = await named(session, account_id, name)
    return found[0] if found else None


def _of(account_id: AccountId | None) -> Select[Denial]:
    return select(Denial) if account_id is None else select(Denial).where(Denial.account_id == account_id)


def _read(account_id: AccountId | None, wanted: DenialFilter, after: UUID | None, most: int) -> Subquery:
    """The first rows in the order in which an index has them."""
    rows = _of(account_id)
    if wanted.since is not None:
        rows = rows.where(Denial.first_at >= wanted.since)
    if wanted.until is not None:
        rows = rows.where(Denial.first_at < wanted.until)
    if wanted.ids is not None:
        rows = rows.where(Denial.id == any_(literal(list(wanted.ids), ARRAY(Uuid()))))
    if _is_by_time(account_id, wanted):
        if after is not None:
            last = select(func.max(Denial.first_at)).where(Denial.id == after).scalar_subquery()
            rows = rows.where(Denial.first_at <= last, or_(Denial.first_at < last, Denial.id < after))
        return rows.order_by(Denial.first_at.desc(), Denial.id.desc()).limit(most).subquery()
    if after is not None:
        rows = rows.where(Denial.id < after)
    rows = rows.order_by(Denial.id.desc()).limit(most)
    if wanted.key_ids is None:
        return rows.subquery()
    of_keys = union_all(*(select(rows.where(Denial.key_id == each).subquery()) for each in wanted.key_ids)).subquery()
    return select(of_keys).order_by(of_keys.c.id.desc()).limit(most).subquery()


def _is_by_time(account_id: AccountId | None, wanted: DenialFilter) -> bool:
    """Of all accounts, an index has them by their time; of one account, of a key and of few, by their ids."""
    return account_id is None and wanted.ids is None and wanted.key_ids is None


async def _of_first_request(session: ReadSession, account_id: AccountId | None, name: str) -> Sequence[Denial]:
    """Those of which it is the first. From one account to the next by index: of one there may be very many."""
    accounts: Sequence[UUID] = [account_id] if account_id is not None else []
    if account_id is None:
        accounts = (await session.scalars(_ACCOUNTS, {"name": name, "most": MOST_ACCOUNTS})).all()
    if not accounts:
        return []
    rows = select(Denial).where(Denial.request_ids[1] == name).order_by(Denial.id.desc()).limit(_MOST_NAMED)
    of_each = union_all(*(select(rows.where(Denial.account_id == each).subquery()) for each in accounts)).subquery()
    return (await session.scalars(select(aliased(Denial, of_each)))).all()


async def _folded(
    session: ReadSession, rows: Select[Denial], name: ColumnElement[Any], among: InstrumentedAttribute[Any]
) -> Sequence[Denial]:
    """Those of the newest of these rows that have a name among theirs, also where another was the first."""
    read = aliased(Denial, rows.order_by(Denial.id.desc()).limit(MOST_LOOKED_THROUGH).subquery())
    place = func.row_number().over(partition_by=read.account_id, order_by=read.id.desc()).label("place")
    having = select(read, place).where(name == any_(getattr(read, among.key))).subquery()
    kept = aliased(Denial, having)
    return (await session.scalars(select(kept).where(having.c.place <= _MOST_NAMED).order_by(kept.id.desc()))).all()


def _together(first: Sequence[Denial], folded: Sequence[Denial]) -> Sequence[Denial]:
    found = {denial.id: denial for denial in (*first, *folded)}
    return sorted(found.values(), key=lambda denial: denial.id, reverse=True)


def _as_uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
