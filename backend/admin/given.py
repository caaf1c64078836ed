"""All limits that were ever given to anybody beside a plan: filters and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    and_,
    any_,
    false,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import aliased

from backend.admin import pages
from backend.admin.accounts import NamedAccount, accounts_named, id_in
from backend.auth.service.credentials import EXTERNAL
from backend.db.models import Account, AccountOverride, User
from backend.db.session import ReadSession
from backend.subscription.overrides import Granted, State, granted

MOST_COUNTED = 1_000  # each is looked at, not only counted
# Row-level security hides from PostgreSQL how many rows pass; it would rather read all of them than stop at a limit.
_BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true)")
# In the words of its index.
_HAS_OWN_CLOCK = text("accounts.clock_offset <> '0'::interval")
# Names of accounts are in no index that row-level security lets be used: they are looked for among the newest.
_MOST_LOOKED_AT = 20_000
_FEW = 1_000


@dataclass(frozen=True, slots=True)
class GivenFilter:
    """Which overrides; None wants all. `q` is part of a user's address or of the name of an account (of those that
    were given the newest 20,000), an `external:` id, or the id of an account, a user or an override."""

    state: State | None = None
    meter: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """One override, with whose it is and who gave it; `by` is an address, None for a command."""

    granted: Granted
    account: NamedAccount
    by: str | None


@dataclass(frozen=True, slots=True)
class GivenPage:
    """A part of the list, the newest first. Where `total_is_exact` is false there are at least `total`."""

    items: Sequence[Given]
    total: int
    total_is_exact: bool


async def list_given(
    session: ReadSession, wanted: GivenFilter, *, now: datetime, page: int, page_size: int
) -> GivenPage:
    """A page, from 1. Raises InvalidInput for one beyond the first 10,000 overrides."""
    offset = pages.offset_of(page, page_size, narrow_by="state, meter or q")
    await session.execute(_BY_INDEX)
    q = (wanted.q or "").strip()
    matches = await _matches(session, q) if q else None
    which = _which(wanted, matches, now)
    counted = union_all(*(select(one.limit(MOST_COUNTED + 1).subquery()) for one in which)).limit(MOST_COUNTED + 1)
    found = await session.scalar(select(func.count()).select_from(counted.subquery())) or 0
    newest = [one.order_by(AccountOverride.id.desc()).limit(offset + page_size).subquery() for one in which]
    ids = union_all(*(select(one) for one in newest)).subquery()
    shown = select(ids.c.id).order_by(ids.c.id.desc()).limit(page_size).offset(offset)
    giver = aliased(User)
    rows = (
        await session.execute(
            select(AccountOverride, Account.clock_offset, giver.email)
            .join(Account, Account.id == AccountOverride.account_id)
            .outerjoin(giver, giver.id == AccountOverride.created_by)
            .where(_is_any(AccountOverride.id, (await session.scalars(shown)).all()))
            .order_by(AccountOverride.id.desc())
        )
    ).all()
    accounts = await accounts_named(session, {row.account_id for row, *_ in rows})
    items = [Given(granted(row, now + ahead), accounts[row.account_id], by) for row, ahead, by in rows]
    return GivenPage(items, min(found, MOST_COUNTED), found <= MOST_COUNTED)


def _which(wanted: GivenFilter, matches: ColumnElement[bool] | None, now: datetime) -> list[Select[UUID]]:
    """Those that are wanted, in parts that have none in common: accounts with a clock of their own are a part."""
    every = select(AccountOverride.id)
    if wanted.meter is not None:
        every = every.where(AccountOverride.meter == wanted.meter)
    if matches is not None:
        every = every.where(matches)
    if wanted.state is None:
        return [every]
    by_own = every.join(Account, Account.id == AccountOverride.account_id).where(_HAS_OWN_CLOCK)
    return [
        every.where(
            *_in_state(literal(now))[wanted.state],
            AccountOverride.account_id.not_in(select(Account.id).where(_HAS_OWN_CLOCK)),
        ),
        by_own.where(*_in_state(literal(now) + Account.clock_offset)[wanted.state]),
    ]


async def _matches(session: ReadSession, q: str) -> ColumnElement[bool]:
    """Whose it is. Accounts are looked for first: of few, what they were given is found by them."""
    whose = AccountOverride.account_id
    if named := id_in(q):
        of_user = select(User.personal_account_id).where(User.id == named, User.deleted_at.is_(None))
        accounts = [named, *(await session.scalars(of_user)).all()]
        own = await session.scalar(select(AccountOverride.id).where(AccountOverride.id == named))
        return or_(_is_any(whose, accounts), AccountOverride.id == own) if own else _is_any(whose, accounts)
    if q.startswith(EXTERNAL):
        by_external_id = select(Account.id).where(Account.external_id == q.removeprefix(EXTERNAL))
        return _is_any(whose, (await session.scalars(by_external_id)).all())
    has_address = (User.email.icontains(q, autoescape=True), User.deleted_at.is_(None))
    by_address = select(User.personal_account_id).where(*has_address).limit(_FEW + 1)
    newest = select(whose).order_by(AccountOverride.id.desc()).limit(_MOST_LOOKED_AT).subquery()
    has_name = Account.name.icontains(q, autoescape=True)
    by_name = select(Account.id).where(Account.id.in_(select(newest.c.account_id)), has_name).limit(_FEW + 1)
    accounts = []
    which: list[ColumnElement[bool]] = []
    for found, is_it in (
        ((await session.scalars(by_address)).all(), and_(User.personal_account_id == whose, *has_address)),
        ((await session.scalars(by_name)).all(), and_(Account.id == whose, has_name)),
    ):
        if len(found) <= _FEW:
            accounts += found
        else:  # so many that going through the list soon comes upon enough
            which.append(select(literal(1)).where(is_it).limit(1).scalar_subquery() == 1)
    return or_(_is_any(whose, accounts), *which)


def _is_any(column: Any, ids: Sequence[UUID]) -> ColumnElement[bool]:
    if not ids:
        return false()
    found: ColumnElement[bool] = column == any_(literal(list(ids), ARRAY(Uuid())))
    return found


def _in_state(its_now: ColumnElement[datetime]) -> Mapping[State, list[ColumnElement[bool]]]:
    """As `overrides` tells them apart."""
    stands = AccountOverride.ended_at.is_(None)
    is_open = or_(AccountOverride.ends_at.is_(None), AccountOverride.ends_at > its_now)
    return {
        "taken_back": [AccountOverride.ended_at.is_not(None)],
        "ended": [stands, AccountOverride.ends_at <= its_now],
        "in_force": [stands, is_open, AccountOverride.starts_at <= its_now],
        "scheduled": [stands, AccountOverride.starts_at > its_now],
    }
