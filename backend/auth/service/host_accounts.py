"""Accounts that a host application keeps under its own ids, and who acts for them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from backend.auth.errors import AccountUnknown, MemberUnknown, TimeZoneFixed
from backend.auth.principal import Role, role_named
from backend.auth.service.sessions import end_portal_sessions
from backend.auth.service.versions import note_account_change
from backend.core.ids import AccountId, uuid7
from backend.db import outbox
from backend.db.models import Account, AccountMember, ApiKey, CatalogState, User
from backend.db.session import ReadSession, SystemSession

# What stands in a path and in a header as it is.
EXTERNAL_ID = r"[A-Za-z0-9][A-Za-z0-9._:@|+=~-]{0,199}"
# Whatever can be read: no controls, and not U+FFFD, which stands for bytes that are no text.
SUBJECT = r"[^\u0000-\u001f\u007f-\u009f\ufffd]{1,200}"


def is_external_id(text: str) -> bool:
    """Whether a host application may call an account so."""
    return re.fullmatch(EXTERNAL_ID, text) is not None


def is_subject(text: str) -> bool:
    """Whether an issuer may call somebody so. Half a surrogate pair is no text."""
    return re.fullmatch(SUBJECT, text) is not None and not any("\ud800" <= letter <= "\udfff" for letter in text)


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What a host application says of an account; None leaves what is stored, or the default of a new one."""

    name: str | None = None
    kind: str | None = None
    time_zone: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who acts for an account: a user of ours by their id, or a subject of a trusted issuer."""

    subject: str
    role: Role


async def put_account(session: SystemSession, *, external_id: str, change: AccountChange, now: datetime) -> Account:
    """Creates the account on the default plan, or changes it. Raises TimeZoneFixed.

    Days and periods of a new one begin in `time_zone`; without it in the catalog's billing zone. It stays.
    """
    is_new = await ensure_account(session, external_id=external_id, change=change, now=now)
    account = await find_account(session, external_id=external_id, lock=True)
    if is_new:
        return account
    if change.time_zone is not None and change.time_zone != account.billing_zone:
        raise TimeZoneFixed(
            f"The account's days and periods begin in {account.billing_zone}, since it was made; that cannot be"
            " changed. Leave time_zone out."
        )
    account.name = change.name if change.name is not None else account.name
    account.kind = change.kind if change.kind is not None else account.kind
    account.extra = dict(change.metadata) if change.metadata is not None else account.extra
    await session.flush()
    await note_account_change(session, account.id)
    return account


async def ensure_account(
    session: SystemSession, *, external_id: str, change: AccountChange | None = None, now: datetime
) -> bool:
    """Makes the account if there is none; one of several that ask at once makes it. Says whether it was this one."""
    change = change or AccountChange()
    catalog = await session.scalar(select(CatalogState))
    made = await session.scalar(
        insert(Account)
        .values(
            id=AccountId(uuid7()),
            external_id=external_id,
            name=change.name if change.name is not None else external_id,
            kind=change.kind or "team",
            usage_anchor=now,
            billing_zone=change.time_zone or (catalog.billing_zone if catalog else "UTC"),
            currency=catalog.currency if catalog else "USD",
            extra=dict(change.metadata or {}),
        )
        .on_conflict_do_nothing(index_elements=["external_id"])
        .returning(Account.id)
    )
    return made is not None


async def find_account(session: ReadSession, *, external_id: str, lock: bool = False) -> Account:
    """Raises AccountUnknown."""
    wanted = select(Account).where(Account.external_id == external_id, Account.status != "deleted")
    account = await session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)
    if account is None:
        raise AccountUnknown("No account has this external id.")
    return account


async def external_id_of(session: ReadSession, *, account_id: AccountId) -> str | None:
    """The host application's own id of an account; None for one that is not a host's."""
    found: str | None = await session.scalar(select(Account.external_id).where(Account.id == account_id))
    return found


async def mark_deleted(session: SystemSession, *, account: Account, now: datetime) -> None:
    """The account grants nothing from now on and frees its external id; its usage is kept as evidence.

    Its keys are revoked and its portal sessions end.
    """
    payload = {"external_id": account.external_id, "at": now.isoformat()}
    outbox.publish(session, topic="account.deleted", account_id=account.id, payload=payload)
    account.status, account.external_id = "deleted", None
    await session.flush()
    await session.execute(
        update(ApiKey).where(ApiKey.account_id == account.id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
    )
    await end_portal_sessions(session, account_id=account.id, now=now, reason="the account was deleted")
    await note_account_change(session, account.id)


async def members_of(session: ReadSession, *, account_id: AccountId) -> Sequence[Member]:
    """In the order in which they came."""
    rows = await session.scalars(
        select(AccountMember)
        .where(AccountMember.account_id == account_id, AccountMember.removed_at.is_(None))
        .order_by(AccountMember.id)
    )
    return [Member(row.foreign_subject or str(row.user_id), role_named(row.role)) for row in rows]


async def put_member(session: SystemSession, *, account_id: AccountId, subject: str, role: Role) -> Member:
    """Gives somebody a role in an account, or another one. A subject that is the id of a user of ours is that user."""
    user_id = await _user_named(session, subject)
    identity: dict[str, Any] = {"user_id": user_id} if user_id else {"foreign_subject": subject}
    await session.execute(
        insert(AccountMember)
        .values(id=uuid7(), account_id=account_id, role=role, **identity)
        .on_conflict_do_update(index_elements=["account_id", *identity], set_={"role": role, "removed_at": None})
    )
    await note_account_change(session, account_id)
    return Member(subject, role)


async def remove_member(session: SystemSession, *, account_id: AccountId, subject: str, now: datetime) -> None:
    """From now on they may do nothing in the account, and their portal sessions are over. Raises MemberUnknown.

    Also where the issuer of their tokens vouches that they belong there, until they are given a role again.
    """
    named = _id_in(subject)  # of a user who may be deleted by now
    identity = AccountMember.foreign_subject == subject
    row = await session.scalar(
        select(AccountMember).where(
            AccountMember.account_id == account_id,
            AccountMember.removed_at.is_(None),
            or_(identity, AccountMember.user_id == named) if named else identity,
        )
    )
    if row is None:
        raise MemberUnknown("The account has no member with this subject.")
    if row.foreign_subject is None:
        await session.delete(row)
    else:
        row.removed_at = now
    await session.flush()
    await end_portal_sessions(session, account_id=account_id, subject=subject, now=now, reason="the member was removed")
    await note_account_change(session, account_id)


async def _user_named(session: SystemSession, subject: str) -> UUID | None:
    named = _id_in(subject)
    if named is None:
        return None
    return await session.scalar(select(User.id).where(User.id == named, User.deleted_at.is_(None)))


def _id_in(subject: str) -> UUID | None:
    try:
        return UUID(subject)
    except ValueError:
        return None
