"""Whose a credential is, as of this moment: a revoked one works nowhere, at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from backend.auth.errors import AccountUnknown, Unauthenticated
from backend.auth.principal import Principal, Role, role_named
from backend.auth.service.host_accounts import is_external_id
from backend.auth.service.issuers import ForeignIdentity, TrustedIssuers
from backend.auth.service.key_holders import holder_of
from backend.core.ids import AccountId
from backend.db.session import ReadSession
from backend.security.errors import TokenInvalid
from backend.security.jwt_service import AccessClaims, JwtService
from backend.security.tokens import is_key, is_well_formed

EXTERNAL = "external:"
_SCHEME = "bearer "

_SESSION = text("""
    SELECT s.user_id, s.expires_at, s.portal_account_id, s.portal_subject, s.impersonator_id, s.may_write,
        u.personal_account_id, u.mfa_enabled,
        ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = s.user_id) AS roles
    FROM sessions s LEFT JOIN users u ON u.id = s.user_id
    WHERE s.id = :session_id AND coalesce(s.user_id, s.portal_account_id) = :subject
        AND s.revoked_at IS NULL AND s.expires_at > :now AND (s.user_id IS NULL OR u.status = 'active')
        AND (s.impersonator_id IS NULL OR (
            NOT EXISTS (SELECT FROM user_roles r WHERE r.user_id = s.user_id)
            AND EXISTS (
                SELECT FROM users o JOIN user_roles r ON r.user_id = o.id
                WHERE o.id = s.impersonator_id AND o.status = 'active' AND (r.role = 'superadmin' OR o.mfa_enabled)
            )
        ))
""")
_MEMBERSHIP = """
    SELECT a.id, m.role FROM account_members m JOIN accounts a ON a.id = m.account_id
    WHERE a.status <> 'deleted' AND m.removed_at IS NULL AND {who} AND {which}
"""
_BY_USER, _BY_SUBJECT = "m.user_id = :who", "m.foreign_subject = :who"
_NAMED = "(a.id = CAST(:id AS uuid) OR a.external_id = CAST(:external_id AS text))"
_OF_USER = text(_MEMBERSHIP.format(who=_BY_USER, which=_NAMED))
_OF_SUBJECT = text(_MEMBERSHIP.format(who=_BY_SUBJECT, which=_NAMED))
# The personal account first: it is the one that is meant where none is named.
_ALL_OF_SUBJECT = text(
    _MEMBERSHIP.format(who=_BY_SUBJECT, which="true") + "ORDER BY a.kind = 'personal' DESC, a.created_at, a.id LIMIT 1"
)
# Who was removed is told apart from who was never listed.
_LISTED = text("""
    SELECT role, removed_at IS NOT NULL AS is_removed FROM account_members
    WHERE account_id = :account_id AND foreign_subject = :who
""")
_EXTERNAL_ACCOUNT = text("SELECT id FROM accounts WHERE external_id = :external_id AND status <> 'deleted'")

Refused = Unauthenticated | AccountUnknown


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential whose form and signature are good; whether it is still in force, the database says."""

    key: str | None = None
    claims: AccessClaims | None = None
    foreign: ForeignIdentity | None = None


