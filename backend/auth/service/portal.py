"""Links by which a host application brings its customers into their rooms without a sign-up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from backend.auth.errors import LinkInvalid, MemberUnknown
from backend.auth.service.sessions import Portal
from backend.core.ids import AccountId, uuid7
from backend.db.models import Account, AccountMember, PortalLink
from backend.db.session import SystemSession
from backend.security.tokens import digest, new_token

LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class NewPortalLink:
    """The token of a link, shown once."""

    token: str
    expires_at: datetime


async def make_portal_link(
    session: SystemSession, *, account_id: AccountId, subject: str | None, now: datetime
) -> NewPortalLink:
    """A link into the rooms of an account: once, within five minutes. Raises MemberUnknown.

    With the subject of a member it has that member's role, as long as they have it; without one, the owner's.
    """
    if subject is not None:
        member = await session.scalar(
            select(AccountMember.id).where(
                AccountMember.account_id == account_id,
                AccountMember.foreign_subject == subject,
                AccountMember.removed_at.is_(None),
            )
        )
        if member is None:
            raise MemberUnknown("The account has no member with this subject; add it first.")
    link = NewPortalLink(new_token(), now + LIFETIME)
    session.add(
        PortalLink(
            id=uuid7(),
            account_id=account_id,
            subject=subject,
            token_hash=digest(link.token),
            created_at=now,
            expires_at=link.expires_at,
        )
    )
    return link


async def take_portal_link(session: SystemSession, *, token: str, now: datetime) -> Portal:
    """Uses a link up. Raises LinkInvalid."""
    link = await session.scalar(select(PortalLink).where(PortalLink.token_hash == digest(token)).with_for_update())
    if link is not None and link.used_at is None and link.expires_at > now:
        # Held, so that a deletion at the same time ends the session that begins now.
        held = select(Account.status).where(Account.id == link.account_id).with_for_update(key_share=True)
        if await session.scalar(held) == "active":
            link.used_at = now
            return Portal(link.account_id, link.subject)
    raise LinkInvalid("This link works once and for five minutes. Go back to where you found it and open it again.")
