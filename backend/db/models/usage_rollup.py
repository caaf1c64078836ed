"""Usage of a quarter of an hour."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class UsageRollup(Base):
    """The sum of what one key counted of one meter in 15 minutes from `bucket_start`, by the account's clock.

    `key_id` is 0 where no key spent. Signed: what was taken back counts in the quarter of an hour in which it was
    used first.
    """

    __tablename__ = "usage_rollups"

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    meter: Mapped[str] = mapped_column(primary_key=True)
    bucket_start: Mapped[datetime] = mapped_column(primary_key=True)
    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    amount: Mapped[int]
