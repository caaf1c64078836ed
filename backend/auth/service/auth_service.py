"""Signing in and out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from backend.auth.errors import AddressRefused, InvalidCredentials, LinkInvalid, SessionUnknown
from backend.auth.service import attempts
from backend.auth.service.addresses import normal
from backend.auth.service.attempts import Limit
from backend.auth.service.sessions import Device, Sessions, TokenPair
from backend.core.ids import UserId
from backend.core.settings import Settings
from backend.db.models import Session, SignInLink, User
from backend.db.session import Database, SystemSession
from backend.ratelimit.model import Address
from backend.security.jwt_service import JwtService
from backend.security.passwords import Passwords
from backend.security.tokens import digest

_QUARTER, _HOUR, _DAY = 900, 3_600, 86_400  # seconds


class AuthService:
    """Login, refresh, logout and one-time links. Each method is one or more transactions of its own."""

    def __init__(self, *, database: Database, passwords: Passwords, jwt: JwtService, settings: Settings) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings
        self._sessions = Sessions(jwt, lifetime=timedelta(seconds=settings.jwt_refresh_ttl_seconds))

    async def login(
        self, *, email: str, password: str, address: Address, user_agent: str | None, now: datetime
    ) -> TokenPair:
        """A new session. Unknown address, wrong password and unconfirmed address get the same answer in the same time.

        Raises InvalidCredentials, TooManyAttempts.
        """
        try:
            email = normal(email, local=True)
        except AddressRefused:
            email = email.strip().lower()[:320]
        allowed = self._settings.rate_limit_allowlist
        account = Limit(f"login:account:{email}", 10, _QUARTER, remembered=_DAY)
        network = attempts.of_network("login", address, 30, _QUARTER, allowed=allowed, remembered=_HOUR)
        async with self._database.system() as session:
            await attempts.take(session, [account, *network])
            user = await session.scalar(select(User).where(User.email == email, User.deleted_at.is_(None)))
        matches = await self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not matches or not _may_sign_in(user):
            raise _refused()
        async with self._database.system() as session:
            if not await _is_unchanged(session, user):
                raise _refused()
            await attempts.clear(session, account.subject)
            for limit in network:
                await attempts.give_back(session, limit.subject)
            return await self._sessions.begin(
                session, user_id=user.id, device=Device(user_agent, str(address)), now=now
            )

    async def use_link(self, *, token: str, address: Address, user_agent: str | None, now: datetime) -> TokenPair:
        """A new session for the user of a one-time link. Raises LinkInvalid, TooManyAttempts."""
        async with self._database.system() as session:
            limits = attempts.of_network("link", address, 30, _QUARTER, allowed=self._settings.rate_limit_allowlist)
            await attempts.take(session, limits)
        async with self._database.system() as session:
            link = await session.scalar(
                select(SignInLink).where(SignInLink.token_hash == digest(token)).with_for_update()
            )
            user = await session.get(User, link.user_id) if link else None
            if link is None or link.used_at is not None or link.expires_at <= now or not _may_sign_in(user):
                raise LinkInvalid("A sign-in link works once and for a short time. Ask for a new one.")
            link.used_at = now
            return await self._sessions.begin(
                session, user_id=link.user_id, device=Device(user_agent, str(address)), now=now
            )

    async def refresh(self, *, refresh_token: str, now: datetime) -> TokenPair:
        """The next pair of tokens; see `Sessions.refresh`. Raises RefreshRefused."""
        async with self._database.system() as session:
            return await self._sessions.refresh(session, presented=refresh_token, now=now)

    async def logout(self, *, session_id: UUID, user_id: UserId, now: datetime) -> None:
        """Ends the session that asks for it, at once and everywhere."""
        async with self._database.system() as session:
            await self._sessions.end(session, session_id=session_id, user_id=user_id, now=now, reason="signed out")

    async def sessions(self, *, user_id: UserId, now: datetime) -> Sequence[Session]:
        """Where a user is signed in."""
        async with self._database.read() as session:
            return await self._sessions.live(session, user_id=user_id, now=now)

    async def end_session(self, *, session_id: UUID, user_id: UserId, now: datetime) -> None:
        """Ends one session of a user from another, at once and everywhere. Raises SessionUnknown."""
        async with self._database.system() as session:
            reason = "ended from another session"
            if not await self._sessions.end(session, session_id=session_id, user_id=user_id, now=now, reason=reason):
                raise SessionUnknown("You have no session with this id that is not over.")


def _may_sign_in(user: User | None) -> bool:
    return user is not None and user.status == "active"


async def _is_unchanged(session: SystemSession, user: User) -> bool:
    """Whether the password that was just verified still counts: hashing takes a while, and happens between two
    transactions. A change waits for this one, and then ends the session that it begins."""
    now_stored = await session.execute(
        select(User.password_hash, User.status).where(User.id == user.id).with_for_update(read=True)
    )
    return tuple(now_stored.one()) == (user.password_hash, user.status)


def _refused() -> InvalidCredentials:
    return InvalidCredentials("Address and password do not belong together, or the address is not confirmed yet.")
