"""Becoming a user: registration, and the link that proves the address."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from backend import mail
from backend.auth.errors import LinkInvalid, TooManyAttempts
from backend.auth.service import attempts
from backend.auth.service.addresses import normal
from backend.auth.service.attempts import Limit
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, UserId, uuid7
from backend.core.settings import Settings
from backend.db.models import Account, AccountMember, CatalogState, EmailVerification, User
from backend.db.session import Database, SystemSession
from backend.ratelimit.model import Address
from backend.security.errors import PasswordRefused
from backend.security.passwords import Passwords, ensure_acceptable
from backend.security.tokens import digest, new_token

_HOUR = 3_600
LINK_LIFETIME = timedelta(hours=24)


class RegistrationService:
    """Registration, confirmation and the repeated link. Answers never tell whether an address is known."""

    def __init__(self, *, database: Database, passwords: Passwords, settings: Settings) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings

    async def register(self, *, email: str, password: str, address: Address, now: datetime) -> None:
        """A user who is not confirmed yet, with their account, and the mail: all of it or nothing.

        A known address gets a mail that says so; one that was never confirmed gets a new link and this password, so
        that who signed up with somebody else's address knows no password of theirs. Both count as repeated links.
        Raises AddressRefused, InvalidInput for the password, TooManyAttempts.
        """
        email = normal(email)
        try:
            ensure_acceptable(password, email=email)
        except PasswordRefused as error:
            raise InvalidInput(f"password: {error}", errors=[{"in": "body", "field": "password"}]) from error
        await self._take(
            attempts.of_network("register", address, 10, _HOUR, allowed=self._settings.rate_limit_allowlist)
        )
        password_hash = await self._passwords.hash(password)
        async with self._database.system() as session:
            user_id = await create_user(session, email=email, password_hash=password_hash, now=now)
            if user_id is not None:
                await self._send_link(session, user_id=user_id, email=email, now=now)
                return
            if not await _may_mail(session, email):
                return
            known = await session.scalar(
                select(User).where(User.email == email, User.deleted_at.is_(None)).with_for_update()
            )
            if known is not None and known.status == "unverified":
                known.password_hash = password_hash
                await self._send_link(session, user_id=known.id, email=email, now=now)
            elif known is not None:
                await self._tell_known(session, email=email)

    async def verify(self, *, token: str, now: datetime) -> None:
        """Confirms the address of a link; a second click finds it confirmed. Raises LinkInvalid."""
        async with self._database.system() as session:
            wanted = EmailVerification.token_hash == digest(token)
            owner = await session.scalar(select(EmailVerification.user_id).where(wanted))
            # The user before the link, as where links are replaced: the other way round the two would deadlock.
            user = await session.get(User, owner, with_for_update=True) if owner else None
            link = await session.scalar(select(EmailVerification).where(wanted).with_for_update())
            if link is None or user is None or user.status not in {"unverified", "active"}:
                raise _invalid()
            if link.used_at is not None and user.email_verified_at is not None:
                return
            if link.used_at is not None or link.expires_at <= now:
                raise _invalid()
            link.used_at = now
            if user.status == "unverified":
                user.status = "active"
                user.email_verified_at = now
            await session.execute(
                update(Account).where(Account.id == user.personal_account_id).values(version=Account.version + 1)
            )

    async def resend(self, *, email: str, now: datetime) -> None:
        """A new link for an address that waits for one; the answer is the same for every address.

        Raises AddressRefused, TooManyAttempts.
        """
        email = normal(email)
        await self._take([_links_to(email)])
        async with self._database.system() as session:
            user = await session.scalar(
                select(User)
                .where(User.email == email, User.deleted_at.is_(None), User.status == "unverified")
                .with_for_update()
            )
            if user is not None:
                await self._send_link(session, user_id=user.id, email=email, now=now)

    async def _take(self, limits: Sequence[Limit]) -> None:
        async with self._database.system() as session:
            await attempts.take(session, limits)

    async def _send_link(self, session: SystemSession, *, user_id: UserId, email: str, now: datetime) -> None:
        """Only the newest link works."""
        await session.execute(
            update(EmailVerification)
            .where(EmailVerification.user_id == user_id, EmailVerification.used_at.is_(None))
            .values(expires_at=now)
        )
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

    async def _tell_known(self, session: SystemSession, *, email: str) -> None:
        await mail.send(
            session,
            to=email,
            subject="You have an account already",
            paragraphs=[
                "Somebody, perhaps you, has tried to make a new account with this address. It has one already, and"
                " nothing was changed.",
            ],
            link=mail.Link("Sign in", f"{self._settings.frontend_base_url}/login"),
        )


async def create_user(
    session: SystemSession,
    *,
    email: str,
    password_hash: str | None,
    now: datetime,
    status: str = "unverified",
) -> UserId | None:
    """A user with the personal account that is born with them; None when the address belongs to somebody.

    The account's periods begin now, in the catalog's billing zone.
    """
    user_id, account_id = UserId(uuid7()), AccountId(uuid7())
    made = await session.scalar(
        insert(User)
        .values(
            id=user_id,
            email=email,
            password_hash=password_hash,
            status=status,
            personal_account_id=account_id,
            email_verified_at=now if status == "active" else None,
        )
        .on_conflict_do_nothing(index_elements=["email"], index_where=User.deleted_at.is_(None))
        .returning(User.id)
    )
    if made is None:
        return None
    catalog = await session.scalar(select(CatalogState))
    session.add(
        Account(
            id=account_id,
            name=email,
            owner_user_id=user_id,
            usage_anchor=now,
            billing_zone=catalog.billing_zone if catalog else "UTC",
            currency=catalog.currency if catalog else "USD",
        )
    )
    await session.flush()  # the membership refers to the account
    session.add(AccountMember(id=uuid7(), account_id=account_id, user_id=user_id, role="owner"))
    await session.flush()  # what follows in this transaction may be plain SQL
    return user_id


def _links_to(email: str) -> Limit:
    return Limit(f"resend:account:{email}", 5, _HOUR)


async def _may_mail(session: SystemSession, email: str) -> bool:
    """Nobody's mailbox is filled by filling in a form; the form's answer stays the same."""
    try:
        await attempts.take(session, [_links_to(email)])
    except TooManyAttempts:
        return False
    return True


def _invalid() -> LinkInvalid:
    return LinkInvalid("This link is unknown, used or too old. Ask for a new one; only the newest works.")
