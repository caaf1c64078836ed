"""What was spent, with what this process has spent from memory a moment ago."""

from fastapi import APIRouter, Request

from backend.auth.api.deps import AccountRead
from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.core.problem import StrictRoute, problem_responses
from backend.subscription import reading
from backend.subscription.api.deps import CurrentEntitlements
from backend.subscription.schemas import UsageResponse

router = APIRouter(prefix="/v1/subscription", tags=["Subscription"], route_class=StrictRoute)


@router.get("/usage", responses=problem_responses(Unauthenticated, ScopeMissing))
async def read_usage(request: Request, session: AccountRead, entitlements: CurrentEntitlements) -> UsageResponse:
    """Usage of the current period, its limits, and every meter in its window. Five calls, then this says five."""
    await request.app.state.treasury.settle_account(entitlements.account.id)
    return await reading.usage(session, entitlements=entitlements)
