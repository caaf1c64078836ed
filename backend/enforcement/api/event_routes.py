"""POST /v1/usage/events: usage that a host application reports."""

from typing import Any

from fastapi import APIRouter, Request

from backend.auth.api.deps import CurrentPrincipal, Now
from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.core.errors import BodyTooLarge, MalformedBody, UnsupportedMedia
from backend.core.problem import StrictRoute, problem_responses, strict_body
from backend.enforcement.acting import USAGE_WRITE, ensure_may, may_lower
from backend.enforcement.api.event_schemas import (
    CLOUD_EVENT,
    CLOUD_EVENTS,
    JSON,
    MEDIA,
    CloudEvent,
    EventsAnswer,
    EventsBody,
    read_events,
    taken_answer,
)
from backend.enforcement.errors import MeterUnknown, OutcomeUnknown, RateLimited
from backend.usage.errors import IdempotencyConflict, TimestampTooNew, TimestampTooOld
from backend.usage.facts import Fact, Taken

router = APIRouter(prefix="/v1/usage", tags=["Usage"], route_class=StrictRoute)

_LIMIT = 1024 * 1024
_BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": EventsBody.model_json_schema()},
            CLOUD_EVENT: {"schema": CloudEvent.model_json_schema()},
            CLOUD_EVENTS: {"schema": {"type": "array", "items": CloudEvent.model_json_schema()}},
        },
    }
}
_CALLER = (Unauthenticated, ScopeMissing, RateLimited, OutcomeUnknown, MalformedBody, BodyTooLarge, UnsupportedMedia)
_ALONE = (AccountUnknown, MeterUnknown, IdempotencyConflict, TimestampTooOld, TimestampTooNew)


@router.post("/events", responses=problem_responses(*_CALLER, *_ALONE), openapi_extra=_BODIES)
async def report(request: Request, principal: CurrentPrincipal, now: Now) -> EventsAnswer:
    """Counts 1 to 1,000 events, each once, whatever the limits say; durable before the answer.

    A bad event is rejected by itself: the answer is 200 and says so of it. A request of a single event that is
    rejected answers with its error. Needs a service key with `usage:write`, or an operator.
    """
    if not may_lower(principal):
        raise ScopeMissing("Reporting usage needs a service key with the scope usage:write.", scope=USAGE_WRITE)
    ensure_may(principal, USAGE_WRITE)
    read = read_events(*await strict_body(request, _LIMIT, media=MEDIA))
    facts = [one for one in read if isinstance(one, Fact)]
    counted = iter(await request.app.state.ingest.take(facts, principal=principal, now=now) if facts else ())
    taken = [one if isinstance(one, Taken) else next(counted) for one in read]
    items = [taken_answer(one) for one in taken]
    if len(taken) == 1 and (error := taken[0].error) is not None:
        error.fields["items"] = [item.model_dump() for item in items]
        raise error
    return EventsAnswer(items=items)
