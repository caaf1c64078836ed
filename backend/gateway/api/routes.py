"""/v1/gateway: forward authentication for proxies."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.catalog.errors import MeterUnknown
from backend.core.errors import InvalidInput, NotFound
from backend.core.problem import StrictRoute, problem_responses
from backend.enforcement.errors import (
    AccountSuspended,
    OutcomeUnknown,
    QuotaExceeded,
    RateLimited,
)
from backend.gateway.answers import names_of
from backend.gateway.denials import DENIALS, Sealer
from backend.usage.model import API_CALLS, MAX_AMOUNT

router = APIRouter(prefix="/v1/gateway", tags=["Gateway"], route_class=StrictRoute)

_REFUSALS = (Unauthenticated, ScopeMissing, AccountSuspended, RateLimited, QuotaExceeded, MeterUnknown, OutcomeUnknown)


@router.get("/authorize", response_class=Response, responses=problem_responses(*_REFUSALS))
async def authorize(
    request: Request,
    meter: Annotated[str, Query(min_length=1, max_length=64)] = API_CALLS,
    amount: Annotated[int, Query(ge=1, le=MAX_AMOUNT)] = 1,
    deny: Annotated[Literal["", "403"], Query(description="403: every refusal but 401 is a 403, for nginx.")] = "",
) -> Response:
    """Whether a request that a proxy has before it may pass; it spends. The credential is that of the request.

    200 without a body names the account and its plan in `X-Feature-Account` and `X-Feature-Plan`. With `deny=403` a
    refusal carries its true status in `X-Feature-Status`, and in `X-Feature-Decision` what
    `/v1/gateway/denials/{decision}` answers with it. What the application then answers costs the same.
    """
    if getattr(request.state, "spent", None) is None:
        raise InvalidInput(
            "Send meter, amount and deny once each, amount as digits only; other parameters are unknown."
        )
    return Response(headers=dict(names_of(request.state.entitlements)))


@router.get(
    DENIALS.removeprefix("/v1/gateway") + "{decision}", response_class=Response, responses=problem_responses(NotFound)
)
async def denial(request: Request, decision: str) -> Response:
    """The answer that `authorize` had refused with, status, header fields and body; for a minute after it."""
    sealer: Sealer = request.app.state.sealer
    found = sealer.open(decision, now=request.state.now)
    if found is None:
        raise NotFound("No denial of the last minute has this name; take it from X-Feature-Decision.")
    return Response(found.body, status_code=found.status, headers=dict(found.fields))
