"""What the tables refuse, whatever the code does; and the described ones, literally."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from backend.core.ids import uuid7
from backend.db.session import SystemSession
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW

# As they were described: they are opened with psql, and by reports that are not ours.
DESCRIBED = {
    "subscription_plans": """
        id uuid, name text, display_name text, description text, price_cents integer, billing_period text,
        features jsonb, rate_limit_multiplier numeric(4,2), rate_limits jsonb, max_jobs_per_month bigint,
        max_storage_mb bigint, max_api_calls_per_day bigint, max_compute_minutes_per_month bigint,
        is_active boolean, created_at timestamp with time zone, updated_at timestamp with time zone
    """,
    "user_subscriptions": """
        id uuid, user_id uuid, account_id uuid, plan_id uuid, status text, started_at timestamp with time zone,
        expires_at timestamp with time zone, cancelled_at timestamp with time zone,
        current_period_start timestamp with time zone, current_period_end timestamp with time zone,
        trial_end timestamp with time zone, cancel_at_period_end boolean, plan_version_id uuid, price_id uuid,
        stripe_subscription_id text, stripe_customer_id text, created_at timestamp with time zone,
        updated_at timestamp with time zone
    """,
    "user_usage": """
        id uuid, user_id uuid, account_id uuid, period_start timestamp with time zone,
        period_end timestamp with time zone, api_calls bigint, jobs_created bigint, storage_used_mb bigint,
        compute_minutes bigint, created_at timestamp with time zone, updated_at timestamp with time zone
    """,
}
_COLUMNS = text("""
    SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
""")
_SUBSCRIBE = text("""
    INSERT INTO user_subscriptions (id, user_id, account_id, plan_id, plan_version_id, status, started_at,
        current_period_start, current_period_end)
    SELECT :id, :user_id, :account_id, p.id, v.id, :status, :start, :start, :end
    FROM subscription_plans p JOIN plan_versions v ON v.plan_id = p.id WHERE p.name = 'pro'
""")
_PERIOD = text("""
    INSERT INTO subscription_periods (id, account_id, subscription_id, plan_version_id, period_start, period_end)
    SELECT :id, account_id, id, plan_version_id, :start, :end FROM user_subscriptions WHERE id = :subscription_id
