"""Entitlements and counters in the words of the API. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from feature_platform.core.decision import remaining_of

from backend.catalog.definitions import MeterDefinition
from backend.catalog.terms import Catalog, PlanTerms
from backend.ratelimit.model import RateVerdict
from backend.subscription import marks
from backend.subscription.entitlements import Entitlements
from backend.subscription.notices import Notice
from backend.subscription.projection import project
from backend.subscription.schemas import (
    InFlightSchema,
    MeterUsageSchema,
    OfferSchema,
    OverrideSchema,
    PlanOnSaleSchema,
    ProjectionSchema,
    QuotaLimitsSchema,
    QuotaSchema,
    RateLimitInfo,
    RateLimitSchema,
    RateLimitStateSchema,
    SubscriptionPlanSchema,
    UserSubscriptionSchema,
)
from backend.subscription.stacking import Override
from backend.usage.model import API_CALLS, BYTES_PER_MB, COMPUTE, JOBS, SECONDS_PER_MINUTE, STORAGE, Counter
from backend.usage.repository import CounterKey
from backend.usage.series import Pace

# Base units in one unit of the described quotas and columns.
DESCRIBED_UNIT: Mapping[str, int] = {JOBS: 1, API_CALLS: 1, STORAGE: BYTES_PER_MB, COMPUTE: SECONDS_PER_MINUTE}

_BILLING_PERIOD = {"month": "monthly", "year": "yearly"}


def described_limit(terms: PlanTerms, meter: str) -> int | None:
    """A plan's limit in the described unit, rounded down; None is unlimited. A meter that it lacks is nothing."""
    quota = terms.quotas.get(meter)
    return in_described_unit(meter, quota.limit if quota else 0)


def in_described_unit(meter: str, limit: int | None) -> int | None:
    """A limit in the described unit, rounded down; None is unlimited."""
    return None if limit is None else limit // DESCRIBED_UNIT[meter]


