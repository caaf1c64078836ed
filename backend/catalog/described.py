"""The columns of `subscription_plans` that describe the newest version of a plan. Pure."""

from collections.abc import Mapping
from typing import Any

from backend.catalog.definitions import CatalogDocument, MeterDefinition, PlanDefinition, rate_limits_json
from backend.catalog.units import units_of

# Column: the meter whose limit it shows, and the unit in which it shows it.
_LIMITS = {
    "max_jobs_per_month": ("jobs", "job"),
    "max_storage_mb": ("storage", "MB"),
    "max_api_calls_per_day": ("api_calls", "call"),
    "max_compute_minutes_per_month": ("compute", "minute"),
}
_BILLING_PERIODS = {"month": "monthly", "year": "yearly"}


def described_columns(plan: PlanDefinition, document: CatalogDocument) -> dict[str, Any]:
    """What the row of a plan says besides its id, whether it is sold, and its times.

    Limits are whole units, rounded down; None is unlimited, and a meter that the catalog lacks is nothing. The price
    is the monthly one if there is one; a plan without a price is free. Rate limits are those that count: the plan's
    own, or the base limit times its multiplier.
    """
    meters = {meter.key: meter for meter in document.meters}
    base = {scope: limit.times(plan.rate_limit_multiplier) for scope, limit in document.rate_limits.items()}
    price = min(plan.prices, key=lambda price: price.every, default=None)  # "month" sorts before "year"
    return {
        "name": plan.name,
        "display_name": plan.display_name,
        "description": plan.description,
        "price_cents": price.amount.amount_minor if price else 0,
        "billing_period": _BILLING_PERIODS[price.every] if price else None,
        "features": dict(plan.features),
        "rate_limit_multiplier": plan.rate_limit_multiplier,
        "rate_limits": rate_limits_json({**base, **plan.rate_limits}),
        **{column: _limit(plan, meters, *shown) for column, shown in _LIMITS.items()},
    }


def _limit(plan: PlanDefinition, meters: Mapping[str, MeterDefinition], meter: str, unit: str) -> int | None:
    for quota in plan.quotas:
        if quota.meter == meter:
            return None if quota.limit is None else quota.limit // units_of(meters[meter].unit).get(unit, 1)
    return 0
