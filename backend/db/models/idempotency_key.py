"""Answers kept for a repeated request."""

from datetime import datetime

from sqlalchemy import LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class IdempotencyKey(Base):
    """The answer to one `Idempotency-Key`, kept for 24 hours. Errors a retry may cure are never kept."""

    __tablename__ = "idempotency_keys"

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    method: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)
