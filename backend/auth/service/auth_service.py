"""Signing in and out."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from backend.auth.errors import AddressRefused, InvalidCredentials, LinkInvalid, SessionUnknown
from backend.auth.service import attempts
from backend.auth.service.addresses import normal
from backend.auth.service.attempts import Limit
from backend.auth.service.portal import take_portal_link
from backend.auth.service.second_factor import Challenge, SecondFactor
from backend.auth.service.sessions import Device, Sessions, TokenPair, end_sessions, live_sessions
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
    """Login with one or two factors, one-time links, refresh, logout. Each method is transactions of its own."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        jwt: JwtService,
        second_factor: SecondFactor,
        settings: Settings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._second_factor = second_factor
        self._settings = settings
        self._sessions = Sessions.from_settings(jwt, settings)

    async def login(
        self, *, email: str, password: str, address: Address, user_agent: str | None, now: datetime
    ) -> TokenPair | Challenge:
        """A new session, or the challenge of the second factor.

        Unknown address, wrong password and unconfirmed address get the same answer in the same time. With a second
        factor the attempt counts until the code is right, so that a known password opens no endless row of
        challenges. Raises InvalidCredentials, TooManyAttempts.
        """
        try:
            email = normal(email, local=True)
        except AddressRefused:
            email = email.strip().lower()[:320]
        async with self._database.system() as session:
            await attempts.take(session, [login_limit(email), *self._of_network(address)])
            user = await session.scalar(select(User).where(User.email == email, User.deleted_at.is_(None)))
        matches = await self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not matches or not _may_sign_in(user):
            raise _refused()
        renewed = await self._passwords.renewed(password, user.password_hash)
        async with self._database.system() as session:
            if not await _is_unchanged(session, user):
                raise _refused()
            if renewed is not None:
                (await session.get_one(User, user.id)).password_hash = renewed
            return await self._proceed(session, user.id, Device(user_agent, address), now)

    async def use_link(
        self, *, token: str, address: Address, user_agent: str | None, now: datetime
    ) -> TokenPair | Challenge:
        """The same for the user of a one-time link. Raises LinkInvalid, TooManyAttempts."""
        await self._take_link_slot(address)
        async with self._database.system() as session:
            link = await session.scalar(
                select(SignInLink).where(SignInLink.token_hash == digest(token)).with_for_update()
            )
            user = await session.get(User, link.user_id) if link else None
            if link is None or link.used_at is not None or link.expires_at <= now or not _may_sign_in(user):
                raise LinkInvalid("A sign-in link works once and for a short time. Ask for a new one.")
            link.used_at = now
            return await self._proceed(session, link.user_id, Device(user_agent, address), now)

    async def use_portal_link(
        self, *, token: str, address: Address, user_agent: str | None, now: datetime
    ) -> TokenPair:
        """A session in the rooms of the account of a portal link. Raises LinkInvalid, TooManyAttempts."""
        await self._take_link_slot(address)
        async with self._database.system() as session:
            portal = await take_portal_link(session, token=token, now=now)
            device = Device(user_agent, address)
            return await self._sessions.begin_portal(session, portal=portal, device=device, now=now)

    async def verify_otp(
        self, *, challenge_id: str, otp: str, address: Address, user_agent: str | None, now: datetime
    ) -> TokenPair:
        """Completes a sign-in by a one-time code. Raises ChallengeInvalid, CodeRefused, TooManyAttempts."""
        async with self._database.system() as session:
            user_id = await self._second_factor.pass_with_otp(session, challenge_id=challenge_id, otp=otp, now=now)
            return await self._complete(session, user_id, Device(user_agent, address), now)

    async def verify_recovery(
        self, *, challenge_id: str, code: str, address: Address, user_agent: str | None, now: datetime
    ) -> TokenPair:
        """Completes a sign-in by a recovery code, which is used up. Raises as `verify_otp`."""
        async with self._database.system() as session:
            user_id = await self._second_factor.pass_with_recovery(
                session, challenge_id=challenge_id, code=code, now=now
            )
            return await self._complete(session, user_id, Device(user_agent, address), now)

    async def refresh(self, *, refresh_token: str, shared: bool = False, now: datetime) -> TokenPair:
        """The next pair of tokens; see `Sessions.refresh`. Raises RefreshRefused."""
        async with self._database.system() as session:
            return await self._sessions.refresh(session, presented=refresh_token, shared=shared, now=now)

    async def logout(self, *, session_id: UUID, now: datetime) -> None:
        """Ends the session that asks for it, at once and everywhere."""
        async with self._database.system() as session:
            await self._sessions.end(session, session_id=session_id, now=now, reason="signed out")

    async def sessions(self, *, user_id: UserId, now: datetime) -> Sequence[Session]:
        """Where a user is signed in; with operators who act as them where users are told of it."""
        async with self._database.read() as session:
            found = await live_sessions(session, user_id=user_id, now=now)
        return [row for row in found if row.impersonator_id is None or self._settings.impersonation_tells_user]

    async def end_session(self, *, session_id: UUID, user_id: UserId, now: datetime) -> None:
        """Ends one session of a user from another, at once and everywhere. Raises SessionUnknown."""
        async with self._database.system() as session:
            reason = "ended from another session"
            if not await self._sessions.end_of_user(
                session, session_id=session_id, user_id=user_id, now=now, reason=reason
            ):
                raise SessionUnknown("You have no session with this id that is not over.")

    async def end_other_sessions(self, *, session_id: UUID, user_id: UserId, now: datetime) -> int:
        """Ends all sessions of a user but this one. Returns how many."""
        async with self._database.system() as session:
            return await end_sessions(
                session, user_id=user_id, but=session_id, now=now, reason="ended from another session"
            )

    async def _proceed(
        self, session: SystemSession, user_id: UserId, device: Device, now: datetime
    ) -> TokenPair | Challenge:
        """After the first factor: the second one, where there is one."""
        user = await session.get_one(User, user_id, populate_existing=True)
        if user.mfa_enabled:
            return await self._second_factor.ask(session, user_id=user_id, now=now)
        return await self._complete(session, user_id, device, now)

    async def _complete(self, session: SystemSession, user_id: UserId, device: Device, now: datetime) -> TokenPair:
        """After all factors: the attempts are given back, and a session begins. Raises InvalidCredentials."""
        user = await session.get_one(User, user_id, populate_existing=True)
        if not _may_sign_in(user):
            raise _refused()
        await attempts.clear(session, login_limit(user.email).subject)
        await attempts.give_back(session, attempts.network_subject("login", device.address))
        return await self._sessions.begin(session, user_id=user_id, device=device, now=now)

    async def _take_link_slot(self, address: Address) -> None:
        limits = attempts.of_network("link", address, 30, _QUARTER, allowed=self._settings.rate_limit_allowlist)
        async with self._database.system() as session:
            await attempts.take(session, limits)

    def _of_network(self, address: Address) -> list[Limit]:
        allowed = self._settings.rate_limit_allowlist
        return attempts.of_network("login", address, 30, _QUARTER, allowed=allowed, remembered=_HOUR)


def login_limit(email: str) -> Limit:
    """What counts the guesses at one user's password, whether there is such a user or not."""
    return Limit(attempts.account_subject("login", email), 10, _QUARTER, remembered=_DAY)


def _may_sign_in(user: User | None) -> bool:
    return user is not None and user.status == "active"


async def _is_unchanged(session: SystemSession, user: User) -> bool:
    """Whether the password that was just verified still counts: hashing takes a while, and happens between two
    transactions. A change waits for this one, and then ends the session that it begins."""
    now_stored = await session.execute(
        select(User.password_hash, User.status).where(User.id == user.id).with_for_update(key_share=True)
    )
    return tuple(now_stored.one()) == (user.password_hash, user.status)


def _refused() -> InvalidCredentials:
    return InvalidCredentials("Address and password do not belong together, or the address is not confirmed yet.")
