"""/v1/auth: the second factor, passwords, and how the web app shows things to a user."""

from fastapi import APIRouter, Response

from backend.auth.api.cookies import WebClient
from backend.auth.api.deps import Now, SignedIn, SystemWrite
from backend.auth.api.routes import UserAgent
from backend.auth.api.schemas import (
    ChangePasswordBody,
    EmailBody,
    EnrolBody,
    EnrolmentAnswer,
    Message,
    OtpBody,
    ProfileAnswer,
    ProfileBody,
    ProofBody,
    RecoveryBody,
    RecoveryCodesAnswer,
    RenewCodesBody,
    ResetBody,
    TokenAnswer,
)
from backend.auth.api.services import Auth, ClientAddress, Resets, Security
from backend.auth.errors import (
    ChallengeInvalid,
    CodeRefused,
    LinkInvalid,
    ProofNeeded,
    ProofRefused,
    ScopeMissing,
    SecondFactorActive,
    SecondFactorMissing,
    TooManyAttempts,
    Unauthenticated,
)
from backend.auth.service.profile import change_profile
from backend.core.problem import StrictRoute, problem_responses

router = APIRouter(prefix="/v1/auth", tags=["Sign-in"], route_class=StrictRoute)

_COMPLETES = problem_responses(ChallengeInvalid, CodeRefused, TooManyAttempts, body=True)
_PROVES = (Unauthenticated, ScopeMissing, ProofRefused, TooManyAttempts)


@router.post("/2fa/verify", responses=_COMPLETES)
async def verify_code(
    body: OtpBody,
    service: Auth,
    address: ClientAddress,
    web: WebClient,
    response: Response,
    now: Now,
    user_agent: UserAgent = None,
) -> TokenAnswer:
    """Completes a sign-in by the newest code of the authenticator. Ten codes may be tried for a challenge."""
    pair = await service.verify_otp(
        challenge_id=body.challenge_id, otp=body.otp, address=address, user_agent=user_agent, now=now
    )
    return web.answer(response, pair)


@router.post("/recovery-login", responses=_COMPLETES)
async def recover(
    body: RecoveryBody,
    service: Auth,
    address: ClientAddress,
    web: WebClient,
    response: Response,
    now: Now,
    user_agent: UserAgent = None,
) -> TokenAnswer:
    """Completes a sign-in by a recovery code, which is used up by it."""
    pair = await service.verify_recovery(
        challenge_id=body.challenge_id, code=body.recovery_code, address=address, user_agent=user_agent, now=now
    )
    return web.answer(response, pair)


@router.post("/2fa/enable-init", responses=problem_responses(*_PROVES, ProofNeeded, SecondFactorActive, body=True))
async def begin_second_factor(
    user: SignedIn, service: Security, now: Now, body: EnrolBody | None = None
) -> EnrolmentAnswer:
    """A secret for an authenticator. Two-factor sign-in is on when a first code has confirmed it.

    Who signed in more than 15 minutes ago and has a password sends it along.
    """
    password = body.current_password if body else None
    enrolment = await service.begin_second_factor(
        user_id=user.user_id, session_id=user.session_id, password=password, now=now
    )
    return EnrolmentAnswer.model_validate(enrolment)


@router.post("/2fa/enable-complete", responses=problem_responses(*_PROVES, SecondFactorActive, body=True))
async def confirm_second_factor(body: OtpBody, user: SignedIn, service: Security, now: Now) -> RecoveryCodesAnswer:
    """Turns two-factor sign-in on by a first code, and shows the recovery codes."""
    codes = await service.confirm_second_factor(
        user_id=user.user_id, challenge_id=body.challenge_id, otp=body.otp, now=now
    )
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.post("/2fa/recovery-codes", responses=problem_responses(*_PROVES, SecondFactorMissing, body=True))
async def renew_recovery_codes(
    body: RenewCodesBody, user: SignedIn, service: Security, now: Now
) -> RecoveryCodesAnswer:
    """Ten new recovery codes, for one of two proofs: a code or the password. Those before them stop working."""
    codes = await service.renew_recovery_codes(
        user_id=user.user_id, password=body.current_password, otp=body.otp, now=now
    )
    return RecoveryCodesAnswer(recovery_codes=codes)


@router.post("/2fa/disable", responses=problem_responses(*_PROVES, SecondFactorMissing, body=True))
async def end_second_factor(body: ProofBody, user: SignedIn, service: Security, now: Now) -> Message:
    """Turns two-factor sign-in off, with one of three proofs: the password, a code, or a recovery code."""
    await service.end_second_factor(
        user_id=user.user_id, password=body.password, otp=body.otp, recovery_code=body.recovery_code, now=now
    )
    return Message(message="Two-factor sign-in is off.")


@router.post("/change-password", responses=problem_responses(*_PROVES, body=True))
async def change_password(body: ChangePasswordBody, user: SignedIn, service: Security, now: Now) -> Message:
    """Another password. Every other session of the user ends."""
    await service.change_password(
        user_id=user.user_id,
        session_id=user.session_id,
        current=body.current_password,
        new=body.new_password,
        now=now,
    )
    return Message(message="Your password is changed, and every other session is over.")


@router.post("/forgot-password", status_code=202, responses=problem_responses(TooManyAttempts, body=True))
async def forgot_password(body: EmailBody, service: Resets, now: Now) -> Message:
    """Sends a link to choose a new password. The answer does not tell whether the address is known."""
    await service.forgot(email=body.email, now=now)
    return Message(message="If the address has an account, a message with a link is on its way to it.")


@router.post("/reset-password", responses=problem_responses(LinkInvalid, body=True))
async def reset_password(body: ResetBody, service: Resets, now: Now) -> Message:
    """Sets the password of a link's user, and signs them out everywhere."""
    await service.reset(token=body.token, new_password=body.new_password, now=now)
    return Message(message="Your password is changed. You can sign in now.")


@router.patch("/me", responses=problem_responses(Unauthenticated, ScopeMissing, body=True))
async def change_own_profile(body: ProfileBody, user: SignedIn, session: SystemWrite) -> ProfileAnswer:
    """Changes how the web app shows things to the user. Nothing else of a user is changed here."""
    changes = body.model_dump(exclude_unset=True)
    return ProfileAnswer.model_validate(await change_profile(session, user_id=user.user_id, changes=changes))
