"""All limits that were ever given to anybody beside a plan: filters and pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from backend.admin import pages
from backend.admin.accounts import NamedAccount, accounts_named, id_in
from backend.auth.service.credentials import EXTERNAL
from backend.db.models import Account, AccountOverride, User
from backend.db.session import ReadSession
from backend.subscription.overrides import Granted, State, granted

MOST_COUNTED = 1_000  # each is looked at, not only counted


@dataclass(frozen=True, slots=True)
class GivenFilter:
    """Which overrides; None wants all. `q` is part of an account's name or a user's address, an `external:` id, or
    the id of an account, a user or an override."""

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
    which = _conditions(wanted, now)
    counted = _joined(select(AccountOverride.id)).where(*which).limit(MOST_COUNTED + 1).subquery()
    found = await session.scalar(select(func.count()).select_from(counted)) or 0
    giver = aliased(User)
    rows = (
        await session.execute(
            _joined(select(AccountOverride, Account.clock_offset, giver.email))
            .outerjoin(giver, giver.id == AccountOverride.created_by)
            .where(*which)
            .order_by(AccountOverride.id.desc())
            .limit(page_size)
            .offset(offset)
        )
    ).all()
    accounts = await accounts_named(session, {row.account_id for row, *_ in rows})
    items = [Given(granted(row, now + ahead), accounts[row.account_id], by) for row, ahead, by in rows]
    return GivenPage(items, min(found, MOST_COUNTED), found <= MOST_COUNTED)


def _joined(wanted: Any) -> Any:
    owner = and_(User.personal_account_id == Account.id, User.deleted_at.is_(None))
    return wanted.join(Account, Account.id == AccountOverride.account_id).outerjoin(User, owner)


def _conditions(wanted: GivenFilter, now: datetime) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        which.append(_in_state(now)[wanted.state])
    if wanted.meter is not None:
        which.append(AccountOverride.meter == wanted.meter)
    text = wanted.q.strip() if wanted.q is not None else ""
    if named := id_in(text):
        which.append(or_(Account.id == named, User.id == named, AccountOverride.id == named))
    elif text.startswith(EXTERNAL):
        which.append(Account.external_id == text.removeprefix(EXTERNAL))
    elif text:
        which.append(or_(Account.name.icontains(text, autoescape=True), User.email.icontains(text, autoescape=True)))
    return which


def _in_state(now: datetime) -> Mapping[State, ColumnElement[bool]]:
    """As `overrides` tells them apart: times are by each account's clock."""
    its_now = now + Account.clock_offset
    stands = AccountOverride.ended_at.is_(None)
    is_over = and_(AccountOverride.ends_at.is_not(None), AccountOverride.ends_at <= its_now)
    has_begun = AccountOverride.starts_at <= its_now
    return {
        "taken_back": ~stands,
        "ended": and_(stands, is_over),
        "in_force": and_(stands, ~is_over, has_begun),
        "scheduled": and_(stands, ~is_over, ~has_begun),
    }
