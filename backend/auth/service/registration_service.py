"""Becoming a user: registration, and the link that proves the address."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from backend import mail
from backend.auth.errors import LinkInvalid, TooManyAttempts
from backend.auth.service import attempts
from backend.auth.service.addresses import normal
from backend.auth.service.attempts import Limit
from backend.auth.service.confirmations import Confirmations
from backend.auth.service.even_time import even_time
from backend.auth.service.own_security import ensure_choice
from backend.auth.service.versions import note_user_change
from backend.core.ids import AccountId, UserId, uuid7
from backend.core.settings import Settings
from backend.db.models import Account, AccountMember, CatalogState, EmailVerification, User
from backend.db.session import Database, SystemSession
from backend.ratelimit.model import Address
from backend.security.passwords import Passwords
from backend.security.tokens import digest

_HOUR = 3_600


class RegistrationService:
    """Registration, confirmation and the repeated link. Answers never tell whether an address is known."""

    def __init__(self, *, database: Database, passwords: Passwords, settings: Settings) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings
        self._confirmations = Confirmations(settings)

    async def register(self, *, email: str, password: str, address: Address, now: datetime) -> None:
        """A user who is not confirmed yet, with their account, and the mail: all of it or nothing.

        A known address gets a mail that says so. One that was never confirmed gets a new link; with another password
        than the first time, the link lets its reader choose one, for nobody knows which of the two came from them:
        who signs up with somebody else's address must never know the password that is in force. No more than five
        mails an hour go to an address that has a user; those are counted for every address, and apart from repeated
        links, whose limit is told. Raises AddressRefused, InvalidInput for the password, TooManyAttempts.
        """
        email = normal(email)
        ensure_choice(password, email=email, field="password")
        await self._take(
            attempts.of_network("register", address, 10, _HOUR, allowed=self._settings.rate_limit_allowlist)
        )
        may_mail = await self._may_mail(email)
        password_hash = await self._passwords.hash(password)
        done = False
        while not done:
            # Compared for unknown addresses, too: an answer must not tell by its time what it does not say.
            async with self._database.read() as session:
                found = await session.execute(
                    select(User.password_hash).where(User.email == email, User.deleted_at.is_(None))
                )
                known_hash = found.scalar_one_or_none()
            is_same = await self._passwords.verify(password, known_hash)
            async with self._database.system() as session:
                user_id = await create_user(session, email=email, password_hash=password_hash, now=now)
                if user_id is not None:
                    await self._confirmations.send_link(session, user_id=user_id, email=email, now=now)
                    return
                done = await self._repeat(
                    session, email=email, known_hash=known_hash, is_same=is_same, may_mail=may_mail, now=now
                )

    async def _repeat(
        self,
        session: SystemSession,
        *,
        email: str,
        known_hash: str | None,
        is_same: bool,
        may_mail: bool,
        now: datetime,
    ) -> bool:
        """A registration of an address that has a user. False when what was compared is not what is stored now."""
        known = await session.scalar(
            select(User).where(User.email == email, User.deleted_at.is_(None)).with_for_update(key_share=True)
        )
        if known is None or known.password_hash != known_hash:
            return False
        if not may_mail:
            return True
        if known.status != "unverified":
            await self._tell_known(session, email=email)
        elif is_same:
            await self._confirmations.send_link(session, user_id=known.id, email=email, now=now)
        else:
            known.password_hash = None
            await self._confirmations.send_choice(session, user_id=known.id, email=email, now=now)
        return True

    async def verify(self, *, token: str, now: datetime) -> None:
        """Confirms the address of a link; a second click finds it confirmed. Raises LinkInvalid."""
        async with self._database.system() as session:
            wanted = EmailVerification.token_hash == digest(token)
            owner = await session.scalar(select(EmailVerification.user_id).where(wanted))
            # The user before the link, as where links are replaced: the other way round the two would deadlock.
            user = await session.get(User, owner, with_for_update={"key_share": True}) if owner else None
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
            await note_user_change(session, user.id)

    async def resend(self, *, email: str, now: datetime) -> None:
        """A new link for an address that waits for one; the answer is the same for every address.

        Raises AddressRefused, TooManyAttempts.
        """
        email = normal(email)
        await self._take([_links_to(email)])
        async with even_time(), self._database.system() as session:
            user = await session.scalar(
                select(User)
                .where(User.email == email, User.deleted_at.is_(None), User.status == "unverified")
                .with_for_update(key_share=True)
            )
            if user is not None:
                await self._confirmations.send_again(session, user=user, now=now)

    async def _take(self, limits: Sequence[Limit]) -> None:
        async with self._database.system() as session:
            await attempts.take(session, limits)

    async def _may_mail(self, email: str) -> bool:
        """Nobody's mailbox is filled by filling in a form; the form's answer stays the same."""
        try:
            await self._take([Limit(attempts.account_subject("signup", email), 5, _HOUR)])
        except TooManyAttempts:
            return False
        return True

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
    return Limit(attempts.account_subject("resend", email), 5, _HOUR)


def _invalid() -> LinkInvalid:
    return LinkInvalid("This link is unknown, used or too old. Ask for a new one; only the newest works.")
