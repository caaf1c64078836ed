"""The billing periods that have been."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class SubscriptionPeriod(Base):
    """One period of one subscription, half-open. Two periods of an account cannot overlap."""

    __tablename__ = "subscription_periods"
    __table_args__ = (
        ExcludeConstraint(
            ("account_id", "="),
            (text("tstzrange(period_start, period_end)"), "&&"),
            using="gist",
            name="ex_subscription_periods_no_overlap",
        ),
        CheckConstraint("period_start < period_end", name="period"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"))
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("user_subscriptions.id"), index=True)
    plan_version_id: Mapped[UUID] = mapped_column(ForeignKey("plan_versions.id"))
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
