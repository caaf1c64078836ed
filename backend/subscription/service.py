"""The service functions of plans, quotas and usage, for a user's personal account.

Amounts are in the described units: jobs, calls, megabytes and minutes. These functions ask and record; what must be
exact under load is admitted by the enforcement engine, which checks and spends in one step.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from backend.auth.errors import AccountUnknown
from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput, NotFound
from backend.core.ids import UserId
from backend.db.session import ReadSession, WriteSession
from backend.subscription.change import Assignment, assign_plan
from backend.subscription.entitlements import Entitlements, resolve
from backend.subscription.repository import personal_account
from backend.subscription.schemas import SubscriptionPlanSchema, UserSubscriptionSchema, UserUsageSchema
from backend.subscription.views import (
    DESCRIBED_UNIT,
    described_amount,
    in_described_unit,
    plan_schema,
    subscription_schema,
)
from backend.usage.model import API_CALLS, COMPUTE, JOBS, LEVEL, MAX_AMOUNT, STORAGE, Cost, Counter, Source, Window
from backend.usage.repository import lock_counters, read_counters, read_record, spend

QUOTA_TYPES: Mapping[str, str] = {"jobs": JOBS, "storage": STORAGE, "api_calls": API_CALLS, "compute": COMPUTE}

# Plans are read once per version and catalog; the key of what is kept names the database's own rows.
_catalogs = Catalogs()


async def entitlements_of(session: ReadSession, user_id: UserId, *, now: datetime) -> Entitlements:
    """What the user's personal account may do. Raises NotFound for a user that does not exist (any more)."""
    account_id = await personal_account(session, user_id=user_id)
    found = account_id and await resolve(session, account_id=account_id, catalogs=_catalogs, now=now)
    if not found:
        raise NotFound("No user has this id.")
    return found


async def get_user_subscription(
    session: ReadSession, user_id: UserId, *, now: datetime
) -> UserSubscriptionSchema | None:
    """The live subscription as of `now`; None on the default plan."""
    return subscription_schema(await entitlements_of(session, user_id, now=now))


async def get_user_plan(session: ReadSession, user_id: UserId, *, now: datetime) -> SubscriptionPlanSchema:
    """The plan in force, in the version that the user is on; the default plan when there is no subscription."""
    found = await entitlements_of(session, user_id, now=now)
    return plan_schema(found.terms, found.catalog)


async def has_feature(session: ReadSession, user_id: UserId, feature: str, *, now: datetime) -> bool:
    """Whether the plan in force contains a feature; False for a feature that nobody has heard of."""
    return (await entitlements_of(session, user_id, now=now)).has_feature(feature)


async def get_rate_limit_multiplier(session: ReadSession, user_id: UserId, *, now: datetime) -> Decimal:
    """How many times the base rate limit the plan in force gives."""
    return (await entitlements_of(session, user_id, now=now)).terms.rate_limit_multiplier


async def upgrade_user_plan(
    session: WriteSession, user_id: UserId, plan_name: str, duration_days: int = 30, *, now: datetime
) -> Assignment:
    """Puts the user's personal account on a plan; see `assign_plan`. Raises NotFound, PlanUnknown, InvalidInput."""
    account_id = await personal_account(session, user_id=user_id)
    if account_id is None:
        raise NotFound("No user has this id.")
    try:
        return await assign_plan(
            session,
            account_id=account_id,
            user_id=user_id,
            plan_name=plan_name,
            duration_days=duration_days,
            catalogs=_catalogs,
            now=now,
        )
    except AccountUnknown as error:
        raise NotFound("No user has this id.") from error


async def check_quota(
    session: ReadSession, user_id: UserId, quota_type: str, *, now: datetime
) -> tuple[bool, int, int | None]:
    """(within, used, limit) of a quota: `jobs`, `storage`, `api_calls` or `compute`; limit None is unlimited.

    `within` is whether one more base unit would be admitted at this moment. Raises InvalidInput for another type.
    """
    meter = _meter(quota_type)
    found = await entitlements_of(session, user_id, now=now)
    window = _window(found, meter)
    counters = await read_counters(session, account_id=found.account.id, wanted=[(meter, window)])
    counter = counters.get((meter, window.start)) or Counter(meter, window)
    limit = found.quota(meter).limit
    within = Cost(meter, window, 1, limit).fits(counter)
    return within, described_amount(meter, counter.used), in_described_unit(meter, limit)


async def increment_usage(
    session: WriteSession, user_id: UserId, metric: str, amount: int = 1, *, now: datetime
) -> UserUsageSchema:
    """Counts what has happened, whatever the limit: a fact, not an admission. Returns the period's usage.

    `metric` is `jobs`, `storage` (megabytes), `api_calls` or `compute` (minutes). Storage is a level: a negative
    amount lowers it, down to nothing. Raises InvalidInput for another metric or amount.
    """
    meter = _meter(metric)
    base = amount * DESCRIBED_UNIT[meter]
    if amount == 0 or (amount < 0 and meter != STORAGE) or abs(base) > MAX_AMOUNT:
        raise InvalidInput(f"{amount} cannot be added to {metric}: choose an amount of 1 or more.")
    found = await entitlements_of(session, user_id, now=now)
    window = _window(found, meter)
    counters = await lock_counters(session, account_id=found.account.id, wanted=[(meter, window)])
    applied = max(base, -counters[(meter, window.start)].used)
    if applied:
        await spend(
            session,
            scope=found.scope,
            version=None,
            costs=[Cost(meter, window, applied, None)],
            source="ingest",
            by=Source(subject=str(user_id)),
            occurred_at=found.now,
            now=now,
        )
    return await period_usage(session, found)


async def get_current_period_usage(session: ReadSession, user_id: UserId, *, now: datetime) -> UserUsageSchema:
    """Usage of the period that contains `now`, in whole units rounded up; zeros when nothing has happened in it."""
    return await period_usage(session, await entitlements_of(session, user_id, now=now))


async def period_usage(session: ReadSession, found: Entitlements) -> UserUsageSchema:
    """The record of the entitlements' period. Storage is the present level, whenever it was last changed.

    A record from which more of an earlier period was taken back than it has is below nothing, and shown as nothing.
    """
    record = await read_record(session, account_id=found.account.id, period_start=found.period.start)
    level = await read_counters(session, account_id=found.account.id, wanted=[(STORAGE, LEVEL)])
    stored = level.get((STORAGE, LEVEL.start))
    assert found.period.end is not None
    return UserUsageSchema(
        period_start=found.period.start,
        period_end=found.period.end,
        api_calls=max(0, record.api_calls) if record else 0,
        jobs_created=max(0, record.jobs_created) if record else 0,
        storage_used_mb=described_amount(STORAGE, stored.used) if stored else 0,
        compute_minutes=record.compute_minutes if record else 0,
    )


def _meter(quota_type: str) -> str:
    meter = QUOTA_TYPES.get(quota_type)
    if meter is None:
        raise InvalidInput(f"{quota_type[:80]!r} is not counted; there are: {', '.join(QUOTA_TYPES)}.")
    return meter


def _window(found: Entitlements, meter: str) -> Window:
    for definition in found.catalog.meters:
        if definition.key == meter:
            return found.window(definition)
    raise InvalidInput(f"The catalog has no meter {meter!r}; add it to plans.toml.")
