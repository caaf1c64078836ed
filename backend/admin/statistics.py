"""The platform in numbers, as of a moment that is said with them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from backend.db.session import Database, ReadSession
from backend.usage.model import EPOCH

# Up to so many users each question counts anew, in some milliseconds; beyond, the numbers may be a minute old.
EXACT_UP_TO = 10_000
CACHED_FOR = timedelta(minutes=1)

_NUMBERS = text("""
    SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS total_users,
        count(*) FILTER (WHERE status = 'active') AS active_users,
        count(*) FILTER (WHERE status = 'unverified') AS unverified_users,
        count(*) FILTER (WHERE status = 'suspended') AS suspended_users,
        count(*) FILTER (WHERE mfa_enabled AND deleted_at IS NULL) AS users_with_mfa,
        (SELECT count(*) FROM user_roles r JOIN users u ON u.id = r.user_id
            WHERE r.role = 'superadmin' AND u.deleted_at IS NULL) AS superadmins,
        (SELECT count(*) FROM sessions) AS total_sessions,
        (SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND expires_at > :now) AS active_sessions
    FROM users
""")
# In minor units of each currency; a year's price is spread over twelve months, and rounded once, at the end.
_SUBSCRIPTIONS = text("""
    SELECT p.name AS plan, count(*) AS subscriptions
    FROM user_subscriptions s JOIN subscription_plans p ON p.id = s.plan_id
    WHERE s.status IN ('trial', 'active', 'past_due')
    GROUP BY p.name ORDER BY p.name
""")
_REVENUE = text("""
    SELECT r.currency, round(sum(CASE r.interval WHEN 'year' THEN r.amount_minor / 12.0 ELSE r.amount_minor END))
        ::bigint AS minor
    FROM user_subscriptions s JOIN plan_prices r ON r.id = s.price_id
    WHERE s.status IN ('active', 'past_due')
    GROUP BY r.currency ORDER BY r.currency
""")
_USAGE = text("""
    SELECT coalesce(sum(greatest(api_calls, 0)), 0)::bigint AS total_api_calls,
        coalesce(sum(greatest(jobs_created, 0)), 0)::bigint AS total_jobs_created
    FROM user_usage
""")
_STORED = text("""
    SELECT ceil(coalesce(sum(used), 0) / 1000000.0)::bigint FROM meter_usage
    WHERE meter = 'storage' AND window_start = :epoch
""")


@dataclass(frozen=True, slots=True)
class Statistics:
    """`numbers` under the names of the API; `is_exact` is false for what may be a minute old."""

    numbers: dict[str, Any]
    as_of: datetime


class Counting:
    """Counts, and remembers what took long."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: Statistics | None = None

    async def statistics(self, *, now: datetime, currency: str) -> Statistics:
        """Counted now, or on a large platform within the last minute."""
        last = self._last
        if last is not None and last.numbers["total_users"] > EXACT_UP_TO and now - last.as_of < CACHED_FOR:
            return last
        async with self._database.read() as session:
            self._last = Statistics(await _count(session, now=now, currency=currency), now)
        return self._last


async def _count(session: ReadSession, *, now: datetime, currency: str) -> dict[str, Any]:
    numbers = dict((await session.execute(_NUMBERS, {"now": now})).one()._mapping)
    plans = {row.plan: row.subscriptions for row in await session.execute(_SUBSCRIPTIONS)}
    revenue = {row.currency: row.minor for row in await session.execute(_REVENUE)}
    usage = (await session.execute(_USAGE)).one()
    return {
        **numbers,
        "subscriptions_by_plan": plans,
        "total_active_subscriptions": sum(plans.values()),
        "total_api_calls": usage.total_api_calls,
        "total_jobs_created": usage.total_jobs_created,
        "total_storage_mb": await session.scalar(_STORED, {"epoch": EPOCH}) or 0,
        "mrr_cents": revenue.get(currency, 0),
        "mrr_by_currency": revenue,
    }
