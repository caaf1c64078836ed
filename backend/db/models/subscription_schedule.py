"""When a subscription changes by itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class SubscriptionSchedule(Base):
    """The immutable anchor of a subscription's periods, and the next moment at which something is due."""

    __tablename__ = "subscription_schedules"
    __table_args__ = (
        Index("ix_subscription_schedules_due", "next_due_at", postgresql_where=text("next_due_at IS NOT NULL")),
        CheckConstraint("interval_unit IN ('day', 'week', 'month', 'year')", name="interval_unit"),
        CheckConstraint("interval_count > 0", name="interval_count"),
    )

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("user_subscriptions.id"), primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"), index=True)
    anchor_at: Mapped[datetime]
    interval_unit: Mapped[str]
    interval_count: Mapped[int] = mapped_column(Integer)
    billing_zone: Mapped[str]
    next_due_at: Mapped[datetime | None]