class Credentials:
    """Verifies access tokens, tokens of trusted issuers, and API keys."""

    def __init__(self, jwt: JwtService, issuers: TrustedIssuers) -> None:
        self._jwt = jwt
        self._issuers = issuers

    async def present(self, authorization: str | None, *, now: datetime) -> Presented | Unauthenticated | None:
        """What an `Authorization` field holds; None without one, an error (not raised) for a bad one.

        Outside of any transaction, for the keys of an issuer may have to be fetched. Raises Unavailable.
        """
        if authorization is None:
            return None
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return Unauthenticated("Send a token or an API key: `Authorization: Bearer ...`.")
        credential = authorization[len(_SCHEME) :].strip()
        if is_key(credential):
            return Presented(key=credential) if is_well_formed(credential) else _bad()
        try:
            foreign = await self._issuers.verify(credential, now=now)
            if foreign is not None:
                return Presented(foreign=foreign)
            return Presented(claims=self._jwt.verify_access(credential, now=now))
        except TokenInvalid:
            return _bad()

    async def resolve(
        self, session: ReadSession, presented: Presented, *, account: str | None, now: datetime
    ) -> Principal | Refused:
        """The caller behind a credential; an error (not raised) for one that is not in force.

        `account` is the one that a person of several accounts names: an id, or `external:` and the host
        application's own id. Another one than theirs is as unknown as one that does not exist.
        """
        if presented.key is not None:
            return await self._of_key(session, presented.key, account, now)
        if presented.claims is not None:
            return await self._of_session(session, presented.claims, account, now)
        assert presented.foreign is not None
        return await self._of_subject(session, presented.foreign, account)

    async def _of_session(
        self, session: ReadSession, claims: AccessClaims, account: str | None, now: datetime
    ) -> Principal | Refused:
        arguments = {"session_id": claims.session_id, "subject": claims.subject, "now": now}
        row = (await session.execute(_SESSION, arguments)).one_or_none()
        if row is None or claims.is_acting != (row.impersonator_id is not None):
            return _bad()
        if row.user_id is None:
            return await self._of_portal(session, row, claims.session_id, account)
        named = account or str(row.personal_account_id)
        found = (await session.execute(_OF_USER, {"who": row.user_id, **_name(named)})).one_or_none()
        if found is None:
            return _unknown()
        return Principal(
            kind="user",
            account_id=found.id,
            user_id=row.user_id,
            session_id=claims.session_id,
            role=found.role,
            roles=frozenset(row.roles),
            has_second_factor=row.mfa_enabled,
            good_until=min(claims.expires_at, row.expires_at),
            impersonator_id=row.impersonator_id,
            may_write=row.may_write,
        )

    async def _of_portal(
        self, session: ReadSession, row: Row[Any], session_id: UUID, account: str | None
    ) -> Principal | Refused:
        """In the role that the member has now; who is no member any more is nobody."""
        role: Role = "owner"
        if row.portal_subject is not None:
            arguments = {"who": row.portal_subject, **_name(str(row.portal_account_id))}
            member = (await session.execute(_OF_SUBJECT, arguments)).one_or_none()
            if member is None:
                return _bad()
            role = member.role
        principal = Principal(
            kind="portal",
            account_id=row.portal_account_id,
            subject=row.portal_subject,
            session_id=session_id,
            role=role,
        )
        return principal if account is None or await _is(session, account, principal.account_id) else _unknown()

    async def _of_subject(self, session: ReadSession, who: ForeignIdentity, account: str | None) -> Principal | Refused:
        if who.account is not None:
            own = await session.scalar(_EXTERNAL_ACCOUNT, {"external_id": who.account})
            if own is not None and (account is None or await _is(session, account, own)):
                listed = (await session.execute(_LISTED, {"who": who.subject, "account_id": own})).one_or_none()
                if listed is not None and listed.is_removed:
                    return _unknown()
                return _foreign(who, own, listed.role if listed else who.role)
            if account is None:
                return _unknown()
        if account is not None:
            rows = (await session.execute(_OF_SUBJECT, {"who": who.subject, **_name(account)})).all()
        else:
            rows = (await session.execute(_ALL_OF_SUBJECT, {"who": who.subject})).all()
        return _foreign(who, rows[0].id, rows[0].role) if rows else _unknown()

    async def _of_key(self, session: ReadSession, key: str, account: str | None, now: datetime) -> Principal | Refused:
        holder = await holder_of(session, key, now=now)
        if not isinstance(holder, Principal):
            return _bad()
        own = holder.account_id
        if own is not None and account is not None and not await _is(session, account, own):
            return _unknown()
        return holder


async def _is(session: ReadSession, named: str, account_id: AccountId | None) -> bool:
    """Whether a name is that of this account."""
    name = _name(named)
    if name["external_id"] is None:
        return account_id is not None and name["id"] == str(account_id)
    found: AccountId | None = await session.scalar(_EXTERNAL_ACCOUNT, {"external_id": name["external_id"]})
    return found is not None and found == account_id


def _name(named: str) -> dict[str, str | None]:
    """The two ways to name an account. What is neither names none."""
    if named.startswith(EXTERNAL):
        external_id = named.removeprefix(EXTERNAL)
        return {"id": None, "external_id": external_id if is_external_id(external_id) else None}
    try:
        return {"id": str(UUID(named)), "external_id": None}
    except ValueError:
        return {"id": None, "external_id": None}


def _foreign(who: ForeignIdentity, account_id: AccountId, role: str) -> Principal:
    return Principal(kind="foreign_user", account_id=account_id, subject=who.subject, role=role_named(role))


def _bad() -> Unauthenticated:
    return Unauthenticated("This credential is unknown, expired or revoked. Sign in again, or use another key.")


def _unknown() -> AccountUnknown:
    return AccountUnknown("No account of yours has this id.")
