"""Plans, as they were sold at a time."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer, LargeBinary, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class PlanVersion(Base):
    """What a plan contains, frozen: a trigger refuses to change or delete a version or its quotas and prices."""

    __tablename__ = "plan_versions"
    __table_args__ = (UniqueConstraint("plan_id", "number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("subscription_plans.id"))
    number: Mapped[int] = mapped_column(Integer)
    display_name: Mapped[str]
    description: Mapped[str]
    rank: Mapped[int] = mapped_column(Integer)
    recommended: Mapped[bool]
    features: Mapped[dict[str, bool]]
    rate_limit_multiplier: Mapped[Decimal] = mapped_column(Numeric(4, 2))
    rate_limits: Mapped[dict[str, Any]]
    max_jobs_in_flight: Mapped[int | None]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
