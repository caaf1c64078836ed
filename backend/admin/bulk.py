"""Acts on many users: first who would be affected and who not, then the act, one user a transaction."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import exists, func, insert, select
from sqlalchemy.exc import IntegrityError

from backend.admin import pages, users
from backend.admin.errors import BulkActionUnknown, StateConflict, UsersChanged
from backend.admin.operator import Operator
from backend.admin.permissions import Permission
from backend.admin.users import UserFilter
from backend.auth.service.operators import SUPERADMIN
from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput
from backend.core.ids import UserId, uuid7
from backend.db.audit import Target, record
from backend.db.models import BulkAction, BulkActionUser, User, UserRole
from backend.db.session import ReadSession, SystemSession
from backend.subscription.change import plan_on_sale

MOST = 10_000

Action = Literal["lock", "unlock", "revoke_sessions", "resend_verification", "upgrade_plan"]
NEEDS: Mapping[Action, Permission] = {
    "lock": "users.lock",
    "unlock": "users.lock",
    "revoke_sessions": "users.sessions",
    "resend_verification": "users.edit",
    "upgrade_plan": "plans.assign",
}
_LIVE = frozenset({"unverified", "active", "suspended"})
_FROM: Mapping[Action, frozenset[str]] = {
    "lock": frozenset({"active"}),
    "unlock": frozenset({"suspended"}),
    "revoke_sessions": _LIVE,
    "resend_verification": frozenset({"unverified"}),
    "upgrade_plan": _LIVE,
}

# Why somebody is left out: there is no such user, an operator or oneself, not in the state that the act begins from.
Why = Literal["unknown", "protected", "state"]


@dataclass(frozen=True, slots=True)
class Wish:
    """One act for many. Users are named by `ids`, or by a filter as lists have it."""

    action: Action
    ids: Sequence[UUID] | None = None
    filter: UserFilter | None = None
    plan_name: str | None = None
    duration_days: int | None = None

    def arguments(self) -> dict[str, Any]:
        """What the act needs beside its users."""
        if self.action != "upgrade_plan":
            return {}
        return {"plan_name": self.plan_name, "duration_days": self.duration_days}


@dataclass(frozen=True, slots=True)
class Preview:
    """Who is matched, who of them would be affected, and how many are left out for what reason.

    `ticket` stands for exactly this act on exactly these users by this operator.
    """

    matched: int
    affected: Sequence[UserId]
    left_out: Mapping[Why, int]
    ticket: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A bulk action and how far it is; `left_out` counts by reason."""

    row: BulkAction
    total: int
    waiting: int
    done: int
    left_out: Mapping[str, int]


async def preview(session: ReadSession, operator: Operator, wish: Wish, *, catalogs: Catalogs) -> Preview:
    """Changes nothing. Raises NoOperator, PlanUnknown, InvalidInput for more than 10,000 users."""
    operator.ensure(NEEDS[wish.action])
    catalog = await catalogs.current(session)
    if wish.plan_name is not None:
        plan_on_sale(catalog, wish.plan_name)
    named: Sequence[UUID] = sorted(set(wish.ids or ()))
    if wish.filter is not None:
        named = await users.ids_of(session, wish.filter, most=MOST, default_plan=catalog.default.name)
    if len(named) > MOST:
        raise InvalidInput(f"More than {MOST:,} users match; narrow the filter, and do it in several steps.")
    has_role = exists().where(UserRole.user_id == User.id)
    found = (await session.execute(select(User.id, User.status, has_role).where(User.id.in_(named)))).all()
    affected: list[UserId] = []
    left_out: Counter[Why] = Counter({"unknown": len(named) - len(found)})
    for user_id, status, is_operator in found:
        why = _against(operator, wish.action, user_id, status, is_operator=is_operator)
        if why is None:
            affected.append(user_id)
        else:
            left_out[why] += 1
    counted = {why: count for why, count in left_out.items() if count}
    return Preview(len(named), affected, counted, _ticket(operator, wish, affected))


