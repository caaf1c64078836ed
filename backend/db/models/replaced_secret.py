"""Secrets of keys that were rotated and are not over yet."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class ReplacedSecret(Base):
    """What a key was before a rotation: it opens the same doors until `good_until`. The account is the key's."""

    __tablename__ = "replaced_secrets"

    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), index=True)
    account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    good_until: Mapped[datetime] = mapped_column(index=True)
