"""Buckets that several processes share."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class RateLimitState(Base):
    """The theoretical arrival time of one bucket, in microseconds of the database's clock.

    `leased` units are out with processes that spend them in memory, until `leased_until`; they have moved `tat` on.
    """

    __tablename__ = "rate_limit_states"

    key: Mapped[str] = mapped_column(primary_key=True)
    tat: Mapped[int]
    leased: Mapped[int] = mapped_column(server_default="0")
    leased_until: Mapped[int] = mapped_column(server_default="0")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
