"""Plans, as they are sold today."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Integer, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class SubscriptionPlan(Base):
    """The identity of a plan and the values of its newest version, written in the same transaction as that version.

    In the four `max_…` columns NULL is unlimited and 0 is nothing. MB is 10^6 bytes.
    """

    __tablename__ = "subscription_plans"
    __table_args__ = (
        CheckConstraint("price_cents >= 0", name="price_cents"),
        CheckConstraint("billing_period IN ('monthly', 'yearly')", name="billing_period"),
        CheckConstraint("rate_limit_multiplier > 0", name="rate_limit_multiplier"),
        CheckConstraint("jsonb_typeof(features) = 'object'", name="features_is_object"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    description: Mapped[str]
    price_cents: Mapped[int] = mapped_column(Integer)
    billing_period: Mapped[str | None]
    features: Mapped[dict[str, bool]]
    rate_limit_multiplier: Mapped[Decimal] = mapped_column(Numeric(4, 2))
    rate_limits: Mapped[dict[str, Any]]
    max_jobs_per_month: Mapped[int | None]
    max_storage_mb: Mapped[int | None]
    max_api_calls_per_day: Mapped[int | None]
    max_compute_minutes_per_month: Mapped[int | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
