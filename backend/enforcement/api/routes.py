"""/v1/usage and the example endpoint that is metered by it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.catalog.errors import MeterUnknown
from backend.core.problem import StrictRoute, problem_responses
from backend.db.idempotency import IdempotencyKeyReused, RequestInProgress, RequestKey
from backend.enforcement.acting import may_lower
from backend.enforcement.api.deps import CurrentCallers, IdempotencyHeader, SpendingDesk, one_key
from backend.enforcement.api.schemas import (
    CommitBody,
    DecisionAnswer,
    ExtendBody,
    ExtensionAnswer,
    PingAnswer,
    ReleaseBody,
    ReservationAnswer,
    ReserveBody,
    SettlementAnswer,
    SpendBody,
)
from backend.enforcement.errors import (
    AccountSuspended,
    ConcurrencyLimited,
    FeatureNotInPlan,
    OutcomeUnknown,
    QuotaExceeded,
    RateLimited,
)
from backend.usage.errors import IdempotencyConflict, ReservationSettled, ReservationUnknown

router = APIRouter(prefix="/v1", tags=["Usage"], route_class=StrictRoute)

_CALLER = (Unauthenticated, ScopeMissing, AccountSuspended, RateLimited, AccountUnknown)
_SPENDS = (*_CALLER, QuotaExceeded, MeterUnknown, OutcomeUnknown)
_SETTLES = (*_CALLER, ReservationUnknown, ReservationSettled, OutcomeUnknown)


@router.get(
    "/ping",
    response_model=PingAnswer,
    responses=problem_responses(*_CALLER, QuotaExceeded, FeatureNotInPlan, OutcomeUnknown),
)
async def ping(request: Request) -> Response:
    """An example of a metered endpoint: needs the feature `api_access` and costs one `api_calls`."""
    return Response(b'{"message":"pong","decision":%b}' % request.state.spent(), media_type="application/json")


@router.post("/usage/check", response_model=DecisionAnswer, responses=problem_responses(*_SPENDS, body=True))
async def check(body: SpendBody, desk: SpendingDesk, callers: CurrentCallers) -> Mapping[str, Any]:
    """What consuming would answer now; always 200, with `allowed`. Spends nothing."""
    return await desk.check(await callers.reader(body.account_id), meter=body.meter, amount=body.amount)


@router.post(
    "/usage/consume",
    response_model=DecisionAnswer,
    responses=problem_responses(*_SPENDS, IdempotencyConflict, body=True),
)
async def consume(
    body: SpendBody,
    desk: SpendingDesk,
    callers: CurrentCallers,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> Mapping[str, Any]:
    """Spends an amount if it fits, durably. With a key, a repetition spends nothing and gets the first answer."""
    if body.amount < 0 and not may_lower(callers.principal):
        raise ScopeMissing(
            "amount: only a level can be lowered, and that needs a service key with the scope usage:write.",
            scope="usage:write",
        )
    answer, is_repeated = await desk.consume(
        await callers.spender(body.account_id, body.properties),
        meter=body.meter,
        amount=body.amount,
        idempotency_key=one_key(body.idempotency_key, idempotency_key),
    )
    _mark(response, is_repeated)
    return answer


@router.post(
    "/usage/reserve",
    response_model=ReservationAnswer,
    responses=problem_responses(*_SPENDS, ConcurrencyLimited, RequestInProgress, IdempotencyKeyReused, body=True),
)
async def reserve(
    body: ReserveBody,
    request: Request,
    desk: SpendingDesk,
    callers: CurrentCallers,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> Mapping[str, Any]:
    """Sets an amount aside for a long job; commit what it took, or release it. It comes back when `ttl` has passed."""
    caller = await callers.spender(body.account_id)
    kept = None
    if idempotency_key is not None:
        content = body.model_dump_json().encode()
        kept = RequestKey(caller.account_id, request.method, "/v1/usage/reserve", idempotency_key, content)
    answer, is_repeated = await desk.reserve(caller, meter=body.meter, amount=body.amount, ttl=body.ttl, request=kept)
    _mark(response, is_repeated)
    return answer


@router.post("/usage/reservations/{reservation_id}/commit", responses=problem_responses(*_SETTLES, body=True))
async def commit(
    reservation_id: UUID, body: CommitBody, desk: SpendingDesk, callers: CurrentCallers
) -> SettlementAnswer:
    """Counts what the job really took; without an amount, all that was set aside."""
    caller = await callers.spender(body.account_id)
    settled = await desk.commit(caller, reservation_id=reservation_id, amount=body.amount)
    return SettlementAnswer.model_validate(settled)


@router.post("/usage/reservations/{reservation_id}/release", responses=problem_responses(*_SETTLES, body=True))
async def release(
    reservation_id: UUID, desk: SpendingDesk, callers: CurrentCallers, body: ReleaseBody | None = None
) -> SettlementAnswer:
    """Gives back all that was set aside."""
    caller = await callers.spender(body.account_id if body else None)
    return SettlementAnswer.model_validate(await desk.release(caller, reservation_id=reservation_id))


@router.post("/usage/reservations/{reservation_id}/extend", responses=problem_responses(*_SETTLES, body=True))
async def extend(
    reservation_id: UUID, body: ExtendBody, desk: SpendingDesk, callers: CurrentCallers
) -> ExtensionAnswer:
    """Moves the end of an open reservation to `ttl` seconds from now."""
    caller = await callers.spender(body.account_id)
    found = await desk.extend(caller, reservation_id=reservation_id, ttl=body.ttl)
    return ExtensionAnswer.model_validate(found)


def _mark(response: Response, is_repeated: bool) -> None:
    if is_repeated:
        response.headers["Idempotency-Replayed"] = "true"
