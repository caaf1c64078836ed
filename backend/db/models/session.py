"""Signed-in devices."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId, UserId
from backend.db.base import Base


class Session(Base):
    """One sign-in and its family of refresh tokens.

    Each refresh token is the HMAC of the one before it, so the newest hash and its `generation` are enough to tell
    a spent token of this family from a made-up one. It is a user's, or it was begun by a portal link for one account.
    In a user's session that an operator began, `impersonator_id` is the operator; without `may_write` it only reads.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("generation >= 0", name="generation"),
        CheckConstraint("(user_id IS NULL) <> (portal_account_id IS NULL)", name="one_owner"),
        CheckConstraint("portal_subject IS NULL OR portal_account_id IS NOT NULL", name="subject_in_portal"),
        CheckConstraint(
            "impersonator_id IS NULL OR (user_id IS NOT NULL AND user_id <> impersonator_id)", name="impersonator"
        ),
        Index("ix_sessions_impersonator_id", "impersonator_id", postgresql_where=text("impersonator_id IS NOT NULL")),
        Index(
            "ix_sessions_portal_account_id",
            "portal_account_id",
            postgresql_where=text("portal_account_id IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"), index=True)
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
    portal_account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("accounts.id"))
    portal_subject: Mapped[str | None]
    impersonator_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"))
    may_write: Mapped[bool] = mapped_column(server_default="true")
