"""What serving processes have set aside to spend in memory."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class Allowance(Base):
    """A hold that one process took for itself: `amount` of a counter, spent by it and not settled yet.

    It is in the counter's `held` while the journal of the process is live. When the journal's lease has run out it
    is in `forfeited`: not admitted again, until the journal is read and says what was spent.
    """

    __tablename__ = "allowances"
    __table_args__ = (
        Index("ix_allowances_journal_id", "journal_id"),
        CheckConstraint("amount >= 0", name="amount"),
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    journal_id: Mapped[UUID] = mapped_column(ForeignKey("journal_positions.id"), primary_key=True)
    amount: Mapped[int]
    is_forfeited: Mapped[bool] = mapped_column(server_default="false")
