"""/v1/auth: becoming a user, signing in and out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from backend.auth.api.cookies import RefreshCookie, WebClient
from backend.auth.api.deps import CurrentPrincipal, Now, SessionId, SignedIn
from backend.auth.api.schemas import (
    EmailBody,
    EndedSessions,
    LoginBody,
    Message,
    RefreshBody,
    RegisterBody,
    SecondFactorNeeded,
    SessionList,
    TokenAnswer,
    TokenBody,
    session_schema,
)
from backend.auth.api.services import Auth, ClientAddress, Registration
from backend.auth.errors import (
    InvalidCredentials,
    LinkInvalid,
    RefreshRefused,
    ScopeMissing,
    SessionUnknown,
    TooManyAttempts,
    Unauthenticated,
)
from backend.core.problem import StrictRoute, problem_responses

router = APIRouter(prefix="/v1/auth", tags=["Sign-in"], route_class=StrictRoute)

UserAgent = Annotated[str | None, Header(include_in_schema=False)]

_SENT = "If the address can be used, a message with a link is on its way to it."
_CONFIRMED = "Your address is confirmed. You can sign in now."


@router.post("/register", status_code=202, responses=problem_responses(TooManyAttempts, body=True))
async def register(body: RegisterBody, service: Registration, address: ClientAddress, now: Now) -> Message:
    """Makes a user and sends a link that confirms the address. The answer does not tell whether it was known."""
    await service.register(email=body.email, password=body.password, address=address, now=now)
    return Message(message=_SENT)


@router.get("/verify-email", responses=problem_responses(LinkInvalid))
async def open_verification_link(
    token: Annotated[str, Query(min_length=1, max_length=200)], service: Registration, now: Now
) -> Message:
    """Confirms the address of a link."""
    await service.verify(token=token, now=now)
    return Message(message=_CONFIRMED)


@router.post("/verify-email", responses=problem_responses(LinkInvalid, body=True))
async def verify_email(body: TokenBody, service: Registration, now: Now) -> Message:
    """Confirms the address of a link."""
    await service.verify(token=body.token, now=now)
    return Message(message=_CONFIRMED)


@router.post("/resend-verification", status_code=202, responses=problem_responses(TooManyAttempts, body=True))
async def resend_verification(body: EmailBody, service: Registration, now: Now) -> Message:
    """Sends a new link, if the address waits for one."""
    await service.resend(email=body.email, now=now)
    return Message(message=_SENT)


@router.post("/login", responses=problem_responses(InvalidCredentials, TooManyAttempts, body=True))
async def login(
    body: LoginBody,
    service: Auth,
    address: ClientAddress,
    web: WebClient,
    response: Response,
    now: Now,
    user_agent: UserAgent = None,
) -> TokenAnswer | SecondFactorNeeded:
    """A new session; with two-factor sign-in a challenge, which a code completes."""
    found = await service.login(
        email=body.email, password=body.password, address=address, user_agent=user_agent, now=now
    )
    return web.answer_or_ask(response, found)


@router.post("/sign-in-link", responses=problem_responses(LinkInvalid, TooManyAttempts, body=True))
async def use_sign_in_link(
    body: TokenBody,
    service: Auth,
    address: ClientAddress,
    web: WebClient,
    response: Response,
    now: Now,
    user_agent: UserAgent = None,
) -> TokenAnswer | SecondFactorNeeded:
    """A new session for the user of a link that works once; with two-factor sign-in a challenge."""
    found = await service.use_link(token=body.token, address=address, user_agent=user_agent, now=now)
    return web.answer_or_ask(response, found)


@router.post("/portal-link", responses=problem_responses(LinkInvalid, TooManyAttempts, body=True))
async def use_portal_link(
    body: TokenBody,
    service: Auth,
    address: ClientAddress,
    web: WebClient,
    response: Response,
    now: Now,
    user_agent: UserAgent = None,
) -> TokenAnswer:
    """A session in the rooms of the account of a portal link, which works once."""
    pair = await service.use_portal_link(token=body.token, address=address, user_agent=user_agent, now=now)
    return web.answer(response, pair)


@router.post("/refresh", responses=problem_responses(RefreshRefused, body=True))
async def refresh(
    service: Auth, web: WebClient, response: Response, now: Now, body: RefreshBody, cookie: RefreshCookie = None
) -> TokenAnswer:
    """The next pair of tokens. Each refresh token is good once; a retry within ten seconds gets the same pair.

    The cookie of the web app, which its tabs share, changes at most once in ten seconds.
    """
    presented = web.presented(body.refresh_token, cookie)
    return web.answer(response, await service.refresh(refresh_token=presented, shared=web.is_web, now=now))


@router.post("/logout", responses=problem_responses(Unauthenticated, ScopeMissing))
async def logout(
    session_id: SessionId, principal: CurrentPrincipal, service: Auth, web: WebClient, response: Response, now: Now
) -> Message:
    """Ends the session of the token that was sent."""
    await service.logout(session_id=session_id, now=now)
    if principal.impersonator_id is None:  # the cookie of who acts as somebody else is their own session's
        web.forget(response)
    return Message(message="You are signed out.")


@router.get("/sessions", responses=problem_responses(Unauthenticated, ScopeMissing))
async def list_sessions(user: SignedIn, service: Auth, now: Now) -> SessionList:
    """Where the user is signed in."""
    found = await service.sessions(user_id=user.user_id, now=now)
    return SessionList(items=[session_schema(row, current=user.session_id) for row in found])


@router.delete("/sessions", responses=problem_responses(Unauthenticated, ScopeMissing))
async def end_other_sessions(user: SignedIn, service: Auth, now: Now) -> EndedSessions:
    """Ends all sessions of the user but the one that asks."""
    ended = await service.end_other_sessions(session_id=user.session_id, user_id=user.user_id, now=now)
    return EndedSessions(ended_count=ended)


@router.delete("/sessions/{session_id}", responses=problem_responses(Unauthenticated, ScopeMissing, SessionUnknown))
async def end_session(session_id: UUID, user: SignedIn, service: Auth, now: Now) -> Message:
    """Ends one session of the user; its tokens work nowhere from then on."""
    await service.end_session(session_id=session_id, user_id=user.user_id, now=now)
    return Message(message="The session is over.")