def described_amount(meter: str, amount: int) -> int:
    """An amount in the described unit, rounded up."""
    return -(-amount // DESCRIBED_UNIT[meter])


def plan_schema(terms: PlanTerms, catalog: Catalog) -> SubscriptionPlanSchema:
    """A version of a plan, with the rate limits that it gives."""
    price = next(iter(terms.prices), None)
    scopes = [*catalog.rate_limits, *(scope for scope in terms.rate_limits if scope not in catalog.rate_limits)]
    return SubscriptionPlanSchema(
        id=terms.plan_id,
        name=terms.name,
        display_name=terms.display_name,
        description=terms.description,
        price_cents=price.amount.amount_minor if price else 0,
        currency=price.amount.currency if price else catalog.currency,
        billing_period=_BILLING_PERIOD[price.every] if price else None,
        features=dict(terms.features),
        rate_limit_multiplier=float(terms.rate_limit_multiplier),
        rate_limits={scope: _rate_limit(terms, catalog, scope) for scope in scopes},
        max_jobs_per_month=described_limit(terms, JOBS),
        max_storage_mb=described_limit(terms, STORAGE),
        max_api_calls_per_day=described_limit(terms, API_CALLS),
        max_compute_minutes_per_month=described_limit(terms, COMPUTE),
        quotas=[_quota(terms, meter) for meter in catalog.meters],
        is_active=any(plan.plan_id == terms.plan_id for plan in catalog.plans),
    )


def offered_plan(terms: PlanTerms, catalog: Catalog, *, present: PlanTerms | None) -> PlanOnSaleSchema:
    """A plan on sale to somebody on the plan `present`, or to nobody in particular."""
    return PlanOnSaleSchema(
        **plan_schema(terms, catalog).model_dump(),
        recommended=terms.recommended,
        max_jobs_in_flight=terms.max_jobs_in_flight,
        offer=_offer(terms, present),
    )


def _offer(terms: PlanTerms, present: PlanTerms | None) -> OfferSchema:
    if present is None:
        return OfferSchema(action="sign_up", direction=None)
    if terms.plan_id == present.plan_id:
        return OfferSchema(action="keep", direction=None)
    return OfferSchema(action="ask", direction="up" if terms.rank > present.rank else "down")


def _rate_limit(terms: PlanTerms, catalog: Catalog, scope: str) -> RateLimitSchema:
    own = terms.rate_limits.get(scope)
    limit = own or catalog.rate_limits[scope].times(terms.rate_limit_multiplier)
    return RateLimitSchema(requests=limit.requests, per_seconds=limit.per_seconds, burst=limit.burst)


def _quota(terms: PlanTerms, meter: MeterDefinition) -> QuotaSchema:
    quota = terms.quotas.get(meter.key)
    return QuotaSchema(
        meter=meter.key,
        name=meter.name,
        unit=meter.unit,
        limit=quota.limit if quota else 0,
        window=quota.window if quota else "none" if meter.kind == "gauge" else "period",
    )


def subscription_schema(entitlements: Entitlements) -> UserSubscriptionSchema | None:
    """The live subscription as of the entitlements' moment."""
    subscription, facts = entitlements.subscription, entitlements.facts
    if subscription is None or facts is None:
        return None
    return UserSubscriptionSchema(
        id=subscription.id,
        user_id=subscription.user_id,
        plan_id=subscription.plan_id,
        status=facts.status.value,
        started_at=facts.started_at,
        expires_at=facts.expires_at,
        cancelled_at=facts.cancelled_at,
        current_period_start=facts.current_period_start,
        current_period_end=facts.current_period_end,
        trial_end=facts.trial_end,
        cancel_at_period_end=facts.cancel_at_period_end,
    )


def limits_schema(entitlements: Entitlements) -> QuotaLimitsSchema:
    """The described limits as they are in force."""

    def limit(meter: str) -> int | None:
        return in_described_unit(meter, entitlements.quota(meter).limit)

    return QuotaLimitsSchema(
        jobs=limit(JOBS), storage=limit(STORAGE), api_calls=limit(API_CALLS), compute_minutes=limit(COMPUTE)
    )


def meter_schemas(
    entitlements: Entitlements,
    counters: Mapping[CounterKey, Counter],
    paces: Mapping[str, Pace],
    told: Sequence[Notice],
) -> list[MeterUsageSchema]:
    """Every meter of the catalog in its present window; a counter that is absent is zero. `told`: in these windows."""
    found = []
    for meter in entitlements.catalog.meters:
        window = entitlements.window(meter)
        counter = counters.get((meter.key, window.start)) or Counter(meter.key, window)
        quota = entitlements.quota(meter.key)
        notice = _standing([one for one in told if one.meter == meter.key], counter.used, quota.limit)
        found.append(
            MeterUsageSchema(
                meter=meter.key,
                name=meter.name,
                unit=meter.unit,
                display_unit=meter.display_unit,
                kind=meter.kind,
                window="none" if meter.kind == "gauge" else quota.window,
                used=counter.used,
                held=counter.held,
                limit=quota.limit,
                plan_limit=entitlements.plan_quota(meter.key).limit,
                overrides=[override_schema(one) for one in entitlements.in_force(meter.key)],
                remaining=remaining_of(quota.limit, counter.used, counter.held, counter.forfeited),
                resets_at=window.end,
                as_of=entitlements.now,
                projection=_projection(entitlements, counter, quota.limit, paces.get(meter.key)),
                notice_percent=notice.percent if notice else None,
                blocked_since=notice.reached_at if notice and notice.percent == marks.FULL else None,
            )
        )
    return found


def override_schema(override: Override) -> OverrideSchema:
    """One that is in force."""
    return OverrideSchema(
        id=override.id,
        kind=override.kind,
        amount=override.amount,
        starts_at=override.starts_at,
        ends_at=override.ends_at,
        reason=override.reason,
    )


def _standing(told: Sequence[Notice], used: int, limit: int | None) -> Notice | None:
    """The highest share that was told of and is still reached, of the present limit."""
    reached = marks.reached(used, limit)
    return max((one for one in told if one.percent in reached), key=lambda one: one.percent, default=None)


def _projection(
    entitlements: Entitlements, counter: Counter, limit: int | None, pace: Pace | None
) -> ProjectionSchema | None:
    end = counter.window.end
    if end is None:
        return None
    ahead = entitlements.limits_ahead(counter.meter)
    found = project(used=counter.used, limit=limit, ahead=ahead, end=end, pace=pace, now=entitlements.now)
    return None if found is None else ProjectionSchema.model_validate(found)


def rate_limit_info(
    entitlements: Entitlements, *, in_flight: Counter | None, counted: Mapping[str, RateVerdict]
) -> RateLimitInfo:
    """The limits that count this account's requests. `counted`: what each scope said of the present one."""
    catalog, terms = entitlements.catalog, entitlements.terms
    base, effective = catalog.rate_limits.get("api"), entitlements.rate_limit("api")
    return RateLimitInfo(
        base_limit=base.requests if base else None,
        multiplier=float(terms.rate_limit_multiplier),
        effective_limit=effective.requests if effective else None,
        plan_name=terms.name,
        scopes={
            scope: _rate_limit_state(limit, counted.get(scope), entitlements.now)
            for scope, limit in plan_schema(terms, catalog).rate_limits.items()
        },
        jobs_in_flight=_in_flight(terms, in_flight),
    )


def _rate_limit_state(limit: RateLimitSchema, verdict: RateVerdict | None, now: datetime) -> RateLimitStateSchema:
    return RateLimitStateSchema(
        **limit.model_dump(),
        remaining=verdict.remaining if verdict else None,
        full_at=now + timedelta(microseconds=verdict.reset_after) if verdict else None,
    )


def _in_flight(terms: PlanTerms, counter: Counter | None) -> InFlightSchema:
    taken, limit = counter.taken if counter else 0, terms.max_jobs_in_flight
    return InFlightSchema(limit=limit, used=taken, remaining=remaining_of(limit, taken, 0, 0))
