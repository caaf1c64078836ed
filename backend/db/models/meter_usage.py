"""The counters that decide."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class MeterUsage(Base):
    """One counter: used, held and forfeited of one account, meter and window.

    A level (a gauge, the jobs in flight) has one row without an end. `used` may pass a limit by a fact, never by
    an admission, so the limit is the guard of a statement and not a constraint. A trigger notes in
    `usage_notices_due` that `used` has passed `notice_at`; None: there is nothing more to say.
    """

    __tablename__ = "meter_usage"
    __table_args__ = (
        CheckConstraint("used >= 0 AND held >= 0 AND forfeited >= 0", name="not_negative"),
        CheckConstraint("window_end IS NULL OR window_start < window_end", name="window"),
    )

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    window_end: Mapped[datetime | None]
    used: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")
    forfeited: Mapped[int] = mapped_column(server_default="0")
    notice_at: Mapped[int | None] = mapped_column(server_default="1")
