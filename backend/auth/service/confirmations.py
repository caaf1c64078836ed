"""The mails that prove an address: a link of which only the newest works."""

from datetime import datetime, timedelta

from sqlalchemy import update

from backend import mail
from backend.auth.service.reset_service import reset_link
from backend.core.ids import UserId, uuid7
from backend.core.settings import Settings
from backend.db.models import EmailVerification, User
from backend.db.session import SystemSession
from backend.security.tokens import digest, new_token

LINK_LIFETIME = timedelta(hours=24)


class Confirmations:
    """Sends links in the transaction of what asks for them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send_again(self, session: SystemSession, *, user: User, now: datetime) -> None:
        """A new link for a user who is not confirmed yet; the one before it stops working."""
        if user.password_hash is None:
            await self.send_choice(session, user_id=user.id, email=user.email, now=now)
        else:
            await self.send_link(session, user_id=user.id, email=user.email, now=now)

    async def send_link(self, session: SystemSession, *, user_id: UserId, email: str, now: datetime) -> None:
        """A link that confirms the address; only the newest one works."""
        await _expire_links(session, user_id, now)
        token = new_token()
        session.add(
            EmailVerification(
                id=uuid7(),
                user_id=user_id,
                token_hash=digest(token),
                created_at=now,
                expires_at=now + LINK_LIFETIME,
            )
        )
        await mail.send(
            session,
            to=email,
            subject="Confirm your e-mail address",
            paragraphs=[
                "Somebody, we hope you, has made an account with this address.",
                "Open this link within 24 hours to confirm it. If it was not you, do nothing: nothing will happen.",
            ],
            link=mail.Link("Confirm this address", f"{self._settings.frontend_base_url}/verify-email?token={token}"),
        )

    async def send_choice(self, session: SystemSession, *, user_id: UserId, email: str, now: datetime) -> None:
        """A link of an address that was registered with several passwords, none of which counts."""
        await _expire_links(session, user_id, now)
        url = await reset_link(session, user_id=user_id, settings=self._settings, now=now)
        await mail.send(
            session,
            to=email,
            subject="Confirm your e-mail address",
            paragraphs=[
                "This address was used to sign up more than once, with different passwords.",
                "Open this link within an hour to confirm it and to choose the password that counts. If it was not"
                " you, do nothing: nothing will happen.",
            ],
            link=mail.Link("Confirm this address", url),
        )


async def _expire_links(session: SystemSession, user_id: UserId, now: datetime) -> None:
    await session.execute(
        update(EmailVerification)
        .where(EmailVerification.user_id == user_id, EmailVerification.used_at.is_(None))
        .values(expires_at=now)
    )
