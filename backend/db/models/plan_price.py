"""What a plan version costs."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class PlanPrice(Base):
    """One price of one version, for one interval and currency, in minor units."""

    __tablename__ = "plan_prices"
    __table_args__ = (
        UniqueConstraint("plan_version_id", "interval", "currency"),
        CheckConstraint("amount_minor >= 0", name="amount_minor"),
        CheckConstraint("interval IN ('month', 'year')", name="interval"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_version_id: Mapped[UUID] = mapped_column(ForeignKey("plan_versions.id"))
    key: Mapped[str]
    interval: Mapped[str]
    currency: Mapped[str]
    amount_minor: Mapped[int]
