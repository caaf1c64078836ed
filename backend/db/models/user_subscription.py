"""Which account is on which plan."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.core.ids import AccountId, UserId
from backend.db.base import Base

if TYPE_CHECKING:
    from backend.db.models.user import User


class UserSubscription(Base):
    """One subscription of one account, of which at most one is live. `user_id` is who subscribed, if it was a user."""

    __tablename__ = "user_subscriptions"
    __table_args__ = (
        Index(
            "uq_user_subscriptions_live",
            "account_id",
            unique=True,
            postgresql_where=text("status IN ('trial', 'active', 'past_due')"),
        ),
        Index(
            "ix_user_subscriptions_plan_live",
            "plan_id",
            "account_id",
            postgresql_where=text("status IN ('trial', 'active', 'past_due')"),
        ),
        Index("ix_user_subscriptions_account_id_started_at", "account_id", "started_at"),
        CheckConstraint(
            "status IN ('trial', 'active', 'past_due', 'cancelled', 'expired', 'incomplete', 'paused')", name="status"
        ),
        CheckConstraint("current_period_start < current_period_end", name="period"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("subscription_plans.id"), index=True)
    status: Mapped[str]
    started_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    current_period_start: Mapped[datetime]
    current_period_end: Mapped[datetime]
    trial_end: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(server_default=text("false"))
    plan_version_id: Mapped[UUID] = mapped_column(ForeignKey("plan_versions.id"))
    price_id: Mapped[UUID | None] = mapped_column(ForeignKey("plan_prices.id"))
    stripe_subscription_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_customer_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    user: Mapped["User | None"] = relationship(back_populates="subscriptions", lazy="raise")
