"""Identity of usage."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class UsageEventKey(Base):
    """The digest of an account and a caller's id, kept for 400 days, with the first result.

    A table of its own because a unique index on the partitioned events would have to contain the time, and would
    then let one id in twice.
    """

    __tablename__ = "usage_event_keys"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[AccountId]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    event_id: Mapped[UUID]
    result: Mapped[dict[str, Any] | None]
    recorded_at: Mapped[datetime] = mapped_column(index=True)
