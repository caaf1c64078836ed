"""/v1/admin/stream: refusals of all accounts and operators' acts, as they come."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from backend.admin.api.deps import may
from backend.admin.errors import NoOperator, SecondFactorNeeded
from backend.admin.operator import Operator, operator_of
from backend.admin.permissions import allowed
from backend.admin.watching import Interest, OperatorStream, Watching
from backend.auth.api.deps import CurrentPrincipal
from backend.auth.errors import Unauthenticated
from backend.auth.principal import Principal
from backend.auth.service.credentials import Presented
from backend.core.errors import PlatformError
from backend.core.ids import AccountId
from backend.core.problem import StrictRoute, problem_responses
from backend.db.session import UNAVAILABLE
from backend.enforcement.api.decision_routes import Code
from backend.enforcement.api.live_routes import EventStream, LastEventId, events_content
from backend.enforcement.errors import TooManyStreams

router = APIRouter(prefix="/v1/admin", tags=["Operators"], route_class=StrictRoute)

_ERRORS = (Unauthenticated, NoOperator, SecondFactorNeeded, TooManyStreams)
Only = Annotated[
    Literal["denial", "act"] | None,
    Query(description="Which to see; what the role allows of both where it is left out. `act` needs audit.read."),
]


class InForce:
    """Whether an operator who looks on would still be let in, to see the same."""

    def __init__(self, request: Request, *, shows_acts: bool) -> None:
        self._request = request
        self._shows_acts = shows_acts

    async def __call__(self) -> bool:
        state, now = self._request.app.state, self._request.app.clock.now()
        headers = self._request.headers
        try:
            presented = await state.credentials.present(headers.get("authorization"), now=now)
            if not isinstance(presented, Presented):
                return False
            async with state.database.read() as session:
                account = headers.get("feature-account")
                found = await state.credentials.resolve(session, presented, account=account, now=now)
            if not isinstance(found, Principal):
                return False
            operator = operator_of(found, "decisions.read", address="", request_id="")
        except PlatformError:
            return False
        except UNAVAILABLE:  # who cannot be looked at is asked to come again
            return False
        return not self._shows_acts or allowed(operator.roles, "audit.read")


@router.get(
    "/stream",
    response_class=EventStream,
    responses={200: {"content": events_content("denial", "act", "left_out", "gap")}, **problem_responses(*_ERRORS)},
)
async def stream(
    request: Request,
    operator: Annotated[Operator, may("decisions.read")],
    principal: CurrentPrincipal,
    only: Only = None,
    account_id: UUID | None = None,
    code: Code | None = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """What is refused to anybody, and what operators and commands do, as server-sent events.

    Begins with the newest 50 of 15 minutes, or after `Last-Event-ID`. Each second the newest 100 are told; `left_out`
    says how many were not (`is_exact` is false where there were more than that), and `gap` that something is missing.
    It ends by itself, and when the session, the role or the second factor does: connect again then.
    """
    if only == "act":
        operator.ensure("audit.read")
    shows_acts = only != "denial" and allowed(operator.roles, "audit.read")
    account = AccountId(account_id) if account_id is not None else None
    interest = Interest(shows_acts, shows_denials=only != "act", account_id=account, code=code)
    assert principal.account_id is not None  # of a signed-in user
    watching: Watching = request.app.state.watching
    looks = OperatorStream(operator.user_id, principal.account_id, interest)
    first = await watching.begin(looks, last_event_id)
    seconds = request.app.state.settings.live_stream_seconds
    if principal.good_until is not None:
        seconds = min(seconds, (principal.good_until - request.app.clock.now()).total_seconds())
    in_force = InForce(request, shows_acts=shows_acts)
    return EventStream(looks.read(first, in_force, seconds), lambda: watching.leave(looks))
