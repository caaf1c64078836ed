"""What the API says of plans, subscriptions and usage. Amounts of `meters` are base units; the described ones are
whole jobs, calls, minutes and megabytes."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from backend.auth.principal import Role


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class QuotaSchema(_Answer):
    """What a plan contains of a meter, in base units; null is unlimited, 0 is nothing."""

    meter: str
    name: str
    unit: str
    limit: int | None
    window: Literal["day", "period", "none"]


class RateLimitSchema(_Answer):
    """`requests` every `per_seconds`, of which `burst` may come at once."""

    requests: int
    per_seconds: int
    burst: int


class SubscriptionPlanSchema(_Answer):
    """A version of a plan. In the four `max_…` values null is unlimited and 0 is nothing."""

    id: UUID
    name: str
    display_name: str
    description: str
    price_cents: int
    currency: str
    billing_period: Literal["monthly", "yearly"] | None
    features: dict[str, bool]
    rate_limit_multiplier: float
    rate_limits: dict[str, RateLimitSchema]
    max_jobs_per_month: int | None
    max_storage_mb: int | None
    max_api_calls_per_day: int | None
    max_compute_minutes_per_month: int | None
    quotas: list[QuotaSchema]
    is_active: bool


class OfferSchema(_Answer):
    """What the caller can do about a plan: `sign_up` without a sign-in, `keep` the plan in force, or `ask` an operator
    to be moved `up` or `down` to it."""

    action: Literal["sign_up", "keep", "ask"]
    direction: Literal["up", "down"] | None


class PlanOnSaleSchema(SubscriptionPlanSchema):
    """A plan on sale, with what the caller can do about it."""

    recommended: bool
    max_jobs_in_flight: int | None
    offer: OfferSchema


class UserSubscriptionSchema(_Answer):
    """A subscription as it is now."""

    id: UUID
    user_id: UUID | None
    plan_id: UUID
    status: Literal["trial", "active", "past_due", "cancelled", "expired", "incomplete", "paused"]
    started_at: datetime
    expires_at: datetime | None
    cancelled_at: datetime | None
    current_period_start: datetime
    current_period_end: datetime
    trial_end: datetime | None
    cancel_at_period_end: bool


class UserUsageSchema(_Answer):
    """Usage of one period in whole units, rounded up."""

    period_start: datetime
    period_end: datetime
    api_calls: int
    jobs_created: int
    storage_used_mb: int
    compute_minutes: int


class QuotaLimitsSchema(_Answer):
    """The limits of the described quotas; null is unlimited. Jobs and minutes a period, calls a day, megabytes."""

    jobs: int | None
    storage: int | None
    api_calls: int | None
    compute_minutes: int | None


class ProjectionSchema(_Answer):
    """Where `used` will be when the window ends, at the pace so far; `limit_at` is when it would reach the limit."""

    low: int
    high: int
    at: datetime
    limit_at: datetime | None


class OverrideSchema(_Answer):
    """A limit beside the plan's, in base units, and why it was given: `amount` more (`add`), or instead of the plan's
    limit (`set`; null is unlimited). It ends by itself at `ends_at`; null is when an operator takes it back."""

    id: UUID
    kind: Literal["add", "set"]
    amount: int | None
    starts_at: datetime
    ends_at: datetime | None
    reason: str


class MeterUsageSchema(_Answer):
    """One meter in its present window, in base units.

    `limit` is what is in force: `plan_limit`, with the `overrides` in force applied in their order.
    `notice_percent` is the highest share of 80, 95 and 100 that the customer was told of and that is still reached, in
    percent of the present limit. `blocked_since` is when the limit was reached, by the account's clock, if it still is;
    both come about a second later than the use that they are of, and are null before.
    """

    meter: str
    name: str
    unit: str
    display_unit: str | None
    kind: Literal["counter", "gauge"]
    window: Literal["day", "period", "none"]
    used: int
    held: int
    limit: int | None
    plan_limit: int | None
    overrides: list[OverrideSchema]
    remaining: int | None
    resets_at: datetime | None
    as_of: datetime
    projection: ProjectionSchema | None
    notice_percent: Literal[80, 95, 100] | None
    blocked_since: datetime | None


class SubscriptionResponse(_Answer):
    """The subscription, null on the default plan, and the plan in force."""

    subscription: UserSubscriptionSchema | None
    plan: SubscriptionPlanSchema


class UsageResponse(_Answer):
    """Usage of the current period, its limits, and every meter."""

    usage: UserUsageSchema
    limits: QuotaLimitsSchema
    meters: list[MeterUsageSchema]


class PlanListResponse(_Answer):
    """All plans on sale, in order of rank."""

    plans: list[PlanOnSaleSchema]


class PlanDetailResponse(_Answer):
    """One plan."""

    plan: PlanOnSaleSchema


class RateLimitStateSchema(RateLimitSchema):
    """A rate limit and where it stands after this request; null where nothing has been counted by it yet.

    At `full_at` the whole burst can come at once again.
    """

    remaining: int | None
    full_at: datetime | None


class InFlightSchema(_Answer):
    """Open reservations on jobs. A `limit` of null is unlimited."""

    limit: int | None
    used: int
    remaining: int | None


class RateLimitInfo(_Answer):
    """Requests a minute before and after the plan's multiplier, each scope in full, and jobs at the same time."""

    base_limit: int | None
    multiplier: float
    effective_limit: int | None
    plan_name: str
    scopes: dict[str, RateLimitStateSchema]
    jobs_in_flight: InFlightSchema


