"""What a catalog defines: meters, features, plans. Frozen, in base units and minor units; None is unlimited."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from feature_platform.core.gcra import RateLimit

from backend.core.money import Money

MeterKind = Literal["counter", "gauge"]
Durability = Literal["strict", "allowance"]
WindowKind = Literal["day", "period", "none"]
PriceInterval = Literal["month", "year"]


# Meters of which each unit must be in the database before it is answered for, whatever a file says.
STRICT_METERS = frozenset({"jobs", "storage", "compute"})


@dataclass(frozen=True, slots=True)
class MeterDefinition:
    """Something counted in whole base units. `position` is its place in lists, from 0.

    `durability`: "strict" is in the database before the answer; "allowance" is spent in memory from amounts that
    processes have set aside, and survives the death of a process but not of its disk.
    """

    key: str
    name: str
    unit: str
    display_unit: str | None
    kind: MeterKind
    position: int
    durability: Durability = "strict"


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """Something a plan contains or does not."""

    key: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class QuotaDefinition:
    """How much of a meter a plan contains, in base units; None is unlimited, 0 is nothing."""

    meter: str
    limit: int | None
    window: WindowKind
    at_limit: Literal["block"]
    on_downgrade: Literal["read_only"] | None
    notify: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PriceDefinition:
    """What a plan costs every month or year."""

    key: str
    every: PriceInterval
    amount: Money


@dataclass(frozen=True, slots=True)
class PlanDefinition:
    """A plan as a version freezes it. `features` has every known feature as a key; quotas are in order of meters."""

    name: str
    display_name: str
    description: str
    rank: int
    recommended: bool
    features: Mapping[str, bool]
    rate_limit_multiplier: Decimal
    rate_limits: Mapping[str, RateLimit]
    max_jobs_in_flight: int | None
    quotas: tuple[QuotaDefinition, ...]
    prices: tuple[PriceDefinition, ...]


@dataclass(frozen=True, slots=True)
class CatalogDocument:
    """All that one plans.toml says. `rate_limits` are the base limits by scope; plans are in order of rank."""

    currency: str
    billing_zone: str
    default_plan: str
    meters: tuple[MeterDefinition, ...]
    features: tuple[FeatureDefinition, ...]
    rate_limits: Mapping[str, RateLimit]
    plans: tuple[PlanDefinition, ...]


def content_hash(plan: PlanDefinition) -> str:
    """SHA-256, in hex, of all that a version of a plan freezes, its words included; the order of entries is not part.

    Two plans with the same hash need no new version; the name of the plan, its identity, is not part of it.
    """
    return _digest(_plan_content(plan))


def document_hash(document: CatalogDocument) -> str:
    """SHA-256, in hex, of the whole document; comments, spaces and the order of entries are not part."""
    return _digest(
        {
            "currency": document.currency,
            "billing_zone": document.billing_zone,
            "default_plan": document.default_plan,
            "meters": [
                [
                    meter.position,
                    meter.key,
                    meter.name,
                    meter.unit,
                    meter.display_unit,
                    meter.kind,
                    meter.durability,
                ]
                for meter in document.meters
            ],
            "features": {feature.key: [feature.name, feature.description] for feature in document.features},
            "rate_limits": rate_limits_json(document.rate_limits),
            "plans": {plan.name: _plan_content(plan) for plan in document.plans},
        }
    )


def rate_limits_json(limits: Mapping[str, RateLimit]) -> dict[str, dict[str, int]]:
    """Limits by scope as plain JSON values: `{"api": {"requests": 100, "per_seconds": 60, "burst": 100}}`."""
    return {
        scope: {"requests": limit.requests, "per_seconds": limit.per_seconds, "burst": limit.burst}
        for scope, limit in sorted(limits.items())
    }


def _plan_content(plan: PlanDefinition) -> dict[str, Any]:
    return {
        "display_name": plan.display_name,
        "description": plan.description,
        "rank": plan.rank,
        "recommended": plan.recommended,
        "features": dict(plan.features),
        # The column has two decimals: 5, 5.0 and 5.00 are one multiplier.
        "rate_limit_multiplier": f"{plan.rate_limit_multiplier:.2f}",
        "rate_limits": rate_limits_json(plan.rate_limits),
        "max_jobs_in_flight": plan.max_jobs_in_flight,
        "quotas": {
            quota.meter: [quota.limit, quota.window, quota.at_limit, quota.on_downgrade, sorted(quota.notify)]
            for quota in plan.quotas
        },
        "prices": {price.key: [price.every, price.amount.amount_minor, price.amount.currency] for price in plan.prices},
    }


def _digest(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
