"""Accounts and users."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count

from backend.core.ids import AccountId, UserId, uuid7
from backend.db.models import Account, AccountMember, User
from backend.db.session import SystemSession
from backend.tests.moments import NOW

_numbers = count(1)


@dataclass(frozen=True)
class Person:
    """A user with the personal account that was born with them."""

    user_id: UserId
    account_id: AccountId
    email: str


async def person(
    session: SystemSession,
    *,
    email: str | None = None,
    status: str = "active",
    password_hash: str | None = None,
    now: datetime = NOW,
    billing_zone: str = "UTC",
) -> Person:
    """A user, their personal account, and the membership between them. Flushed: later statements are plain SQL."""
    user_id, account_id = UserId(uuid7()), AccountId(uuid7())
    email = email or f"person{next(_numbers)}.{user_id.hex[-6:]}@example.test"
    session.add(Account(id=account_id, name=email, usage_anchor=now, billing_zone=billing_zone))
    await session.flush()
    session.add(
        User(
            id=user_id,
            email=email,
            status=status,
            password_hash=password_hash,
            personal_account_id=account_id,
            email_verified_at=now if status == "active" else None,
        )
    )
    await session.flush()
    account = await session.get_one(Account, account_id)
    account.owner_user_id = user_id
    session.add(AccountMember(id=uuid7(), account_id=account_id, user_id=user_id, role="owner"))
    await session.flush()
    return Person(user_id, account_id, email)
