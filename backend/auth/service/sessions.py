"""Sessions and their chains of refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from backend.auth.errors import RefreshRefused
from backend.core.ids import UserId, uuid7
from backend.db.models import Account, Session, User
from backend.db.session import ReadSession, SystemSession
from backend.security.errors import TokenInvalid
from backend.security.jwt_service import JwtService
from backend.security.tokens import RefreshToken

# A lost answer, or two tabs: the direct parent gets the same successor again.
GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Device:
    """From where a session was begun; shown to its user."""

    user_agent: str | None
    address: str


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client signs its requests with, and what it gets the next pair for."""

    access_token: str
    refresh_token: str
    expires_in: int


class Sessions:
    """Begins, continues and ends sessions. `lifetime` runs from the last refresh."""

    def __init__(self, jwt: JwtService, *, lifetime: timedelta) -> None:
        self._jwt = jwt
        self._lifetime = lifetime

    async def begin(self, session: SystemSession, *, user_id: UserId, device: Device, now: datetime) -> TokenPair:
        """A new session of a user who has just proved who they are."""
        token = RefreshToken.first(uuid7(), self._jwt.chain_keys[0])
        session.add(
            Session(
                id=token.session_id,
                user_id=user_id,
                refresh_hash=token.hash,
                generation=token.generation,
                rotated_at=now,
                user_agent=(device.user_agent or "")[:300] or None,
                address=device.address,
                created_at=now,
                last_seen_at=now,
                expires_at=now + self._lifetime,
            )
        )
        await session.execute(update(User).where(User.id == user_id).values(last_login_at=now))
        await _note_change(session, user_id)
        return self._pair(user_id, token, now)

    async def refresh(self, session: SystemSession, *, presented: str, now: datetime) -> TokenPair:
        """The next pair. The direct parent of the newest token gets the same pair again for ten seconds.

        Any other spent token means that somebody has a copy: the family is revoked. Raises RefreshRefused.
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
            successor = token.successor(continuing)
            row.refresh_hash, row.generation, row.rotated_at = successor.hash, successor.generation, now
            row.last_seen_at, row.expires_at = now, now + self._lifetime
            return self._pair(row.user_id, successor, now)
        if not self._is_spent(token, row):
            raise _refused()
        if token.generation == row.generation - 1 and now - row.rotated_at <= GRACE:
            for key in self._jwt.chain_keys:
                successor = token.successor(key)
                if successor.hash == row.refresh_hash:
                    return self._pair(row.user_id, successor, now)
        row.revoked_at, row.revoked_reason = now, "a spent refresh token was used again"
        await _note_change(session, row.user_id)
        raise _refused()

    async def live(self, session: ReadSession, *, user_id: UserId, now: datetime) -> Sequence[Session]:
        """The sessions of a user that are not over, the one last seen first."""
        found = await session.scalars(
            select(Session)
            .where(Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > now)
            .order_by(Session.last_seen_at.desc(), Session.id.desc())
        )
        return found.all()

    async def end(
        self, session: SystemSession, *, session_id: UUID, user_id: UserId, now: datetime, reason: str
    ) -> bool:
        """Revokes one session of a user; False when it is over already, or another's, or none."""
        ended = await session.scalar(
            update(Session)
            .where(
                Session.id == session_id,
                Session.user_id == user_id,
                Session.revoked_at.is_(None),
                Session.expires_at > now,
            )
            .values(revoked_at=now, revoked_reason=reason)
            .returning(Session.user_id)
        )
        if ended is not None:
            await _note_change(session, ended)
        return ended is not None

    def _is_spent(self, token: RefreshToken, row: Session) -> bool:
        if token.generation >= row.generation:
            return False
        return any(token.is_sealed_by(key) for key in self._jwt.chain_keys)

    def _pair(self, user_id: UserId, token: RefreshToken, now: datetime) -> TokenPair:
        access = self._jwt.issue_access(user_id, token.session_id, now=now)
        return TokenPair(access, str(token), int(self._jwt.access_ttl.total_seconds()))


async def _is_active(session: SystemSession, row: Session) -> bool:
    return await session.scalar(select(User.status).where(User.id == row.user_id)) == "active"


async def _note_change(session: SystemSession, user_id: UserId) -> None:
    """What a user may do has changed: caches of their account must look again."""
    own = select(User.personal_account_id).where(User.id == user_id).scalar_subquery()
    await session.execute(update(Account).where(Account.id == own).values(version=Account.version + 1))


def _refused() -> RefreshRefused:
    return RefreshRefused("This sign-in is over. Sign in again.")
