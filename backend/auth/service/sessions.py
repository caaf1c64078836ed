"""Sessions and their chains of refresh tokens."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.sql import ColumnElement

from backend.auth.errors import RefreshRefused
from backend.auth.service.versions import note_account_change, note_changes, note_user_change
from backend.core.ids import AccountId, UserId, uuid7
from backend.core.settings import Settings
from backend.db.models import Account, Session, User
from backend.db.session import ReadSession, SystemSession
from backend.ratelimit.model import Address
from backend.security.errors import TokenInvalid
from backend.security.jwt_service import JwtService
from backend.security.tokens import RefreshToken

# For a guest nobody but the host application vouches, and it gives out a new link for the asking.
PORTAL_LIFETIME = timedelta(hours=12)
IMPERSONATION_LIFETIME = timedelta(minutes=30)

# A lost answer, or two tabs: the direct parent gets the same successor again. What tabs share lives as long at least.
GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Device:
    """From where a session was begun; shown to its user."""

    user_agent: str | None
    address: Address


@dataclass(frozen=True, slots=True)
class Portal:
    """Whose rooms a portal session is in: an account, and the member whose role it has; without one, the owner's."""

    account_id: AccountId
    subject: str | None


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client signs its requests with, and what it gets the next pair for."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Impersonation:
    """A session in which an operator acts as a user: what its requests are signed with, and until when."""

    session_id: UUID
    access_token: str
    expires_at: datetime


class Sessions:
    """Begins, continues and ends sessions. `lifetime` runs from the last refresh; a portal session's from its begin."""

    def __init__(self, jwt: JwtService, *, lifetime: timedelta) -> None:
        self._jwt = jwt
        self._lifetime = lifetime

    @classmethod
    def from_settings(cls, jwt: JwtService, settings: Settings) -> "Sessions":
        return cls(jwt, lifetime=timedelta(seconds=settings.jwt_refresh_ttl_seconds))

    async def begin(self, session: SystemSession, *, user_id: UserId, device: Device, now: datetime) -> TokenPair:
        """A new session of a user who has just proved who they are."""
        row = self._new(device, now)
        row.user_id = user_id
        await session.execute(update(User).where(User.id == user_id).values(last_login_at=now))
        return await self._begin(session, row, now)

    async def begin_portal(self, session: SystemSession, *, portal: Portal, device: Device, now: datetime) -> TokenPair:
        """A new session in the rooms of one account, for whom its host application vouches."""
        row = self._new(device, now)
        row.portal_account_id, row.portal_subject = portal.account_id, portal.subject
        row.expires_at = now + PORTAL_LIFETIME
        return await self._begin(session, row, now)

    async def begin_impersonation(
        self,
        session: SystemSession,
        *,
        user_id: UserId,
        operator_id: UserId,
        may_write: bool,
        device: Device,
        now: datetime,
    ) -> Impersonation:
        """A session of a user in which an operator acts. It cannot be continued: nobody is given a refresh token."""
        row = self._new(device, now)
        row.user_id, row.impersonator_id, row.may_write = user_id, operator_id, may_write
        row.expires_at = now + IMPERSONATION_LIFETIME
        await self._begin(session, row, now)
        access = self._jwt.issue_access(user_id, row.id, now=now, acting_for=IMPERSONATION_LIFETIME)
        return Impersonation(row.id, access, row.expires_at)

    async def _begin(self, session: SystemSession, row: Session, now: datetime) -> TokenPair:
        token = RefreshToken.first(row.id, self._jwt.chain_keys[0])
        row.refresh_hash, row.generation = token.hash, token.generation
        session.add(row)
        await session.flush()
        await _note_change(session, row)
        return self._pair(row, token, now)

    def _new(self, device: Device, now: datetime) -> Session:
        return Session(
            id=uuid7(),
            rotated_at=now,
            user_agent=(device.user_agent or "")[:300] or None,
            address=str(device.address),
            created_at=now,
            last_seen_at=now,
            expires_at=now + self._lifetime,
        )

    async def refresh(
        self, session: SystemSession, *, presented: str, shared: bool = False, now: datetime
    ) -> TokenPair:
        """The next pair. The direct parent of the newest token gets the same pair again for ten seconds.

        Any other spent token means that somebody has a copy: the family is revoked. `shared` is for the cookie of a
        browser, whose tabs ask one by one, each with what is in the jar at that moment, and whose answers overtake
        one another: a token that came out of a refresh less than ten seconds ago stays the newest, so whatever a tab
        of theirs still sends or stores is the newest or its direct parent. Raises RefreshRefused.
        """
        try:
            token = RefreshToken.parse(presented)
        except TokenInvalid as error:
            raise _refused() from error
        row = await session.get(Session, token.session_id, with_for_update=True)
        if row is None or row.revoked_at is not None or row.expires_at <= now or not await _is_active(session, row):
            raise _refused()
        continuing = self._jwt.chain_keys[0]
        if token.generation == row.generation and token.hash == row.refresh_hash:
            if shared and token.generation > 0 and now - row.rotated_at <= GRACE:
                return self._pair(row, token, now)
            successor = token.successor(continuing)
            row.refresh_hash, row.generation, row.rotated_at = successor.hash, successor.generation, now
            row.last_seen_at = now
            if row.user_id is not None:
                row.expires_at = now + self._lifetime
            return self._pair(row, successor, now)
        if not self._is_spent(token, row):
            raise _refused()
        if token.generation == row.generation - 1 and now - row.rotated_at <= GRACE:
            for key in self._jwt.chain_keys:
                successor = token.successor(key)
                if successor.hash == row.refresh_hash:
                    return self._pair(row, successor, now)
        row.revoked_at, row.revoked_reason = now, "a spent refresh token was used again"
        await _note_change(session, row)
        raise _refused()

    async def end(self, session: SystemSession, *, session_id: UUID, now: datetime, reason: str) -> bool:
        """Revokes one session; False when it is over already, or none."""
        return await _revoke(session, [Session.id == session_id], now, reason) > 0

    async def end_of_user(
        self, session: SystemSession, *, session_id: UUID, user_id: UserId, now: datetime, reason: str
    ) -> bool:
        """Revokes one session of a user; False when it is over already, or another's, or none."""
        return await _revoke(session, [Session.id == session_id, Session.user_id == user_id], now, reason) > 0

    def _is_spent(self, token: RefreshToken, row: Session) -> bool:
        if token.generation >= row.generation:
            return False
        return any(token.is_sealed_by(key) for key in self._jwt.chain_keys)

    def _pair(self, row: Session, token: RefreshToken, now: datetime) -> TokenPair:
        subject = row.user_id or row.portal_account_id
        assert subject is not None  # a constraint of the table
        access = self._jwt.issue_access(subject, token.session_id, now=now)
        return TokenPair(access, str(token), int(self._jwt.access_ttl.total_seconds()))


