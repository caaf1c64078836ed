"""Refusals as operators look for them: by what a customer gives, whosever they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from backend.admin import users
from backend.admin.accounts import NamedAccount, account_named, accounts_named
from backend.auth.service.keys_service import keys_beginning
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId
from backend.db.models import ApiKey, Denial
from backend.db.session import ReadSession
from backend.security.tokens import shown_beginning
from backend.usage import denial_log
from backend.usage.denial_log import DenialFilter

_MOST_KEYS = 20


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which refusals; None wants all. `account` is an id, or `external:` and the host application's own; `user_id`
    means that user's personal account. `q` is the id of a decision or request, or the beginning of an API key."""

    account: str | None = None
    user_id: UUID | None = None
    code: str | None = None
    meter: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key by its name and beginning; a `service` key is a host application's."""

    id: UUID
    kind: Literal["personal", "service"]
    name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal, with whose it is and which key was used."""

    denial: Denial
    account: NamedAccount
    key: NamedKey | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """Some of the log, the newest first. `next` is where it goes on: None is the end."""

    items: Sequence[Refused]
    next: UUID | None


async def search(session: ReadSession, wanted: DecisionFilter, *, limit: int, after: UUID | None = None) -> Refusals:
    """Refusals of all accounts. Raises AccountUnknown, UserUnknown, InvalidInput."""
    account_id = await _account(session, wanted)
    ids, key_ids = await _named(session, account_id, wanted.q)
    which = DenialFilter(wanted.code, wanted.meter, wanted.since, wanted.until, ids, key_ids)
    found = await denial_log.newest(session, account_id, which, limit=limit, after=after)
    accounts = await accounts_named(session, {denial.account_id for denial in found.items})
    keys = await _keys(session, {denial.key_id for denial in found.items if denial.key_id is not None})
    items = [
        Refused(denial, accounts[denial.account_id], keys.get(denial.key_id) if denial.key_id else None)
        for denial in found.items
    ]
    return Refusals(items, found.next)


async def _account(session: ReadSession, wanted: DecisionFilter) -> AccountId | None:
    if wanted.account is not None and wanted.user_id is not None:
        raise InvalidInput("Name account_id or user_id, not both.")
    if wanted.user_id is not None:
        return (await users.find(session, wanted.user_id)).personal_account_id
    return None if wanted.account is None else await account_named(session, wanted.account)


async def _named(
    session: ReadSession, account_id: AccountId | None, q: str | None
) -> tuple[Sequence[UUID] | None, Sequence[UUID] | None]:
    """(ids of refusals, ids of keys) that are meant; None is all."""
    text = q.strip() if q is not None else ""
    if not text:
        return None, None
    beginning = shown_beginning(text)
    if not beginning:
        return [denial.id for denial in await denial_log.named(session, account_id, text)], None
    keys = await keys_beginning(session, beginning=beginning, most=_MOST_KEYS + 1)
    if len(keys) > _MOST_KEYS:
        raise InvalidInput(f"More than {_MOST_KEYS} keys begin with {beginning}; add the letters that follow.")
    return None, keys


async def _keys(session: ReadSession, ids: Iterable[UUID]) -> Mapping[UUID, NamedKey]:
    columns = (ApiKey.id, ApiKey.kind, ApiKey.name, ApiKey.prefix)
    rows = await session.execute(select(*columns).where(ApiKey.id.in_(ids)))
    return {id_: NamedKey(id_, "service" if kind == "service" else "personal", *rest) for id_, kind, *rest in rows}
