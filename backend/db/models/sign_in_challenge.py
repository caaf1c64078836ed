"""What a code is asked for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class SignInChallenge(Base):
    """A sign-in that waits for its second factor, or a second factor that waits to be confirmed.

    `attempts` is raised before a code is looked at, ten at most. `secret` is the one to be confirmed, encrypted.
    """

    __tablename__ = "sign_in_challenges"
    __table_args__ = (
        CheckConstraint("purpose IN ('login', 'enable')", name="purpose"),
        CheckConstraint("(purpose = 'enable') = (secret IS NOT NULL)", name="secret_to_enable"),
        CheckConstraint("attempts BETWEEN 0 AND 10", name="attempts"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str]
    secret: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
