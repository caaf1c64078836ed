"""One-time codes (RFC 6238) and recovery codes: confirmed, asked for at sign-in, taken away."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
import segno
import structlog
from sqlalchemy import delete, func, select, update

from backend import mail
from backend.auth.errors import (
    ChallengeInvalid,
    CodeRefused,
    ProofRefused,
    SecondFactorActive,
    SecondFactorMissing,
    TooManyAttempts,
)
from backend.auth.service import attempts
from backend.auth.service.attempts import Limit
from backend.auth.service.versions import note_user_change
from backend.core.errors import Unavailable
from backend.core.ids import UserId, uuid7
from backend.db.models import RecoveryCode, SignInChallenge, TotpSecret, User
from backend.db.session import SystemSession
from backend.security.encryption import Encryption
from backend.security.errors import SecretUnreadable
from backend.security.tokens import digest, new_token

ISSUER = "Feature Platform"
STEP_SECONDS = 30
ATTEMPTS = 10
RECOVERY_CODES = 10
LOGIN_LIFETIME = timedelta(minutes=5)
ENROLMENT_LIFETIME = timedelta(minutes=15)

_HOUR, _DAY = 3_600, 86_400  # seconds
_WRONG = "This code is not right, or it was used before. Codes change every 30 seconds."
_DRIFT = 1  # steps before and after the present one: clocks of telephones are off by seconds
_RECOVERY_BYTES = 10  # 80 bits: 16 letters and digits

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A sign-in whose password was right and which waits for a code."""

    challenge_id: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator needs to know; shown once."""

    secret: str
    otpauth_url: str
    qr_svg: str
    challenge_id: str


class SecondFactor:
    """The second factor of users. Each method is part of the caller's transaction.

    A code that is wrong counts against its challenge before it is looked at; the errors that say so keep that count.
    """

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    async def ask(self, session: SystemSession, *, user_id: UserId, now: datetime) -> Challenge:
        """A challenge for a sign-in."""
        return Challenge(await self._challenge(session, user_id, "login", None, now, LOGIN_LIFETIME))

    async def enrol(self, session: SystemSession, *, user: User, now: datetime) -> Enrolment:
        """A new secret that waits to be confirmed; an earlier one that waits is forgotten.

        Raises SecondFactorActive.
        """
        await _lock(session, user.id)
        if user.mfa_enabled:
            raise SecondFactorActive("Two-factor sign-in is on already. Turn it off before you set it up anew.")
        waiting = (SignInChallenge.user_id == user.id, SignInChallenge.purpose == "enable")
        await session.execute(delete(SignInChallenge).where(*waiting))
        secret = pyotp.random_base32()
        sealed = self._encryption.encrypt(secret, about=_about(user.id))
        challenge_id = await self._challenge(session, user.id, "enable", sealed, now, ENROLMENT_LIFETIME)
        url = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)
        picture = segno.make(url, error="m", micro=False).svg_inline(scale=4, border=4, omitsize=True)
        return Enrolment(secret, url, picture, challenge_id)

    async def confirm(
        self, session: SystemSession, *, user_id: UserId, challenge_id: str, otp: str, now: datetime
    ) -> list[str]:
        """Turns the second factor on; the recovery codes, shown once.

        Raises ProofRefused, TooManyAttempts, SecondFactorActive.
        """
        challenge = await self._attempt(session, challenge_id, "enable", now)
        if challenge is None or challenge.user_id != user_id or challenge.secret is None:
            raise ProofRefused("This set-up is unknown, used or too old. Begin it again.")
        secret = self._read(challenge.secret, user_id)
        step = _matching_step(secret, otp, after=0, now=now)
        if step is None:
            raise ProofRefused("This code is not right. Codes change every 30 seconds; enter the newest.")
        if await session.get(TotpSecret, user_id) is not None:
            raise SecondFactorActive("Two-factor sign-in is on already.")
        challenge.used_at = now
        session.add(TotpSecret(user_id=user_id, secret=challenge.secret, last_step=step, confirmed_at=now))
        await session.execute(update(User).where(User.id == user_id).values(mfa_enabled=True))
        await note_user_change(session, user_id)
        return await self._new_codes(session, user_id, now)

    async def pass_with_otp(self, session: SystemSession, *, challenge_id: str, otp: str, now: datetime) -> UserId:
        """The user whose sign-in is complete by this code.

        Raises ChallengeInvalid, CodeRefused, TooManyAttempts.
        """
        challenge = await self._attempt_to_sign_in(session, challenge_id, now)
        if not await self._take_otp(session, challenge.user_id, otp, now):
            raise CodeRefused(_WRONG)
        await attempts.clear(session, _codes_of(challenge.user_id).subject)
        challenge.used_at = now
        return challenge.user_id

    async def pass_with_recovery(
        self, session: SystemSession, *, challenge_id: str, code: str, now: datetime
    ) -> UserId:
        """The same by a recovery code, which is used up by it."""
        challenge = await self._attempt_to_sign_in(session, challenge_id, now)
        if not await self._take_recovery(session, challenge.user_id, code, now):
            raise CodeRefused(_WRONG)
        await attempts.clear(session, _codes_of(challenge.user_id).subject)
        challenge.used_at = now
        await self._tell_of_recovery(session, challenge.user_id)
        return challenge.user_id

    async def _tell_of_recovery(self, session: SystemSession, user_id: UserId) -> None:
        user = await session.get_one(User, user_id)
        left = await self.codes_left(session, user_id=user_id)
        await mail.send(
            session,
            to=user.email,
            subject="A recovery code was used to sign in",
            paragraphs=[
                f"Somebody, we hope you, has signed in with a recovery code. {left} of {RECOVERY_CODES} are left.",
                "If it was not you, change your password now.",
            ],
        )

    async def prove_by_otp(self, session: SystemSession, *, user_id: UserId, otp: str, now: datetime) -> None:
        """Accepts a code of a signed-in user. The caller has counted the attempt. Raises ProofRefused."""
        await _lock(session, user_id)
        if not await self._take_otp(session, user_id, otp, now):
            raise ProofRefused(_WRONG)

    async def prove_by_recovery(self, session: SystemSession, *, user_id: UserId, code: str, now: datetime) -> None:
        """Uses one recovery code of a signed-in user up. Raises ProofRefused."""
        await _lock(session, user_id)
        if not await self._take_recovery(session, user_id, code, now):
            raise ProofRefused(_WRONG)

    async def renew_codes(
        self, session: SystemSession, *, user_id: UserId, otp: str | None, now: datetime
    ) -> list[str]:
        """New recovery codes, which replace those before. `otp` is checked unless something else was the proof.

        Raises SecondFactorMissing, ProofRefused.
        """
        await _lock(session, user_id)
        if await session.get(TotpSecret, user_id) is None:
            raise SecondFactorMissing("Two-factor sign-in is not on.")
        if otp is not None and not await self._take_otp(session, user_id, otp, now):
            raise ProofRefused(_WRONG)
        return await self._new_codes(session, user_id, now)

    async def _take_recovery(self, session: SystemSession, user_id: UserId, code: str, now: datetime) -> bool:
        used = await session.scalar(
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == user_id,
                RecoveryCode.code_hash == digest(_plain(code)),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=now)
            .returning(RecoveryCode.id)
        )
        return used is not None

    async def codes_left(self, session: SystemSession, *, user_id: UserId) -> int:
        """How many recovery codes are unused."""
        unused = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        return await session.scalar(unused) or 0

    async def remove(self, session: SystemSession, *, user_id: UserId) -> None:
        """Turns the second factor off and forgets all that belonged to it. Raises SecondFactorMissing."""
        await _lock(session, user_id)
        gone = await session.scalar(
            delete(TotpSecret).where(TotpSecret.user_id == user_id).returning(TotpSecret.user_id)
        )
        if gone is None:
            raise SecondFactorMissing("Two-factor sign-in is not on.")
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        await forget_attempts(session, user_id)
        await session.execute(update(User).where(User.id == user_id).values(mfa_enabled=False))
        await note_user_change(session, user_id)

    async def rewrap(self, session: SystemSession, *, limit: int) -> int:
        """Writes secrets that are under another key anew, under the active one. Returns how many.

        Those that wait to be confirmed are among them. Raises SecretUnreadable.
        """
        active = f"{self._encryption.ring.active}."
        confirmed = select(TotpSecret).where(~TotpSecret.secret.startswith(active))
        waiting = select(SignInChallenge).where(~SignInChallenge.secret.startswith(active))
        found = [
            *(await session.scalars(confirmed.limit(limit).with_for_update())),
            *(await session.scalars(waiting.limit(limit).with_for_update())),
        ]
        for row in found:
            about = _about(row.user_id)
            row.secret = self._encryption.encrypt(self._encryption.decrypt(row.secret or "", about=about), about=about)
        return len(found)

    def _read(self, stored: str, user_id: UserId) -> str:
        """The secret. Raises Unavailable where this process does not have its key: the code can be tried elsewhere."""
        try:
            return self._encryption.decrypt(stored, about=_about(user_id))
        except SecretUnreadable as error:
            _log.error("secret_unreadable", user_id=str(user_id), reason=str(error))
            raise Unavailable(
                "Codes cannot be checked at this moment, and this one was not counted. Try again shortly.",
                headers={"Retry-After": "10"},
                retry_after=10,
                retryable=True,
            ) from error

    async def _challenge(
        self,
        session: SystemSession,
        user_id: UserId,
        purpose: str,
        secret: str | None,
        now: datetime,
        lifetime: timedelta,
    ) -> str:
        token = new_token()
        session.add(
            SignInChallenge(
                id=uuid7(),
                user_id=user_id,
                purpose=purpose,
                secret=secret,
                token_hash=digest(token),
                created_at=now,
                expires_at=now + lifetime,
            )
        )
        await session.flush()
        return token

    async def _attempt_to_sign_in(self, session: SystemSession, challenge_id: str, now: datetime) -> SignInChallenge:
        challenge = await self._attempt(session, challenge_id, "login", now)
        if challenge is None:
            raise ChallengeInvalid("This challenge is unknown, used or too old. Sign in again.")
        return challenge

    async def _attempt(
        self, session: SystemSession, challenge_id: str, purpose: str, now: datetime
    ) -> SignInChallenge | None:
        """The challenge, locked, with this attempt counted; None for one that is no more. Raises TooManyAttempts.

        The user is locked before it, as everywhere.
        """
        wanted = (SignInChallenge.token_hash == digest(challenge_id), SignInChallenge.purpose == purpose)
        owner = await session.scalar(select(SignInChallenge.user_id).where(*wanted))
        if owner is not None:
            await _lock(session, owner)
        challenge = await session.scalar(select(SignInChallenge).where(*wanted).with_for_update())
        if challenge is None or challenge.used_at is not None or challenge.expires_at <= now:
            return None
        if challenge.attempts >= ATTEMPTS:
            raise TooManyAttempts(
                f"{ATTEMPTS} codes were tried for this challenge. Sign in again for a new one.", retryable=False
            )
        if purpose == "login":
            await attempts.take(session, [_codes_of(challenge.user_id)])
        challenge.attempts += 1
        await session.flush()
        return challenge

    async def _take_otp(self, session: SystemSession, user_id: UserId, otp: str, now: datetime) -> bool:
        row = await session.get(TotpSecret, user_id, with_for_update=True)
        if row is None:
            return False
        secret = self._read(row.secret, user_id)
        step = _matching_step(secret, otp, after=row.last_step, now=now)
        if step is None:
            return False
        row.last_step = step
        if not self._encryption.is_active(row.secret):
            row.secret = self._encryption.encrypt(secret, about=_about(user_id))
        return True

    async def _new_codes(self, session: SystemSession, user_id: UserId, now: datetime) -> list[str]:
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        session.add_all(
            RecoveryCode(id=uuid7(), user_id=user_id, code_hash=digest(_plain(code)), created_at=now) for code in codes
        )
        return codes


async def forget_attempts(session: SystemSession, user_id: UserId) -> None:
    """After a change of the password or the factor: sign-ins that wait for a code rest on what is no more, and so do
    the guesses that were counted, which would keep out who has just set things right."""
    await session.execute(delete(SignInChallenge).where(SignInChallenge.user_id == user_id))
    await attempts.clear(session, _codes_of(user_id).subject)


def _matching_step(secret: str, otp: str, *, after: int, now: datetime) -> int | None:
    """The time step whose code it is: the present one or a neighbour, and none that was accepted before."""
    given = otp.replace(" ", "").encode()
    present = int(now.timestamp()) // STEP_SECONDS
    codes = pyotp.TOTP(secret)
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        if step > after and hmac.compare_digest(codes.generate_otp(step).encode(), given):
            return step
    return None


def _recovery_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _plain(code: str) -> str:
    """A code as it is compared: people type it in small letters, with and without the dashes."""
    return code.replace("-", "").replace(" ", "").upper()


async def _lock(session: SystemSession, user_id: UserId) -> None:
    """Whoever changes a user's second factor holds this until the end of the transaction."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


def _about(user_id: UserId) -> str:
    return f"totp:{user_id}"


def _codes_of(user_id: UserId) -> Limit:
    """Over all challenges of a user: who knows the password must not get ten new guesses with every sign-in."""
    return Limit(f"2fa:user:{user_id}", 20, _HOUR, remembered=_DAY)
