"""Who acts for an account."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId, UserId
from backend.db.base import Base


class AccountMember(Base):
    """One role of one user, or of one subject of a foreign issuer, in one account.

    A subject that was removed stays with `removed_at`: an issuer that vouches for the account would let them in again.
    """

    __tablename__ = "account_members"
    __table_args__ = (
        UniqueConstraint("account_id", "user_id"),
        UniqueConstraint("account_id", "foreign_subject"),
        Index("ix_account_members_foreign_subject", "foreign_subject"),
        CheckConstraint("(user_id IS NULL) <> (foreign_subject IS NULL)", name="one_identity"),
        CheckConstraint("role IN ('owner', 'admin', 'developer', 'billing', 'viewer')", name="role"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"))
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"), index=True)
    foreign_subject: Mapped[str | None]
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    removed_at: Mapped[datetime | None]
