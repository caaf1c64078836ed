"""What signed-in users do about their own security: password, second factor."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from backend import mail
from backend.auth.errors import ProofNeeded, ProofRefused
from backend.auth.service import attempts
from backend.auth.service.attempts import Limit
from backend.auth.service.auth_service import login_limit
from backend.auth.service.links import expire_links
from backend.auth.service.second_factor import Enrolment, SecondFactor, forget_attempts
from backend.auth.service.sessions import end_sessions
from backend.core.errors import InvalidInput
from backend.core.ids import UserId
from backend.core.settings import Settings
from backend.db.models import Session, User
from backend.db.session import Database, SystemSession
from backend.security.errors import PasswordRefused
from backend.security.passwords import Passwords, ensure_acceptable

_QUARTER = 900
_RECENT = timedelta(seconds=_QUARTER)


class OwnSecurity:
    """Each method is transactions of its own. What weakens the protection of a user needs a fresh proof."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        second_factor: SecondFactor,
        settings: Settings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._second_factor = second_factor
        self._settings = settings

    async def change_password(
        self, *, user_id: UserId, session_id: UUID, current: str | None, new: str, now: datetime
    ) -> None:
        """Another password; every other session of the user ends, and links that were sent before stop working.

        Who has none yet (the first administrator) needs no current one. Raises ProofRefused, InvalidInput,
        TooManyAttempts.
        """
        user = await self._prove_password(user_id, current)
        if current == new:
            raise _unacceptable("new_password", "this is your present password. Choose another.")
        password_hash = await hash_new(self._passwords, new, email=user.email, field="new_password")
        async with self._database.system() as session:
            found = await _locked(session, user_id)
            if found.password_hash != user.password_hash:
                raise ProofRefused("The password was changed a moment ago. Try again.")
            found.password_hash = password_hash
            await end_sessions(session, user_id=user_id, but=session_id, now=now, reason="the password was changed")
            await expire_links(session, user_id=user_id, now=now)
            await forget_attempts(session, user_id)
            await attempts.clear(session, _proofs(user_id).subject)
            await tell_of_new_password(session, email=found.email, settings=self._settings)

    async def begin_second_factor(
        self, *, user_id: UserId, session_id: UUID, password: str | None, now: datetime
    ) -> Enrolment:
        """A secret for an authenticator, which waits for its first code.

        A stolen access token must not lock its user out, so a sign-in of long ago needs the password, where there is
        one. Raises ProofNeeded, ProofRefused, TooManyAttempts, SecondFactorActive.
        """
        if password is not None:
            await self._prove_password(user_id, password)
        else:
            await self._ensure_recent(user_id, session_id, now)
        async with self._database.system() as session:
            user = await session.get_one(User, user_id)
            return await self._second_factor.enrol(session, user=user, now=now)

    async def confirm_second_factor(self, *, user_id: UserId, challenge_id: str, otp: str, now: datetime) -> list[str]:
        """Turns two-factor sign-in on; the recovery codes. Raises ProofRefused, TooManyAttempts, SecondFactorActive."""
        async with self._database.system() as session:
            codes = await self._second_factor.confirm(
                session, user_id=user_id, challenge_id=challenge_id, otp=otp, now=now
            )
            user = await session.get_one(User, user_id)
            await tell(session, user.email, "Two-factor sign-in is on", "From now on, signing in needs a code, too.")
            return codes

    async def end_second_factor(
        self,
        *,
        user_id: UserId,
        password: str | None,
        otp: str | None,
        recovery_code: str | None,
        now: datetime,
    ) -> None:
        """Turns two-factor sign-in off, with one fresh proof: the password, a code or a recovery code.

        Raises InvalidInput without exactly one proof, ProofRefused, SecondFactorMissing, TooManyAttempts.
        """
        if sum(proof is not None for proof in (password, otp, recovery_code)) != 1:
            raise InvalidInput("Send one of password, otp and recovery_code, as the proof that it is you.")
        if password is not None:
            await self._prove_password(user_id, password)
        else:
            await self._take_slot(user_id)
        async with self._database.system() as session:
            if otp is not None:
                await self._second_factor.prove_by_otp(session, user_id=user_id, otp=otp, now=now)
            if recovery_code is not None:
                await self._second_factor.prove_by_recovery(session, user_id=user_id, code=recovery_code, now=now)
            await self._second_factor.remove(session, user_id=user_id)
            await attempts.clear(session, _proofs(user_id).subject)
            user = await session.get_one(User, user_id)
            await tell(session, user.email, "Two-factor sign-in is off", "From now on, the password alone is enough.")

    async def renew_recovery_codes(
        self, *, user_id: UserId, password: str | None, otp: str | None, now: datetime
    ) -> list[str]:
        """New recovery codes, shown once; those before them stop working.

        Raises InvalidInput without exactly one proof, ProofRefused, SecondFactorMissing, TooManyAttempts.
        """
        if (password is None) == (otp is None):
            raise InvalidInput("Send one of otp and current_password, as the proof that it is you.")
        if password is not None:
            await self._prove_password(user_id, password)
        else:
            await self._take_slot(user_id)
        async with self._database.system() as session:
            codes = await self._second_factor.renew_codes(session, user_id=user_id, otp=otp, now=now)
            await attempts.clear(session, _proofs(user_id).subject)
            user = await session.get_one(User, user_id)
            await tell(session, user.email, "You have new recovery codes", "The recovery codes of before are void.")
            return codes

    async def _ensure_recent(self, user_id: UserId, session_id: UUID, now: datetime) -> None:
        async with self._database.read() as session:
            user = await session.get_one(User, user_id)
            began = await session.get_one(Session, session_id)
        if user.password_hash is not None and now - began.created_at > _RECENT:
            raise ProofNeeded(
                "You signed in more than 15 minutes ago. Send your password as current_password, as the proof that it "
                "is you."
            )

    async def _prove_password(self, user_id: UserId, password: str | None) -> User:
        """The user, whose password it is. Counted before it is hashed. Raises ProofRefused, TooManyAttempts."""
        await self._take_slot(user_id)
        async with self._database.read() as session:
            user = await session.get_one(User, user_id)
        if user.password_hash is None and password is None:
            return user
        if password is None or not await self._passwords.verify(password, user.password_hash):
            raise ProofRefused("This is not your password.")
        return user

    async def _take_slot(self, user_id: UserId) -> None:
        async with self._database.system() as session:
            await attempts.take(session, [_proofs(user_id)])


