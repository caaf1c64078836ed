"""/v1/subscription, and who is signed in."""

from fastapi import APIRouter

from backend.auth.api.deps import AccountRead, CurrentPrincipal, PublicRead
from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.core.problem import StrictRoute, problem_responses
from backend.subscription import reading
from backend.subscription.api.deps import CountedRates, CurrentCatalogs, CurrentEntitlements, PresentTerms
from backend.subscription.errors import PlanNotFound
from backend.subscription.schemas import (
    MeResponse,
    PlanDetailResponse,
    PlanListResponse,
    RateLimitInfo,
    SubscriptionResponse,
)
from backend.subscription.views import offered_plan, plan_schema, subscription_schema

router = APIRouter(prefix="/v1/subscription", tags=["Subscription"], route_class=StrictRoute)
me_router = APIRouter(prefix="/v1/auth", tags=["Sign-in"], route_class=StrictRoute)

_OWN = problem_responses(Unauthenticated, ScopeMissing)


@router.get("/me", responses=_OWN)
async def read_subscription(entitlements: CurrentEntitlements) -> SubscriptionResponse:
    """The subscription (null on the default plan) and the plan in force."""
    return SubscriptionResponse(
        subscription=subscription_schema(entitlements), plan=plan_schema(entitlements.terms, entitlements.catalog)
    )


@router.get("/plans", responses=problem_responses())
async def list_plans(session: PublicRead, catalogs: CurrentCatalogs, present: PresentTerms) -> PlanListResponse:
    """All plans on sale, in order of rank. Needs no sign-in; with one, `offer` is about the account's own plan."""
    catalog = await catalogs.current(session)
    return PlanListResponse(plans=[offered_plan(plan, catalog, present=present) for plan in catalog.plans])


@router.get("/plans/{name}", responses=problem_responses(PlanNotFound))
async def read_plan(
    name: str, session: PublicRead, catalogs: CurrentCatalogs, present: PresentTerms
) -> PlanDetailResponse:
    """One plan on sale. Needs no sign-in."""
    catalog = await catalogs.current(session)
    return PlanDetailResponse(plan=offered_plan(reading.plan_on_sale(catalog, name), catalog, present=present))


@router.get("/rate-limits", responses=_OWN)
async def read_rate_limits(
    session: AccountRead, entitlements: CurrentEntitlements, counted: CountedRates
) -> RateLimitInfo:
    """How many requests the plan in force lets pass, how many are left now, and how many jobs may run at once."""
    return await reading.rate_limits(session, entitlements=entitlements, counted=counted)


@me_router.get("/me", responses=_OWN)
async def read_me(session: PublicRead, principal: CurrentPrincipal, entitlements: CurrentEntitlements) -> MeResponse:
    """Who is signed in, for which account, on which plan."""
    return await reading.me(session, principal=principal, entitlements=entitlements)
