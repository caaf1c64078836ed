"""What a version of a plan grants, as the services read it. Versions are frozen, so terms are kept for ever."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from feature_platform.core.gcra import RateLimit

from backend.catalog.definitions import MeterDefinition, PriceDefinition, WindowKind


@dataclass(frozen=True, slots=True)
class QuotaTerms:
    """How much of a meter, in base units, over which window; None is unlimited, 0 is nothing."""

    meter: str
    limit: int | None
    window: WindowKind


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """One version of one plan."""

    version_id: UUID
    plan_id: UUID
    name: str
    display_name: str
    description: str
    version: int
    rank: int
    recommended: bool
    features: Mapping[str, bool]
    rate_limit_multiplier: Decimal
    rate_limits: Mapping[str, RateLimit]
    max_jobs_in_flight: int | None
    quotas: Mapping[str, QuotaTerms]
    prices: tuple[PriceDefinition, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is sold now. `plans` are the newest versions of the plans on sale, in order of rank; `default` is what
    an account without a subscription has; `meters` are in order of position; `rate_limits` are the base limits."""

    default: PlanTerms
    plans: tuple[PlanTerms, ...]
    meters: tuple[MeterDefinition, ...]
    features: Mapping[str, str]
    rate_limits: Mapping[str, RateLimit]
    currency: str
    billing_zone: str
