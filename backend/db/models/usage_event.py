"""What happened."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class UsageEvent(Base):
    """One signed amount, appended and never changed.

    `occurred_at` decides the window, `recorded_at` the partition. An amount with `counted = false` is shown and
    never counted or billed.
    """

    __tablename__ = "usage_events"
    __table_args__ = (
        CheckConstraint(
            "source IN ('consume', 'ingest', 'journal', 'reservation', 'retraction', 'repair')", name="source"
        ),
        Index("ix_usage_events_account_id_meter_occurred_at", "account_id", "meter", "occurred_at"),
        Index("ix_usage_events_corrects", "account_id", "corrects", postgresql_where=text("corrects IS NOT NULL")),
        {"postgresql_partition_by": "RANGE (recorded_at)"},
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(primary_key=True)
    meter: Mapped[str]
    amount: Mapped[int]
    source: Mapped[str]
    counted: Mapped[bool] = mapped_column(server_default=text("true"))
    occurred_at: Mapped[datetime]
    window_start: Mapped[datetime]
    key_id: Mapped[UUID | None]
    subject: Mapped[str | None]
    external_id: Mapped[str | None]
    properties: Mapped[dict[str, Any] | None]
    corrects: Mapped[UUID | None]
