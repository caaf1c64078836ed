"""Users as operators see them: lists, search, one user whole."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Select, Uuid, any_, exists, func, literal, literal_column, or_, select
from sqlalchemy.sql import ColumnElement

from backend.admin import pages
from backend.auth.errors import UserUnknown
from backend.core.ids import AccountId, UserId
from backend.db.models import SubscriptionPlan, User, UserRole, UserSubscription
from backend.db.session import ReadSession, SystemSession

MOST_COUNTED = 10_000
MOST_COUNTED_SEARCHING = 1_000  # each is looked at, not only counted
_FEW = 5_000
# Written out: PostgreSQL uses the index of live subscriptions for what it can read, not for parameters.
_LIVE = literal_column("user_subscriptions.status IN ('trial', 'active', 'past_due')", Boolean)
_PART = re.compile(r"\w{3}")  # of a word; an index of trigrams finds nothing shorter

Sort = Literal["-created_at", "created_at", "email", "-last_login_at"]
_ORDERS: Mapping[Sort, tuple[Any, ...]] = {
    "-created_at": (User.created_at.desc(), User.id.desc()),
    "created_at": (User.created_at, User.id),
    "email": (User.email, User.id),
    "-last_login_at": (User.last_login_at.desc().nulls_last(), User.id.desc()),
}


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users. `q` is part of an address or name (with three letters or digits in a row; else their
    beginning), or an id.

    Deleted users are listed where `status` asks for them, or an id names one.
    """

    q: str | None = None
    status: str | None = None
    plan: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user in a list."""

    id: UserId
    email: str
    name: str | None
    status: str
    mfa_enabled: bool
    roles: list[str]
    account_id: AccountId
    plan: str
    created_at: datetime
    last_login_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserPage:
    """A part of a list. Where `total_is_exact` is false there are at least `total`."""

    items: Sequence[UserRow]
    total: int
    total_is_exact: bool


async def list_users(
    session: ReadSession, wanted: UserFilter, *, sort: Sort, page: int, page_size: int, default_plan: str
) -> UserPage:
    """A page of users, from 1. Raises InvalidInput for a page beyond the first 10,000 users."""
    offset = pages.offset_of(page, page_size, narrow_by="q, status, plan or role")
    which = _conditions(wanted)
    are_many = False
    if wanted.plan is not None:
        on_plan, are_many = await _on_plan(session, wanted.plan, default_plan)
        which.append(on_plan)
    most = MOST_COUNTED if wanted.plan is None and wanted.q is None else MOST_COUNTED_SEARCHING
    total, is_exact = most, False
    if not are_many or wanted != UserFilter(plan=wanted.plan):
        total, is_exact = await pages.count(session, User.id, which, most=most)
    # The page's users first: what is read beside them is read for these alone.
    ids = select(User.id).where(*which).order_by(*_ORDERS[sort]).limit(page_size).offset(offset).subquery()
    rows = await session.execute(_rows(default_plan).join(ids, ids.c.id == User.id).order_by(*_ORDERS[sort]))
    items = [UserRow(*row) for row in rows]
    return UserPage(items, total, is_exact)


async def ids_of(session: ReadSession, wanted: UserFilter, *, most: int, default_plan: str) -> Sequence[UserId]:
    """The users of a list, the newest first, and one more than `most` where there are more."""
    which = _conditions(wanted)
    if wanted.plan is not None:
        which.append((await _on_plan(session, wanted.plan, default_plan))[0])
    found = await session.scalars(select(User.id).where(*which).order_by(*_ORDERS["-created_at"]).limit(most + 1))
    return found.all()


async def find(session: ReadSession, user_id: UUID, *, deleted: bool = True) -> User:
    """The user with this id, if wanted a deleted one too. Raises UserUnknown."""
    user = await session.get(User, user_id)
    if user is None or not (deleted or user.deleted_at is None):
        raise _unknown()
    return user


async def addresses_of(session: ReadSession, ids: Collection[UUID | None]) -> Mapping[UUID | None, str]:
    """The addresses that these users have now, deleted ones too."""
    rows = await session.execute(select(User.id, User.email).where(User.id.in_([each for each in ids if each])))
    return {row.id: row.email for row in rows}


async def lock(session: SystemSession, user_id: UUID) -> User:
    """The same, to change it: a deleted one is not to be changed. Raises UserUnknown."""
    user = await session.get(User, user_id, with_for_update={"key_share": True})
    if user is None or user.deleted_at is not None:
        raise _unknown()
    return user


async def row_of(session: ReadSession, user: User, *, default_plan: str) -> UserRow:
    """One user as lists show them."""
    row = (await session.execute(_rows(default_plan).where(User.id == user.id))).one()
    return UserRow(*row)


def _rows(default_plan: str) -> Select[*tuple[Any, ...]]:
    roles = select(func.array_agg(UserRole.role)).where(UserRole.user_id == User.id).scalar_subquery()
    plan = (
        select(SubscriptionPlan.name)
        .join(UserSubscription, UserSubscription.plan_id == SubscriptionPlan.id)
        .where(UserSubscription.account_id == User.personal_account_id, _LIVE)
        .scalar_subquery()
    )
    return select(
        User.id,
        User.email,
        User.name,
        User.status,
        User.mfa_enabled,
        func.coalesce(roles, literal([], roles.type)),
        User.personal_account_id,
        func.coalesce(plan, default_plan),
        User.created_at,
        User.last_login_at,
    )


def _conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    named = _id_in(wanted.q)
    which: list[ColumnElement[bool]] = []
    if named is not None:
        which.append(or_(User.id == named, User.personal_account_id == named))
    elif wanted.q:
        which.append(_like(wanted.q))
    if wanted.status is not None:
        which.append(User.status == wanted.status)
    elif named is None:
        which.append(User.deleted_at.is_(None))
    if wanted.role is not None:
        which.append(exists().where(UserRole.user_id == User.id, UserRole.role == wanted.role))
    return which


def _like(q: str) -> ColumnElement[bool]:
    text = q.strip().lower()
    within = "%" if _PART.search(text) else ""
    pattern = f"{within}{_escaped(text)}%"
    return or_(User.email.like(pattern), func.lower(User.name).like(pattern))


def _escaped(text: str) -> str:
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, f"\\{sign}")
    return text


async def _on_plan(session: ReadSession, plan: str, default_plan: str) -> tuple[ColumnElement[bool], bool]:
    """The condition, and whether so many are on the plan that they need not be counted.

    Row-level security hides from PostgreSQL how many are on a plan, so it is asked for. Of few, the users are looked
    for; of many, users are gone through in the order of the list until enough are found.
    """
    plan_id = await session.scalar(select(SubscriptionPlan.id).where(SubscriptionPlan.name == plan))
    of_user = UserSubscription.account_id == User.personal_account_id
    if plan == default_plan:
        return ~exists().where(of_user, _LIVE, UserSubscription.plan_id != plan_id), False
    on_it = select(UserSubscription.account_id).where(_LIVE, UserSubscription.plan_id == plan_id)
    are_many = await session.scalar(select(literal(1)).select_from(on_it.offset(_FEW).limit(1).subquery()))
    if are_many is None:
        found = (await session.scalars(on_it.limit(_FEW))).all()
        return User.personal_account_id == any_(literal(found, ARRAY(Uuid()))), False
    is_on_it = select(literal(1)).where(of_user, _LIVE, UserSubscription.plan_id == plan_id).limit(1)
    return is_on_it.scalar_subquery() == 1, True


def _id_in(q: str | None) -> UUID | None:
    try:
        return UUID(q.strip()) if q else None
    except ValueError:
        return None


def _unknown() -> UserUnknown:
    return UserUnknown("No user has this id.")
