"""Amounts set aside."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class UsageHold(Base):
    """A reservation: `amount` of one counter, set aside until `expires_at` (the database's clock)."""

    __tablename__ = "usage_holds"
    __table_args__ = (
        Index("ix_usage_holds_due", "expires_at", postgresql_where=text("state = 'open'")),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("state IN ('open', 'committed', 'released', 'expired')", name="state"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled_has_time"),
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    meter: Mapped[str]
    window_start: Mapped[datetime]
    window_end: Mapped[datetime | None]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    amount: Mapped[int]
    takes_slot: Mapped[bool]
    holder_key_id: Mapped[UUID | None]
    holder_user_id: Mapped[UUID | None]
    state: Mapped[str] = mapped_column(server_default="open")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    counted_amount: Mapped[int | None]
    uncounted_amount: Mapped[int | None]
