"""Usage of a period, as people read it."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.core.ids import AccountId, UserId
from backend.db.base import Base

if TYPE_CHECKING:
    from backend.db.models.user import User


class UserUsage(Base):
    """One row per account and period, in whole units rounded up. It records; `meter_usage` decides.

    What is counted or taken back enters the record of the period in which that is done: together the records say what
    the counters say. One from which more of an earlier period was taken back than it has is below nothing.
    """

    __tablename__ = "user_usage"
    __table_args__ = (
        UniqueConstraint("account_id", "period_start"),
        CheckConstraint("period_start < period_end", name="period"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"))
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    api_calls: Mapped[int] = mapped_column(server_default="0")
    jobs_created: Mapped[int] = mapped_column(server_default="0")
    storage_used_mb: Mapped[int] = mapped_column(server_default="0")
    compute_minutes: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    user: Mapped["User | None"] = relationship(back_populates="usage_records", lazy="raise")
