"""What a customer was told of their usage."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class UsageNotice(Base):
    """That a share of a quota was reached: once for each account, meter, window and share.

    The window of a level (a gauge) is the account's period. `used` and `quota` are as they were at `reached_at`, by the
    account's clock; that of 100 is the last time at which the limit was reached, though it is told once.
    """

    __tablename__ = "usage_notices"
    __table_args__ = (
        CheckConstraint("percent IN (80, 95, 100)", name="percent"),
        Index("ix_usage_notices_window_end", "window_end"),
    )

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    percent: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    window_end: Mapped[datetime]
    used: Mapped[int]
    quota: Mapped[int]
    reached_at: Mapped[datetime]


class UsageNoticeDue(Base):
    """A counter that has passed its `notice_at`: somebody has to look what its customer is to be told."""

    __tablename__ = "usage_notices_due"

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
