"""What the pages of a customer read."""

from collections.abc import Mapping

from sqlalchemy import select

from backend.auth.errors import ScopeMissing
from backend.auth.principal import Principal
from backend.catalog.terms import Catalog, PlanTerms
from backend.db.models import Account, User
from backend.db.session import ReadSession
from backend.ratelimit.model import RateVerdict
from backend.subscription.entitlements import Entitlements
from backend.subscription.errors import PlanNotFound
from backend.subscription.schemas import AccountSchema, MeResponse, PlanNameSchema, RateLimitInfo, UsageResponse
from backend.subscription.service import period_usage
from backend.subscription.views import limits_schema, meter_schemas, rate_limit_info, subscription_schema
from backend.usage.model import JOBS_IN_FLIGHT, LEVEL
from backend.usage.repository import read_counters


async def usage(session: ReadSession, *, entitlements: Entitlements) -> UsageResponse:
    """Usage as of now: the period's record, the limits and every meter."""
    wanted = [(meter.key, entitlements.window(meter)) for meter in entitlements.catalog.meters]
    counters = await read_counters(session, account_id=entitlements.account.id, wanted=wanted)
    return UsageResponse(
        usage=await period_usage(session, entitlements),
        limits=limits_schema(entitlements.terms),
        meters=meter_schemas(entitlements, counters),
    )


async def rate_limits(
    session: ReadSession, *, entitlements: Entitlements, counted: Mapping[str, RateVerdict]
) -> RateLimitInfo:
    """The account's rate limits as this request left them, and its jobs in flight."""
    account_id, key = entitlements.account.id, (JOBS_IN_FLIGHT, LEVEL)
    counters = await read_counters(session, account_id=account_id, wanted=[key])
    return rate_limit_info(entitlements, in_flight=counters.get((JOBS_IN_FLIGHT, LEVEL.start)), counted=counted)


def plan_on_sale(catalog: Catalog, name: str) -> PlanTerms:
    """The newest version of a plan. Raises PlanNotFound."""
    for plan in catalog.plans:
        if plan.name == name:
            return plan
    raise PlanNotFound("No plan on sale has this name; GET /v1/subscription/plans lists them.")


async def me(session: ReadSession, *, principal: Principal, entitlements: Entitlements) -> MeResponse:
    """The user behind a credential. Raises ScopeMissing for a key that belongs to an account alone."""
    if principal.user_id is None:
        raise ScopeMissing("This key belongs to an account and to no user; sign in to see one.")
    user = (await session.scalars(select(User).where(User.id == principal.user_id))).one()
    account = (await session.scalars(select(Account).where(Account.id == entitlements.account.id))).one()
    terms = entitlements.terms
    return MeResponse.model_validate(
        {
            "id": user.id,
            "email": user.email,
            "status": user.status,
            "roles": sorted(principal.roles),
            "mfa_enabled": user.mfa_enabled,
            "account": AccountSchema.model_validate(
                {
                    "id": account.id,
                    "kind": account.kind,
                    "name": account.name,
                    "time_zone": entitlements.zone.key,
                }
            ),
            "subscription": subscription_schema(entitlements),
            "plan": PlanNameSchema(name=terms.name, display_name=terms.display_name),
        }
    )