""")


async def subscribe(session: SystemSession, who: Person, status: str) -> UUID:
    made = uuid7()
    values = {"id": made, "user_id": who.user_id, "account_id": who.account_id, "status": status}
    await session.execute(_SUBSCRIBE, {**values, "start": NOW, "end": NOW + timedelta(days=31)})
    return made


async def refused(session: SystemSession, statement: Any, values: dict[str, Any], by: str) -> None:
    """Runs it in a savepoint, so that the test may go on."""
    with pytest.raises(DBAPIError, match=by):
        async with session.begin_nested():
            await session.execute(statement, values)


@pytest.mark.parametrize("table", DESCRIBED)
async def test_the_described_tables_are_as_they_were_described(system_session: SystemSession, table: str) -> None:
    assert await system_session.scalar(_COLUMNS, {"table": table}) == " ".join(DESCRIBED[table].split())


async def test_all_tables_of_this_part_of_the_described_system_are_there(system_session: SystemSession) -> None:
    names = ["users", "roles", "user_roles", "sessions", "email_verifications", "api_keys", *DESCRIBED]
    for name in names:
        assert await system_session.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}), name


async def test_an_account_has_one_live_subscription(system_session: SystemSession) -> None:
    who, other = await person(system_session), await person(system_session)
    for status in ("expired", "cancelled", "incomplete", "paused", "expired"):
        await subscribe(system_session, who, status)
    for status in ("trial", "active", "past_due"):
        live = await subscribe(system_session, who, status)
        for second in ("trial", "active", "past_due"):
            with pytest.raises(IntegrityError, match="uq_user_subscriptions_live"):
                async with system_session.begin_nested():
                    await subscribe(system_session, who, second)
        await system_session.execute(
            text("UPDATE user_subscriptions SET status = 'expired' WHERE id = :id"), {"id": live}
        )
    await subscribe(system_session, who, "active")
    await subscribe(system_session, other, "active")


async def test_periods_of_an_account_never_overlap(system_session: SystemSession) -> None:
    who, other = await person(system_session), await person(system_session)
    first = await subscribe(system_session, who, "expired")
    second = await subscribe(system_session, who, "active")
    theirs = await subscribe(system_session, other, "active")

    def period(subscription_id: UUID, begin: datetime, end: datetime) -> dict[str, Any]:
        return {"id": uuid7(), "subscription_id": subscription_id, "start": begin, "end": end}

    def day(number: int) -> datetime:
        return datetime(2026, 3, number, tzinfo=UTC)

    instant = timedelta(microseconds=1)
    await system_session.execute(_PERIOD, period(first, day(10), day(20)))
    for begin, end in (
        (day(10), day(20)),
        (day(1), day(10) + instant),
        (day(20) - instant, day(30)),
        (day(12), day(13)),
        (day(1), day(30)),
    ):
        await refused(system_session, _PERIOD, period(second, begin, end), "ex_subscription_periods_no_overlap")
    await refused(system_session, _PERIOD, period(second, day(21), day(21)), "ck_subscription_periods_period")
    await system_session.execute(_PERIOD, period(second, day(20), day(30)))
    await system_session.execute(_PERIOD, period(second, day(1), day(10)))
    await system_session.execute(_PERIOD, period(theirs, day(10), day(20)))


@pytest.mark.parametrize("table", ["plan_versions", "plan_quotas", "plan_prices"])
async def test_what_was_sold_stays_as_it_is(system_session: SystemSession, table: str) -> None:
    column = {"plan_versions": "rank", "plan_quotas": "limit_amount", "plan_prices": "amount_minor"}[table]
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        await refused(system_session, text(statement), {}, f"{table} is append-only")
    await refused(system_session, text(f"TRUNCATE {table} CASCADE"), {}, "permission denied")


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        ("UPDATE accounts SET clock_offset = '1 day'", "ck_accounts_live_clock_is_true"),
        ("UPDATE accounts SET kind = 'other'", "ck_accounts_kind"),
        ("UPDATE accounts SET status = 'other'", "ck_accounts_status"),
        ("UPDATE users SET email = 'UPPER@example.test'", "ck_users_email_is_lower"),
        ("UPDATE users SET status = 'deleted'", "ck_users_deleted_has_time"),
        ("UPDATE account_members SET role = 'superadmin'", "ck_account_members_role"),
        ("UPDATE account_members SET user_id = NULL", "ck_account_members_one_identity"),
        ("UPDATE meter_usage SET used = -1", "ck_meter_usage_not_negative"),
        ("UPDATE meter_usage SET held = -1", "ck_meter_usage_not_negative"),
        ("UPDATE meter_usage SET window_end = window_start", "ck_meter_usage_window"),
        ("UPDATE user_subscriptions SET status = 'unpaid'", "ck_user_subscriptions_status"),
        ("UPDATE subscription_plans SET features = '[]'", "ck_subscription_plans_features_is_object"),
        ("UPDATE subscription_plans SET billing_period = 'weekly'", "ck_subscription_plans_billing_period"),
        ("UPDATE subscription_plans SET price_cents = -1", "ck_subscription_plans_price_cents"),
    ],
)
async def test_a_row_that_cannot_be_is_refused(system_session: SystemSession, statement: str, by: str) -> None:
    who = await person(system_session)
    await subscribe(system_session, who, "active")
    await system_session.execute(
        text("INSERT INTO meter_usage (account_id, meter, window_start) VALUES (:id, 'jobs', now())"),
        {"id": who.account_id},
    )
    await refused(system_session, text(statement), {}, by)


async def test_an_address_belongs_to_one_user_and_is_free_when_they_are_gone(system_session: SystemSession) -> None:
    who = await person(system_session, email="ada@example.test")
    with pytest.raises(IntegrityError, match="uq_users_email_live"):
        async with system_session.begin_nested():
            await person(system_session, email="ada@example.test")
    await system_session.execute(
        text("UPDATE users SET status = 'deleted', deleted_at = now() WHERE id = :id"), {"id": who.user_id}
    )
    system_session.expire_all()
    await person(system_session, email="ada@example.test")