class PlanNameSchema(_Answer):
    """Which plan."""

    name: str
    display_name: str


class AccountSchema(_Answer):
    """The acting account; `time_zone` is the one in which its days and periods begin."""

    id: UUID
    external_id: str | None
    kind: Literal["personal", "team"]
    name: str
    time_zone: str
    role: Role | None


class OwnAccountSchema(_Answer):
    """An account for which the caller may act; the header `Feature-Account` names it."""

    id: UUID
    kind: Literal["personal", "team"]
    name: str
    role: Role


class MemberSchema(_Answer):
    """Somebody who acts for an account: a subject of a trusted issuer, or the id of a user."""

    subject: str
    role: Role


class HostAccountSchema(_Answer):
    """An account of the host application, by the host's own id. `time_zone` is where its days and periods begin."""

    id: UUID
    external_id: str
    name: str
    kind: Literal["personal", "team"]
    time_zone: str
    metadata: dict[str, Any]
    status: Literal["active", "suspended"]
    plan: PlanNameSchema
    members: list[MemberSchema]
    created_at: datetime


class PortalSessionSchema(_Answer):
    """Where to send the customer's browser."""

    url: str
    expires_at: datetime


class ImpersonationSchema(BaseModel):
    """That it is an operator who acts as this user, until when, and whether they may write."""

    operator_id: UUID
    expires_at: datetime
    may_write: bool


class MeResponse(_Answer):
    """Who is signed in, for which account, on which plan; `impersonation` is null for the user themselves.

    `kind` says whether it is a user of ours, a guest of a portal link, or a user of a trusted issuer, of whom no `id`
    and no `email` are known. `accounts` are those that the caller may name, the acting one first.
    """

    kind: Literal["user", "portal", "foreign_user"]
    id: UUID | None
    subject: str | None
    email: str | None
    status: Literal["unverified", "active", "suspended", "deleted"]
    roles: list[str]
    mfa_enabled: bool
    has_password: bool
    recovery_codes_left: int | None
    name: str | None
    display_zone: str | None
    language: str | None
    theme: Literal["auto", "light", "dark"] | None
    account: AccountSchema
    accounts: list[OwnAccountSchema]
    subscription: UserSubscriptionSchema | None
    plan: PlanNameSchema
    impersonation: ImpersonationSchema | None
