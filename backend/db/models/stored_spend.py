"""Spends that are stored and not counted yet."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class StoredSpend(Base):
    """A spend of a strict meter from what its process had set aside: here before it was answered.

    Its amount is part of the process's allowance, so it counts against the limit already; the next settlement of the
    journal makes it an event, adds it to what is used, and removes it. `number` is of the batch it was stored with.
    No foreign key: the statement that stores it moves the row of its store on, and fails where that is gone. Rows are
    sent in the order of the columns (`usage/stored.py`).
    """

    __tablename__ = "stored_spends"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    journal_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId]
    account_version: Mapped[int]
    meter: Mapped[str]
    window_start: Mapped[datetime]
    period_start: Mapped[datetime]
    amount: Mapped[int]
    key_id: Mapped[UUID | None]
    subject: Mapped[str | None]
    properties: Mapped[dict[str, Any] | None]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
