"""Links that work once: which of them stop working when something about their user changes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update

from backend.core.ids import UserId
from backend.db.models import EmailVerification, PasswordReset, SignInLink
from backend.db.session import SystemSession

Link = type[PasswordReset] | type[EmailVerification] | type[SignInLink]

ALL: Sequence[Link] = (PasswordReset, EmailVerification, SignInLink)


async def expire_links(session: SystemSession, *, user_id: UserId, now: datetime, kinds: Sequence[Link] = ALL) -> None:
    """Links of a user that were not used stop working. The caller holds the user's row."""
    for kind in kinds:
        await session.execute(
            update(kind)
            .where(kind.user_id == user_id, kind.used_at.is_(None), kind.expires_at > now)
            .values(expires_at=now)
        )