async def hash_new(passwords: Passwords, password: str, *, email: str, field: str) -> str:
    """The hash of a password that somebody chooses. Raises InvalidInput for one that cannot be chosen."""
    ensure_choice(password, email=email, field=field)
    return await passwords.hash(password)


def ensure_choice(password: str, *, email: str, field: str) -> None:
    """Raises InvalidInput, about the field of the body, for a password that cannot be chosen."""
    try:
        ensure_acceptable(password, email=email)
    except PasswordRefused as error:
        raise _unacceptable(field, str(error)) from error


def _unacceptable(field: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{field}: {reason}", errors=[{"in": "body", "field": field}])


async def tell_of_new_password(session: SystemSession, *, email: str, settings: Settings) -> None:
    """Tells a user that their password is another one now, and gives their sign-in attempts back."""
    await attempts.clear(session, login_limit(email).subject)
    await mail.send(
        session,
        to=email,
        subject="Your password was changed",
        paragraphs=[
            "The password of your account was changed, and everybody was signed out.",
            "If it was not you, choose another one now.",
        ],
        link=mail.Link("Choose another password", f"{settings.frontend_base_url}/forgot"),
    )


async def tell(session: SystemSession, email: str, subject: str, sentence: str) -> None:
    """Mails somebody what has changed in how they sign in."""
    await mail.send(
        session, to=email, subject=subject, paragraphs=[sentence, "If it was not you, change your password now."]
    )


async def _locked(session: SystemSession, user_id: UserId) -> User:
    return (await session.scalars(select(User).where(User.id == user_id).with_for_update(key_share=True))).one()


def _proofs(user_id: UserId) -> Limit:
    return Limit(f"proof:user:{user_id}", 10, _QUARTER)
