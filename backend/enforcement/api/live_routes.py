"""/v1/usage/live: an account's own usage and refusals, as they come."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from backend.auth.api.deps import CurrentDatabase
from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.core.problem import StrictRoute, problem_responses
from backend.enforcement.api.deps import CurrentCallers
from backend.enforcement.api.series_routes import Account
from backend.enforcement.errors import AccountSuspended, RateLimited, TooManyStreams
from backend.enforcement.listening import Listening

router = APIRouter(prefix="/v1/usage", tags=["Usage"], route_class=StrictRoute)

_ERRORS = (Unauthenticated, ScopeMissing, AccountUnknown, AccountSuspended, RateLimited, TooManyStreams)
_MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The id of the last event that was seen: go on from there.")
]


class EventStream(StreamingResponse):
    """An answer that goes on; however it ends, nobody is left looking on for it: `end` is called."""

    media_type = _MEDIA_TYPE

    # The description of the API takes the status of an answer from here.
    def __init__(self, parts: AsyncIterator[bytes], end: Callable[[], None], status_code: int = 200) -> None:
        super().__init__(parts, status_code, _HEADERS)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def events_content(*kinds: str) -> dict[str, Any]:
    """How an answer of such events is described: as their list, and each by `itemSchema` (OpenAPI 3.2)."""
    event = {
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"enum": list(kinds)},
            "id": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json"},
        },
    }
    return {_MEDIA_TYPE: {"schema": {"type": "array", "items": event}, "itemSchema": event}}


@router.get(
    "/live",
    response_class=EventStream,
    responses={200: {"content": events_content("usage", "denial", "meters", "gap")}, **problem_responses(*_ERRORS)},
)
async def live(
    request: Request,
    database: CurrentDatabase,
    callers: CurrentCallers,
    account_id: Account = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Usage and refusals of the account as they come, as server-sent events; it ends by itself, connect again then.

    `usage` and `denial` come once for each event (one that grows: each time, with its id and new amount), `meters`
    says how the counters stand, at most once a second, and `gap` that something was left out. Begins with the newest
    50 of 15 minutes, or after `Last-Event-ID`; there some may come twice, which their ids tell.
    """
    caller, state = await callers.reader(account_id), request.app.state
    if caller.entitlements is None:
        await state.engine.fresh_entitlements(caller)
    listening = Listening(
        state.live,
        database,
        state.credentials,
        request.app.clock,
        principal=callers.principal,
        account_id=caller.account_id,
        authorization=request.headers.get("authorization"),
        account=request.headers.get("feature-account"),
    )
    first = await listening.begin(last_event_id)
    seconds = listening.seconds(state.settings.live_stream_seconds)
    return EventStream(listening.stream.read(first, listening.is_in_force, seconds), listening.end)
