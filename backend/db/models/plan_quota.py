"""How much of a meter a plan version contains."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class PlanQuota(Base):
    """A limit in base units over a window; NULL is unlimited, 0 is nothing."""

    __tablename__ = "plan_quotas"
    __table_args__ = (
        CheckConstraint("limit_amount >= 0", name="limit_amount"),
        CheckConstraint("window_kind IN ('day', 'period', 'none')", name="window_kind"),
        CheckConstraint("at_limit IN ('block')", name="at_limit"),
        CheckConstraint("on_downgrade IN ('read_only')", name="on_downgrade"),
    )

    plan_version_id: Mapped[UUID] = mapped_column(ForeignKey("plan_versions.id"), primary_key=True)
    meter: Mapped[str] = mapped_column(ForeignKey("meters.key"), primary_key=True)
    limit_amount: Mapped[int | None]
    window_kind: Mapped[str]
    at_limit: Mapped[str] = mapped_column(server_default="block")
    on_downgrade: Mapped[str | None]
    notify_percent: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), server_default=text("'{}'"))
