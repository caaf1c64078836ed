"""The eight service functions against PostgreSQL."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import selectinload

from backend.core.errors import InvalidInput, NotFound
from backend.core.ids import UserId, uuid7
from backend.db.models import SubscriptionPeriod, User, UserSubscription
from backend.db.session import SystemSession
from backend.subscription.errors import PlanUnknown
from backend.subscription.service import (
    check_quota,
    get_current_period_usage,
    get_rate_limit_multiplier,
    get_user_plan,
    get_user_subscription,
    has_feature,
    increment_usage,
    upgrade_user_plan,
)
from backend.tests.factories.accounts import person
from backend.tests.moments import NOW


async def test_a_new_user_has_the_free_plan_without_any_row(system_session: SystemSession) -> None:
    user = await person(system_session)
    assert await get_user_subscription(system_session, user.user_id, now=NOW) is None
    plan = await get_user_plan(system_session, user.user_id, now=NOW)
    assert (plan.name, plan.price_cents, plan.billing_period) == ("free", 0, None)
    assert (plan.max_jobs_per_month, plan.max_storage_mb) == (10, 100)
    assert (plan.max_api_calls_per_day, plan.max_compute_minutes_per_month) == (100, 60)
    assert await system_session.scalar(select(func.count()).select_from(UserSubscription)) == 0


@pytest.mark.parametrize(
    ("plan", "jobs", "storage", "calls", "compute", "multiplier", "price"),
    [
        ("free", 10, 100, 100, 60, Decimal(1), 0),
        ("pro", 500, 10_000, 10_000, 6_000, Decimal(5), 1_999),
        ("enterprise", None, None, None, None, Decimal(10), 9_999),
    ],
)
async def test_each_seeded_plan_grants_what_it_says(
    system_session: SystemSession,
    plan: str,
    jobs: int | None,
    storage: int | None,
    calls: int | None,
    compute: int | None,
    multiplier: Decimal,
    price: int,
) -> None:
    user = await person(system_session)
    await upgrade_user_plan(system_session, user.user_id, plan, now=NOW)
    found = await get_user_plan(system_session, user.user_id, now=NOW)
    assert (found.name, found.price_cents) == (plan, price)
    assert await get_rate_limit_multiplier(system_session, user.user_id, now=NOW) == multiplier
    for quota, limit in {"jobs": jobs, "storage": storage, "api_calls": calls, "compute": compute}.items():
        assert await check_quota(system_session, user.user_id, quota, now=NOW) == (True, 0, limit)


async def test_features_follow_the_plan(system_session: SystemSession) -> None:
    user = await person(system_session)
    assert await has_feature(system_session, user.user_id, "api_access", now=NOW)
    assert not await has_feature(system_session, user.user_id, "priority_support", now=NOW)
    await upgrade_user_plan(system_session, user.user_id, "pro", now=NOW)
    assert await has_feature(system_session, user.user_id, "priority_support", now=NOW)
    assert not await has_feature(system_session, user.user_id, "sso", now=NOW)
    assert not await has_feature(system_session, user.user_id, "no_such_feature", now=NOW)


async def test_an_upgrade_lasts_as_long_as_it_says_and_then_the_default_plan_applies(
    system_session: SystemSession,
) -> None:
    user = await person(system_session)
    given = await upgrade_user_plan(system_session, user.user_id, "pro", 30, now=NOW)
    assert (given.plan_name, given.status, given.expires_at) == ("pro", "active", NOW + timedelta(days=30))
    last = NOW + timedelta(days=30) - timedelta(microseconds=1)
    assert (await get_user_plan(system_session, user.user_id, now=last)).name == "pro"
    # Nobody has swept: the answer is right all the same.
    assert (await get_user_plan(system_session, user.user_id, now=NOW + timedelta(days=30))).name == "free"
    assert await get_user_subscription(system_session, user.user_id, now=NOW + timedelta(days=30)) is None


async def test_the_same_plan_again_keeps_subscription_and_period(system_session: SystemSession) -> None:
    user = await person(system_session)
    first = await upgrade_user_plan(system_session, user.user_id, "pro", 20, now=NOW)
    later = NOW + timedelta(days=10)
    second = await upgrade_user_plan(system_session, user.user_id, "pro", 90, now=later)
    assert second.subscription_id == first.subscription_id
    found = await get_user_subscription(system_session, user.user_id, now=later)
    assert found is not None
    assert found.current_period_start == NOW
    assert found.current_period_end == NOW.replace(month=4)
    assert found.expires_at == later + timedelta(days=90)
    periods = (await system_session.scalars(select(SubscriptionPeriod))).all()
    assert [(period.period_start, period.period_end) for period in periods] == [(NOW, NOW.replace(month=4))]


async def test_another_plan_ends_the_one_before_and_its_period(system_session: SystemSession) -> None:
    user = await person(system_session)
    await upgrade_user_plan(system_session, user.user_id, "pro", now=NOW)
    later = NOW + timedelta(days=3)
    await upgrade_user_plan(system_session, user.user_id, "enterprise", now=later)
    rows = (
        await system_session.scalars(
            select(UserSubscription).order_by(UserSubscription.started_at).execution_options(populate_existing=True)
        )
    ).all()
    assert [row.status for row in rows] == ["cancelled", "active"]
    assert (rows[0].cancelled_at, rows[0].current_period_end) == (later, later)
    periods = (await system_session.scalars(select(SubscriptionPeriod).order_by(SubscriptionPeriod.period_start))).all()
    assert [(period.period_start, period.period_end) for period in periods] == [
        (NOW, later),
        (later, later + timedelta(days=30)),
    ]


async def test_two_changes_at_one_moment_leave_one_subscription(system_session: SystemSession) -> None:
    user = await person(system_session)
    for plan in ("pro", "enterprise", "pro"):
        await upgrade_user_plan(system_session, user.user_id, plan, now=NOW)
    live = await system_session.scalar(
        select(func.count()).select_from(UserSubscription).where(UserSubscription.status == "active")
    )
    assert live == 1
    assert await system_session.scalar(select(func.count()).select_from(SubscriptionPeriod)) == 1


async def test_back_to_free_finds_the_old_window_with_its_use(system_session: SystemSession) -> None:
    user = await person(system_session)
    await increment_usage(system_session, user.user_id, "jobs", 7, now=NOW)
    day = timedelta(days=1)
    await upgrade_user_plan(system_session, user.user_id, "pro", now=NOW + day)
    assert await check_quota(system_session, user.user_id, "jobs", now=NOW + day) == (True, 0, 500)
    back = await upgrade_user_plan(system_session, user.user_id, "free", now=NOW + 2 * day)
    assert (back.plan_name, back.status, back.subscription_id, back.expires_at) == ("free", "active", None, None)
    assert await check_quota(system_session, user.user_id, "jobs", now=NOW + 2 * day) == (True, 7, 10)


async def test_a_quota_is_within_until_its_last_unit_is_used(system_session: SystemSession) -> None:
    user = await person(system_session)
    await increment_usage(system_session, user.user_id, "jobs", 9, now=NOW)
    assert await check_quota(system_session, user.user_id, "jobs", now=NOW) == (True, 9, 10)
    await increment_usage(system_session, user.user_id, "jobs", now=NOW)
    assert await check_quota(system_session, user.user_id, "jobs", now=NOW) == (False, 10, 10)
    # What has happened is counted, whatever the limit.
    await increment_usage(system_session, user.user_id, "jobs", now=NOW)
    assert await check_quota(system_session, user.user_id, "jobs", now=NOW) == (False, 11, 10)


async def test_calls_are_counted_by_the_day_and_jobs_by_the_period(system_session: SystemSession) -> None:
    user = await person(system_session)
    await increment_usage(system_session, user.user_id, "api_calls", 40, now=NOW)
    await increment_usage(system_session, user.user_id, "jobs", 4, now=NOW)
    tomorrow = NOW + timedelta(days=1)
    assert await check_quota(system_session, user.user_id, "api_calls", now=tomorrow) == (True, 0, 100)
    assert await check_quota(system_session, user.user_id, "jobs", now=tomorrow) == (True, 4, 10)
    next_period = NOW.replace(month=4)
    assert await check_quota(system_session, user.user_id, "jobs", now=next_period) == (True, 0, 10)


async def test_the_record_of_a_period_has_whole_units_rounded_up(system_session: SystemSession) -> None:
    user = await person(system_session)
    empty = await get_current_period_usage(system_session, user.user_id, now=NOW)
    assert (empty.api_calls, empty.jobs_created, empty.storage_used_mb, empty.compute_minutes) == (0, 0, 0, 0)
    assert (empty.period_start, empty.period_end) == (NOW, NOW.replace(month=4))
    for metric, amount in {"api_calls": 3, "jobs": 2, "storage": 50, "compute": 7}.items():
        await increment_usage(system_session, user.user_id, metric, amount, now=NOW)
    found = await get_current_period_usage(system_session, user.user_id, now=NOW)
    assert (found.api_calls, found.jobs_created, found.storage_used_mb, found.compute_minutes) == (3, 2, 50, 7)
    in_the_next = await get_current_period_usage(system_session, user.user_id, now=NOW.replace(month=4))
    # Storage is a level: it is still there.
    assert (in_the_next.jobs_created, in_the_next.storage_used_mb) == (0, 50)


async def test_storage_goes_down_to_nothing_and_no_further(system_session: SystemSession) -> None:
    user = await person(system_session)
    await increment_usage(system_session, user.user_id, "storage", 30, now=NOW)
    await increment_usage(system_session, user.user_id, "storage", -10, now=NOW)
    assert await check_quota(system_session, user.user_id, "storage", now=NOW) == (True, 20, 100)
    found = await increment_usage(system_session, user.user_id, "storage", -500, now=NOW)
    assert found.storage_used_mb == 0


@pytest.mark.parametrize(("metric", "amount"), [("jobs", 0), ("jobs", -1), ("api_calls", 10**19), ("stars", 1)])
async def test_what_cannot_be_counted_is_refused(system_session: SystemSession, metric: str, amount: int) -> None:
    user = await person(system_session)
    with pytest.raises(InvalidInput):
        await increment_usage(system_session, user.user_id, metric, amount, now=NOW)


async def test_unknown_users_plans_and_quotas_are_named(system_session: SystemSession) -> None:
    user = await person(system_session)
    with pytest.raises(NotFound):
        await get_user_plan(system_session, UserId(uuid7()), now=NOW)
    with pytest.raises(PlanUnknown, match="free, pro, enterprise"):
        await upgrade_user_plan(system_session, user.user_id, "gold", now=NOW)
    with pytest.raises(InvalidInput, match="jobs, storage, api_calls, compute"):
        await check_quota(system_session, user.user_id, "requests", now=NOW)
    for days in (0, -1, 100_000):
        with pytest.raises(InvalidInput):
            await upgrade_user_plan(system_session, user.user_id, "pro", days, now=NOW)


async def test_a_test_account_lives_by_its_own_clock(system_session: SystemSession) -> None:
    user = await person(system_session)
    await upgrade_user_plan(system_session, user.user_id, "pro", 30, now=NOW)
    await system_session.execute(
        text("UPDATE accounts SET mode = 'test', clock_offset = '40 days' WHERE id = :id"), {"id": user.account_id}
    )
    assert (await get_user_plan(system_session, user.user_id, now=NOW)).name == "free"


async def test_every_change_of_plan_raises_the_account_version(system_session: SystemSession) -> None:
    user = await person(system_session)
    version = text("SELECT version FROM accounts WHERE id = :id")
    before = await system_session.scalar(version, {"id": user.account_id})
    for plan in ("pro", "pro", "free"):
        await upgrade_user_plan(system_session, user.user_id, plan, now=NOW)
        after = await system_session.scalar(version, {"id": user.account_id})
        assert after > before
        before = after


async def test_the_models_relate_users_to_subscriptions_and_usage(system_session: SystemSession) -> None:
    user = await person(system_session)
    await upgrade_user_plan(system_session, user.user_id, "pro", now=NOW)
    await increment_usage(system_session, user.user_id, "jobs", now=NOW)
    wanted = (
        select(User)
        .where(User.id == user.user_id)
        .options(selectinload(User.subscriptions), selectinload(User.usage_records))
        .execution_options(populate_existing=True)
    )
    found = (await system_session.scalars(wanted)).one()
    assert [subscription.status for subscription in found.subscriptions] == ["active"]
    assert [record.jobs_created for record in found.usage_records] == [1]
