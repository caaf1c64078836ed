"""Users that commands make, and what the first administrator is given at start-up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from backend.auth.errors import EmailTaken, UserUnknown
from backend.auth.service import attempts
from backend.auth.service.addresses import normal
from backend.auth.service.attempts import account_subjects
from backend.auth.service.host_accounts import mark_deleted
from backend.auth.service.keys_service import CreatedKey, create_key
from backend.auth.service.links import expire_links
from backend.auth.service.registration_service import create_user
from backend.auth.service.second_factor import forget_attempts
from backend.auth.service.sessions import end_impersonations, end_sessions
from backend.auth.service.versions import note_user_change
from backend.core.ids import UserId, uuid7
from backend.db.audit import SYSTEM, Target, record
from backend.db.models import Account, AccountMember, ApiKey, RecoveryCode, SignInLink, TotpSecret, User, UserRole
from backend.db.session import Database, ReadSession, SystemSession
from backend.security.tokens import digest, new_token

SUPERADMIN = "superadmin"
FIRST_ADMIN = "admin@localhost"
RUN_KEY = "make run"
LINK_LIFETIME = timedelta(minutes=30)


async def create_active_user(
    session: SystemSession, *, email: str, password_hash: str, roles: Sequence[str] = (), now: datetime
) -> UserId:
    """A user who may sign in at once, without a mail. Raises AddressRefused, EmailTaken."""
    email = normal(email, local=True)
    user_id = await create_user(session, email=email, password_hash=password_hash, now=now, status="active")
    if user_id is None:
        raise EmailTaken(f"{email} belongs to a user already.")
    for role in roles:
        await grant_role(session, user_id=user_id, role=role)
    return user_id


async def find_user(session: SystemSession, *, email: str) -> User:
    """The user who has this address now. Raises AddressRefused, UserUnknown."""
    email = normal(email, local=True)
    user = await session.scalar(select(User).where(User.email == email, User.deleted_at.is_(None)))
    if user is None:
        raise UserUnknown(f"No user has the address {email}.")
    return user


async def grant_role(session: SystemSession, *, user_id: UserId, role: str) -> None:
    """Gives an operator role; one who has it keeps it."""
    await session.execute(insert(UserRole).values(user_id=user_id, role=role).on_conflict_do_nothing())
    await note_user_change(session, user_id)


async def set_roles(session: SystemSession, *, user_id: UserId, roles: Sequence[str], now: datetime) -> None:
    """Gives exactly these operator roles. Who acts as somebody by the ones before does so no more."""
    await end_impersonations(session, user_id=user_id, now=now)
    await session.execute(delete(UserRole).where(UserRole.user_id == user_id, UserRole.role.not_in(roles)))
    for role in roles:
        await session.execute(insert(UserRole).values(user_id=user_id, role=role).on_conflict_do_nothing())
    await note_user_change(session, user_id)


async def roles_of(session: ReadSession, *, user_id: UserId) -> list[str]:
    """The operator roles of a user, in the order of their names."""
    found = await session.scalars(select(UserRole.role).where(UserRole.user_id == user_id).order_by(UserRole.role))
    return list(found)


async def delete_user(session: SystemSession, *, user: User, now: datetime) -> None:
    """Ends a user: they can never sign in again, and their address is free. Their personal account grants nothing.

    What was used, paid and done stays, as evidence; in accounts of others they are no member any more.
    """
    await end_sessions(session, user_id=user.id, now=now, reason="the user was deleted")
    await note_user_change(session, user.id)
    user.status, user.deleted_at, user.password_hash, user.mfa_enabled = "deleted", now, None, False
    for secret in (TotpSecret, RecoveryCode):
        await session.execute(delete(secret).where(secret.user_id == user.id))
    await forget_failures(session, user=user)
    await expire_links(session, user_id=user.id, now=now)
    await session.execute(delete(UserRole).where(UserRole.user_id == user.id))
    own = await session.get(Account, user.personal_account_id, with_for_update={"key_share": True})
    assert own is not None  # a foreign key
    await mark_deleted(session, account=own, now=now)
    await session.execute(
        delete(AccountMember).where(AccountMember.user_id == user.id, AccountMember.account_id != own.id)
    )
    await session.execute(
        update(ApiKey).where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
    )


async def forget_failures(session: SystemSession, *, user: User) -> None:
    """Lets a user try at once who was kept waiting for failed sign-ins or too many mails."""
    for subject in account_subjects(user.email):
        await attempts.clear(session, subject)
    await forget_attempts(session, user.id)


async def set_locked(session: SystemSession, *, user_id: UserId, locked: bool, now: datetime) -> bool:
    """Keeps a user out, or lets them in again; says whether that changed anything. Their sessions end, keys rest."""
    before, after = ("active", "suspended") if locked else ("suspended", "active")
    changed = await session.scalar(
        update(User).where(User.id == user_id, User.status == before).values(status=after).returning(User.id)
    )
    if changed is None:
        return False
    if locked:
        await end_sessions(session, user_id=user_id, now=now, reason="the user was locked")
    await note_user_change(session, user_id)
    return True


async def first_admin_link(database: Database, *, frontend_base_url: str, now: datetime) -> str | None:
    """A link that signs the first superadmin in once; None as soon as a superadmin can sign in with a password.

    Without a superadmin `admin@localhost` becomes one. Links that were made before and not used stop working.
    """
    async with database.system() as session:
        admins = await _superadmins(session)
        if any(admin.password_hash is not None for admin in admins):
            return None
        admin_id = admins[0].id if admins else await _make_first_admin(session, now=now)
        if admin_id is None:
            return None
        token = new_token()
        await session.execute(delete(SignInLink).where(SignInLink.user_id == admin_id, SignInLink.used_at.is_(None)))
        session.add(
            SignInLink(
                id=uuid7(), user_id=admin_id, token_hash=digest(token), created_at=now, expires_at=now + LINK_LIFETIME
            )
        )
        return f"{frontend_base_url}/login?token={token}"


async def mint_run_key(database: Database, *, now: datetime) -> CreatedKey | None:
    """A personal key for the first superadmin's account; the one of the run before stops working.

    None without a superadmin: `first_admin_link` makes the first one.
    """
    async with database.system() as session:
        admins = await _superadmins(session)
        if not admins:
            return None
        admin = admins[0]
        await session.execute(
            update(ApiKey)
            .where(ApiKey.account_id == admin.personal_account_id, ApiKey.name == RUN_KEY, ApiKey.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        made = await create_key(
            session, name=RUN_KEY, account_id=admin.personal_account_id, user_id=admin.id, scopes=(), now=now
        )
        record(session, SYSTEM, "key.create", Target("key", made.id), now=now, after={"name": RUN_KEY})
        return made


async def _superadmins(session: SystemSession) -> Sequence[User]:
    """Those who can sign in, the first first."""
    found = await session.scalars(
        select(User)
        .join(UserRole, UserRole.user_id == User.id)
        .where(UserRole.role == SUPERADMIN, User.status == "active")
        .order_by(User.created_at, User.id)
    )
    return found.all()


async def _make_first_admin(session: SystemSession, *, now: datetime) -> UserId | None:
    """None when somebody else has the address: nobody is given a role that nobody asked for."""
    user_id = await create_user(session, email=FIRST_ADMIN, password_hash=None, now=now, status="active")
    if user_id is not None:
        await grant_role(session, user_id=user_id, role=SUPERADMIN)
        after = {"email": FIRST_ADMIN, "roles": [SUPERADMIN]}
        record(session, SYSTEM, "user.create", Target("user", user_id), now=now, after=after)
    return user_id
