"""/v1/usage/events: usage that a host application reports, takes back or corrects."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from backend.auth.api.deps import CurrentPrincipal, Now
from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.auth.principal import Principal
from backend.catalog.errors import MeterUnknown
from backend.core.errors import BodyTooLarge, MalformedBody, UnsupportedMedia
from backend.core.problem import StrictRoute, problem_responses, strict_body
from backend.enforcement import corrections
from backend.enforcement.acting import USAGE_WRITE, ensure_may, may_lower
from backend.enforcement.api.deps import Callers, CurrentCallers
from backend.enforcement.api.event_schemas import (
    CLOUD_EVENT,
    CLOUD_EVENTS,
    JSON,
    MEDIA,
    CloudEvent,
    CorrectBody,
    CorrectedAnswer,
    EventsAnswer,
    EventsBody,
    RetractBody,
    read_events,
    ref,
    taken_answer,
)
from backend.enforcement.errors import OutcomeUnknown, RateLimited
from backend.usage.errors import AmountUnknown, EventUnknown, IdempotencyConflict, TimestampTooNew, TimestampTooOld
from backend.usage.facts import Fact, Taken

router = APIRouter(prefix="/v1/usage", tags=["Usage"], route_class=StrictRoute)

_LIMIT = 1024 * 1024
_BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": ref(EventsBody)},
            CLOUD_EVENT: {"schema": ref(CloudEvent)},
            CLOUD_EVENTS: {"schema": {"type": "array", "items": ref(CloudEvent)}},
        },
    }
}
_CALLER = (Unauthenticated, ScopeMissing, RateLimited, OutcomeUnknown, MalformedBody, BodyTooLarge, UnsupportedMedia)
_CORRECTS = (Unauthenticated, ScopeMissing, AccountUnknown, EventUnknown, MeterUnknown, RateLimited, OutcomeUnknown)
_ALONE = (AccountUnknown, MeterUnknown, IdempotencyConflict, TimestampTooOld, TimestampTooNew)


@router.post(
    "/events",
    response_model=EventsAnswer,
    responses=problem_responses(*_CALLER, *_ALONE),
    openapi_extra=_BODIES,
)
async def report(request: Request, principal: CurrentPrincipal, now: Now) -> Response:
    """Counts 1 to 1,000 events, each once, whatever the limits say; durable before the answer.

    A bad event is rejected by itself: the answer is 200 and says so of it. A request of a single event that is
    rejected answers with its error. Needs a service key with `usage:write`, or an operator.
    """
    _ensure_reports(principal)
    read = read_events(*await strict_body(request, _LIMIT, media=MEDIA))
    facts = [one for one in read if isinstance(one, Fact)]
    counted = iter(await request.app.state.ingest.take(facts, principal=principal, now=now) if facts else ())
    taken = [one if isinstance(one, Taken) else next(counted) for one in read]
    items = [taken_answer(one) for one in taken]
    if len(taken) == 1 and (error := taken[0].error) is not None:
        error.fields["items"] = items
        raise error
    return Response(to_json({"items": items}), media_type="application/json")  # they are what they are by making


@router.post("/events/{event_id:path}/retract", responses=problem_responses(*_CORRECTS, body=True))
async def retract(request: Request, event_id: str, body: RetractBody, callers: CurrentCallers) -> CorrectedAnswer:
    """Takes an event back, whenever it was reported: what it counted is free again at once. Once is enough.

    Of an event that set a level it takes back what that changed. Suspended accounts are no exception.
    """
    return await _correct(request, callers, event_id, body, amount=0)


@router.post("/events/{event_id:path}/correct", responses=problem_responses(*_CORRECTS, AmountUnknown, body=True))
async def correct(request: Request, event_id: str, body: CorrectBody, callers: CurrentCallers) -> CorrectedAnswer:
    """Says what an event really was; the difference is counted.

    An event that set a level has no amount of its own (409 `amount_unknown`): report a new level instead.
    """
    return await _correct(request, callers, event_id, body, amount=body.amount)


async def _correct(
    request: Request, callers: Callers, event_id: str, body: RetractBody, *, amount: int
) -> CorrectedAnswer:
    _ensure_reports(callers.principal)
    caller = await callers.spender(body.account_id)
    found = await corrections.correct(
        request.app.state.engine, caller, event_id=event_id, amount=amount, reason=body.reason
    )
    return CorrectedAnswer(
        id=event_id,
        meter=found.meter,
        amount_before=found.amount_before,
        amount=found.amount,
        counted=found.counted,
    )


def _ensure_reports(principal: Principal) -> None:
    if not may_lower(principal):
        raise ScopeMissing("Reporting usage needs a service key with the scope usage:write.", scope=USAGE_WRITE)
    ensure_may(principal, USAGE_WRITE)
