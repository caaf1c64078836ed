"""The SQL of notices: whom to tell, and of what."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import ReadSession


@dataclass(frozen=True, slots=True)
class EndedPlan:
    """A subscription that is over: whom to write to, and the names of what they had and of what everybody has."""

    email: str
    plan: str
    default_plan: str
    trial_end: datetime | None
    zone: ZoneInfo


_ENDED = text("""
    SELECT u.email, v.display_name AS plan, d.display_name AS default_plan, s.trial_end, a.billing_zone
    FROM user_subscriptions s
    JOIN accounts a ON a.id = s.account_id AND a.status <> 'deleted'
    JOIN users u ON u.id = a.owner_user_id AND u.deleted_at IS NULL
    JOIN plan_versions v ON v.id = s.plan_version_id
    CROSS JOIN catalog_state c JOIN subscription_plans d ON d.id = c.default_plan_id
    WHERE s.account_id = :account_id AND s.id = :subscription_id
""")


async def ended_plan(session: ReadSession, *, account_id: AccountId, subscription_id: UUID) -> EndedPlan | None:
    """None when there is nobody to write to: the account has no owner, or one of the two is gone."""
    row = (await session.execute(_ENDED, {"account_id": account_id, "subscription_id": subscription_id})).one_or_none()
    if row is None:
        return None
    return EndedPlan(row.email, row.plan, row.default_plan, row.trial_end, ZoneInfo(row.billing_zone))
