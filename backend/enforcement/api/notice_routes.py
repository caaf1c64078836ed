"""/v1/usage/notices: what the customer was told of their usage."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from backend.auth.api.deps import CurrentDatabase
from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.core.problem import StrictRoute, problem_responses
from backend.enforcement.api.deps import CurrentCallers
from backend.enforcement.api.series_routes import Account
from backend.enforcement.errors import AccountSuspended, RateLimited
from backend.subscription import notices

router = APIRouter(prefix="/v1/usage", tags=["Usage"], route_class=StrictRoute)

_ERRORS = (Unauthenticated, ScopeMissing, AccountUnknown, AccountSuspended, RateLimited)


class NoticeAnswer(BaseModel):
    """That `percent` of a quota was reached at `reached_at`, by the account's clock. `used` and `limit` are as they
    were then, in base units. A level is told of once in each period and does not reset: its `resets_at` is null."""

    model_config = ConfigDict(from_attributes=True)

    meter: str
    percent: Literal[80, 95, 100]
    used: int
    limit: int
    window_start: datetime
    resets_at: datetime | None
    reached_at: datetime


class NoticesAnswer(BaseModel):
    """Notices of the present windows, the newest first."""

    as_of: datetime
    items: list[NoticeAnswer]


@router.get("/notices", responses=problem_responses(*_ERRORS))
async def read_notices(
    request: Request, database: CurrentDatabase, callers: CurrentCallers, account_id: Account = None
) -> NoticesAnswer:
    """What was told of usage in the present windows: once each at 80, 95 and 100 % of a quota.

    They come about a second after the use that they are of, and stay when use or the limit changes. Whether a limit
    still holds anything back, `GET /v1/subscription/usage` says: `blocked_since`.
    """
    caller = await callers.reader(account_id)
    entitlements = caller.entitlements or await request.app.state.engine.fresh_entitlements(caller)
    async with database.read(caller.account_id) as session:
        found = await notices.present(session, entitlements)
    return NoticesAnswer(as_of=entitlements.now, items=[NoticeAnswer.model_validate(one) for one in found])
