"""Accounts as operators name them: users' own and a host application's alike."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from backend.auth.errors import AccountUnknown
from backend.auth.service.credentials import EXTERNAL
from backend.auth.service.host_accounts import find_account, is_external_id
from backend.core.ids import AccountId, UserId
from backend.db.models import Account, User
from backend.db.session import ReadSession


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """`user_id` is whose personal account it is, and None for a host application's account or a deleted user's."""

    id: AccountId
    name: str
    external_id: str | None
    status: str
    user_id: UserId | None


async def account_named(session: ReadSession, named: str) -> AccountId:
    """The account with this id, a deleted one too, or with this `external:` id. Raises AccountUnknown."""
    if named.startswith(EXTERNAL):
        external_id = named.removeprefix(EXTERNAL)
        if is_external_id(external_id):
            return (await find_account(session, external_id=external_id)).id
    elif (account_id := id_in(named)) is not None and await session.get(Account, account_id) is not None:
        return AccountId(account_id)
    raise AccountUnknown("No account has this id.")


async def accounts_named(session: ReadSession, ids: Iterable[AccountId]) -> Mapping[AccountId, NamedAccount]:
    """Those of these accounts that are there, read at once."""
    owner = (User.personal_account_id == Account.id) & User.deleted_at.is_(None)
    columns = (Account.id, Account.name, Account.external_id, Account.status, User.id)
    rows = await session.execute(select(*columns).outerjoin(User, owner).where(Account.id.in_(ids)))
    return {row[0]: NamedAccount(*row) for row in rows}


def id_in(text: str) -> UUID | None:
    """What is written there, where it is an id."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None
