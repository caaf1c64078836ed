"""Signed-in devices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class Session(Base):
    """One sign-in and its family of refresh tokens.

    Each refresh token is the HMAC of the one before it, so the newest hash and its `generation` are enough to tell
    a spent token of this family from a made-up one.
    """

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("generation >= 0", name="generation"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"), index=True)
    refresh_hash: Mapped[bytes] = mapped_column(LargeBinary)
    generation: Mapped[int] = mapped_column(server_default="0")
    rotated_at: Mapped[datetime]
    user_agent: Mapped[str | None]
    address: Mapped[str | None]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