async def start(
    session: SystemSession,
    operator: Operator,
    wish: Wish,
    *,
    ticket: str,
    reason: str,
    catalogs: Catalogs,
    now: datetime,
) -> Progress:
    """Begins the act for those whom a preview showed, for whom `ticket` stands. The worker does it.

    Raises as `preview`, and UsersChanged.
    """
    found = await preview(session, operator, wish, catalogs=catalogs)
    if found.ticket != ticket:
        now_affected = f"{len(found.affected):,} users would be affected now"
        raise UsersChanged(f"This is not what was previewed, or of other users: {now_affected}. Preview it again.")
    if not found.affected:
        raise InvalidInput("Nobody would be affected; choose other users or another act.")
    actor, arguments = operator.actor, {**wish.arguments(), "reason": reason}
    row = BulkAction(
        id=uuid7(),
        action=wish.action,
        arguments=arguments,
        state="running",
        created_by=operator.user_id,
        created_at=now,
        address=actor.address,
        request_id=actor.request_id,
        ticket=ticket,
    )
    session.add(row)
    try:
        await session.flush()
    except IntegrityError as error:
        raise StateConflict("The same is under way already; look at how far it is.") from error
    rows = [{"bulk_action_id": row.id, "user_id": user_id} for user_id in found.affected]
    await session.execute(insert(BulkActionUser), rows)
    after = {"action": wish.action, **wish.arguments(), "users": len(found.affected)}
    record(session, actor, "users.bulk", Target("bulk_action", row.id), now=now, reason=reason, after=after)
    return Progress(row, len(rows), waiting=len(rows), done=0, left_out={})


async def stop(session: SystemSession, operator: Operator, action_id: UUID, *, now: datetime) -> Progress:
    """Leaves those alone who have not had their turn. Raises BulkActionUnknown, NoOperator, StateConflict."""
    row = await session.get(BulkAction, action_id, with_for_update=True)
    if row is None:
        raise _unknown()
    operator.ensure(needs(row))
    if row.state != "running":
        raise StateConflict(f"This bulk action is {row.state}: nothing was changed.")
    row.state, row.ended_at, row.detail = "stopped", now, "An operator stopped it."
    record(session, operator.actor, "users.bulk.stop", Target("bulk_action", row.id), now=now)
    await session.flush()
    return await progress(session, action_id)


async def progress(session: ReadSession, action_id: UUID) -> Progress:
    """How far it is. Raises BulkActionUnknown."""
    row = await session.get(BulkAction, action_id)
    if row is None:
        raise _unknown()
    return (await _with_counts(session, [row]))[0]


async def newest(session: ReadSession, *, page: int, page_size: int) -> tuple[Sequence[Progress], int]:
    """(a page of bulk actions, from 1 and the newest first; how many there are). Raises InvalidInput beyond 10,000."""
    offset = pages.offset_of(page, page_size, narrow_by="nothing: older ones are in the audit log")
    total, _ = await pages.count(session, BulkAction.id, [], most=pages.MOST_ROWS)
    found = await session.scalars(select(BulkAction).order_by(BulkAction.id.desc()).limit(page_size).offset(offset))
    return await _with_counts(session, found.all()), total


async def _with_counts(session: ReadSession, rows: Sequence[BulkAction]) -> Sequence[Progress]:
    counted = await session.execute(
        select(BulkActionUser.bulk_action_id, BulkActionUser.state, BulkActionUser.detail, func.count())
        .where(BulkActionUser.bulk_action_id.in_([row.id for row in rows]))
        .group_by(BulkActionUser.bulk_action_id, BulkActionUser.state, BulkActionUser.detail)
    )
    by_state: dict[UUID, Counter[str]] = {row.id: Counter() for row in rows}
    left_out: dict[UUID, dict[str, int]] = {row.id: {} for row in rows}
    for action_id, state, detail, count in counted:
        by_state[action_id][state] += count
        if detail is not None:
            left_out[action_id][detail] = count
    return [
        Progress(row, sum(counts.values()), counts["waiting"], counts["done"], left_out[row.id])
        for row in rows
        for counts in [by_state[row.id]]
    ]


def _ticket(operator: Operator, wish: Wish, affected: Sequence[UserId]) -> str:
    meant = [str(operator.user_id), wish.action, wish.arguments(), sorted(str(user_id) for user_id in affected)]
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()[:32]


def _against(operator: Operator, action: Action, user_id: UUID, status: str, *, is_operator: bool) -> Why | None:
    """As each act judges it when its turn comes."""
    if status == "deleted":
        return "unknown"
    if user_id == operator.user_id or (is_operator and SUPERADMIN not in operator.roles):
        return "protected"
    return None if status in _FROM[action] else "state"


def needs(row: BulkAction) -> Permission:
    """The permission that a stored action asks for."""
    return next(permission for action, permission in NEEDS.items() if action == row.action)


def _unknown() -> BulkActionUnknown:
    return BulkActionUnknown("No bulk action has this id.")