async def live_sessions(session: ReadSession, *, user_id: UserId, now: datetime) -> Sequence[Session]:
    """The sessions of a user that are not over, those of operators who act as them too; the one last seen first."""
    found = await session.scalars(
        select(Session)
        .where(Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > now)
        .order_by(Session.last_seen_at.desc(), Session.id.desc())
    )
    return found.all()


async def end_sessions(
    session: SystemSession, *, user_id: UserId, but: UUID | None = None, now: datetime, reason: str
) -> int:
    """Revokes all sessions of a user, but one if wanted, and those in which they act as others. Returns how many."""
    wanted: list[ColumnElement[bool]] = [or_(Session.user_id == user_id, Session.impersonator_id == user_id)]
    if but is not None:
        wanted.append(Session.id != but)
    return await _revoke(session, wanted, now, reason)


async def end_acting(session: SystemSession, *, operator_id: UserId, now: datetime) -> Collection[UserId]:
    """Revokes the sessions in which an operator acts as somebody; returns as whom."""
    mine = (Session.impersonator_id == operator_id, Session.revoked_at.is_(None), Session.expires_at > now)
    found = (await session.scalars(select(Session.user_id).where(*mine))).all()
    await _revoke(session, [Session.impersonator_id == operator_id], now, "the operator acts as somebody else")
    return [user_id for user_id in found if user_id is not None]


async def end_impersonations(session: SystemSession, *, user_id: UserId, now: datetime) -> None:
    """Revokes the sessions in which an operator acts as this user, or they act as others."""
    by_or_of = or_(
        Session.impersonator_id == user_id, and_(Session.user_id == user_id, Session.impersonator_id.is_not(None))
    )
    await _revoke(session, [by_or_of], now, "the roles of one of both were changed")


async def end_portal_sessions(
    session: SystemSession, *, account_id: AccountId, subject: str | None = None, now: datetime, reason: str
) -> int:
    """Revokes all portal sessions of an account, or of one member of it. Returns how many."""
    wanted: list[ColumnElement[bool]] = [Session.portal_account_id == account_id]
    if subject is not None:
        wanted.append(Session.portal_subject == subject)
    return await _revoke(session, wanted, now, reason)


async def _is_active(session: SystemSession, row: Session) -> bool:
    if row.user_id is not None:
        return await session.scalar(select(User.status).where(User.id == row.user_id)) == "active"
    return await session.scalar(select(Account.status).where(Account.id == row.portal_account_id)) == "active"


async def _revoke(session: SystemSession, wanted: Sequence[ColumnElement[bool]], now: datetime, reason: str) -> int:
    """Accounts are held before sessions are, by everybody: else two who end each other's would wait in a circle."""
    live = (Session.revoked_at.is_(None), Session.expires_at > now, *wanted)
    known = await session.execute(select(Session.user_id, Session.portal_account_id).where(*live).distinct())
    noted = {(row.user_id, row.portal_account_id) for row in known}
    await _note_owners(session, noted)
    ended = await session.execute(
        update(Session)
        .where(*live)
        .values(revoked_at=now, revoked_reason=reason)
        .returning(Session.user_id, Session.portal_account_id)
    )
    owners = [(row.user_id, row.portal_account_id) for row in ended]
    await _note_owners(session, set(owners) - noted)  # of sessions that have begun in between
    return len(owners)


async def _note_owners(session: SystemSession, owners: Collection[tuple[UserId | None, AccountId | None]]) -> None:
    users = [user_id for user_id, _ in owners if user_id is not None]
    accounts = [account_id for _, account_id in owners if account_id is not None]
    await note_changes(session, user_ids=users, account_ids=accounts)


async def _note_change(session: SystemSession, row: Session) -> None:
    """What may be done in this session has changed: caches of its accounts must look again."""
    if row.user_id is not None:
        await note_user_change(session, row.user_id)
    elif row.portal_account_id is not None:
        await note_account_change(session, row.portal_account_id)


def _refused() -> RefreshRefused:
    return RefreshRefused("This sign-in is over. Sign in again.")
