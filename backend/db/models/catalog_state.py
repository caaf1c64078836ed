"""What was last applied from plans.toml, beside the plans themselves."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class CatalogState(Base):
    """The one row: which plan is everybody's without a subscription, and the base rate limits by scope."""

    __tablename__ = "catalog_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default=text("1"), autoincrement=False)
    default_plan_id: Mapped[UUID] = mapped_column(ForeignKey("subscription_plans.id"))
    currency: Mapped[str]
    billing_zone: Mapped[str]
    rate_limits: Mapped[dict[str, Any]]
    features: Mapped[dict[str, Any]]
    document_hash: Mapped[bytes] = mapped_column(LargeBinary)
    applied_at: Mapped[datetime]
