"""Links that let a new password be chosen."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class PasswordReset(Base):
    """One link sent to the user's address; the token itself is stored as its hash."""

    __tablename__ = "password_resets"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
