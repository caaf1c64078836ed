"""A new password for who has forgotten the old one."""

from datetime import datetime, timedelta

from sqlalchemy import select

from backend import mail
from backend.auth.errors import LinkInvalid
from backend.auth.service import attempts
from backend.auth.service.addresses import normal
from backend.auth.service.attempts import Limit
from backend.auth.service.even_time import even_time
from backend.auth.service.links import expire_links
from backend.auth.service.own_security import hash_new, tell_of_new_password
from backend.auth.service.second_factor import forget_attempts
from backend.auth.service.sessions import end_sessions
from backend.auth.service.versions import note_user_change
from backend.core.ids import UserId, uuid7
from backend.core.settings import Settings
from backend.db.models import PasswordReset, User
from backend.db.session import Database, SystemSession
from backend.security.passwords import Passwords
from backend.security.tokens import digest, new_token

LINK_LIFETIME = timedelta(hours=1)
_HOUR = 3_600
_MAY_RESET = ("unverified", "active")


class ResetService:
    """Forgotten passwords. Answers never tell whether an address is known."""

    def __init__(self, *, database: Database, passwords: Passwords, settings: Settings) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings

    async def forgot(self, *, email: str, now: datetime) -> None:
        """Sends a link to the user of an address; only the newest works. Raises AddressRefused, TooManyAttempts."""
        email = normal(email, local=True)
        async with self._database.system() as session:
            await attempts.take(session, [Limit(attempts.account_subject("forgot", email), 3, _HOUR)])
        async with even_time(), self._database.system() as session:
            user = await session.scalar(
                select(User)
                .where(User.email == email, User.deleted_at.is_(None), User.status.in_(_MAY_RESET))
                .with_for_update(key_share=True)
            )
            if user is not None:
                url = await reset_link(session, user_id=user.id, settings=self._settings, now=now)
                await mail.send(
                    session,
                    to=email,
                    subject="Choose a new password",
                    paragraphs=[
                        "Somebody, we hope you, wants to choose a new password for the account with this address.",
                        "Open this link within an hour. If it was not you, do nothing: nothing was changed.",
                    ],
                    link=mail.Link("Choose a new password", url),
                )

    async def reset(self, *, token: str, new_password: str, now: datetime) -> None:
        """Sets the password of a link's user, and signs them out everywhere.

        The link came by mail, so it confirms the address, too; a second factor stays. Raises LinkInvalid,
        InvalidInput for the password.
        """
        async with self._database.read() as session:
            email = await session.scalar(
                select(User.email)
                .join(PasswordReset, PasswordReset.user_id == User.id)
                .where(PasswordReset.token_hash == digest(token))
            )
        if email is None:
            raise _invalid()
        password_hash = await hash_new(self._passwords, new_password, email=email, field="new_password")
        async with self._database.system() as session:
            user = await self._take_link(session, token, now)
            user.password_hash = password_hash
            if user.status == "unverified":
                user.status, user.email_verified_at = "active", now
                await note_user_change(session, user.id)
            await expire_links(session, user_id=user.id, now=now)
            await forget_attempts(session, user.id)
            await end_sessions(session, user_id=user.id, now=now, reason="the password was reset")
            await tell_of_new_password(session, email=user.email, settings=self._settings)

    async def _take_link(self, session: SystemSession, token: str, now: datetime) -> User:
        """The user before the link, as where links are replaced: the other way round the two would deadlock."""
        wanted = PasswordReset.token_hash == digest(token)
        owner = await session.scalar(select(PasswordReset.user_id).where(wanted))
        user = await session.get(User, owner, with_for_update={"key_share": True}) if owner else None
        link = await session.scalar(select(PasswordReset).where(wanted).with_for_update())
        if link is None or user is None or user.status not in _MAY_RESET:
            raise _invalid()
        if link.used_at is not None or link.expires_at <= now:
            raise _invalid()
        link.used_at = now
        return user


async def reset_link(session: SystemSession, *, user_id: UserId, settings: Settings, now: datetime) -> str:
    """The address of a new link; those before it stop working. The caller holds the user's row."""
    await expire_links(session, user_id=user_id, now=now, kinds=[PasswordReset])
    token = new_token()
    session.add(
        PasswordReset(
            id=uuid7(), user_id=user_id, token_hash=digest(token), created_at=now, expires_at=now + LINK_LIFETIME
        )
    )
    return f"{settings.frontend_base_url}/reset?token={token}"


def _invalid() -> LinkInvalid:
    return LinkInvalid("This link is unknown, used or too old. Ask for a new one; only the newest works.")
