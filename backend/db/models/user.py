"""People who sign in."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.core.ids import AccountId, UserId
from backend.db.base import Base

if TYPE_CHECKING:
    from backend.db.models.user_subscription import UserSubscription
    from backend.db.models.user_usage import UserUsage


class User(Base):
    """A person. The address is stored in lower case; deleting a user frees it.

    `display_zone`, `language` and `theme` say how the web app shows things to them, and change nothing else.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email_live", "email", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("ix_users_email_parts", "email", postgresql_using="gin", postgresql_ops={"email": "gin_trgm_ops"}),
        Index(
            "ix_users_name_parts",
            literal_column("lower(name)").label("lower_name"),
            postgresql_using="gin",
            postgresql_ops={"lower_name": "gin_trgm_ops"},
        ),
        Index("ix_users_created_at", "created_at", "id"),
        Index("ix_users_status_created_at", "status", "created_at", "id"),
        Index("ix_users_last_login_at", text("last_login_at DESC NULLS LAST"), text("id DESC")),
        CheckConstraint("email = lower(email)", name="email_is_lower"),
        CheckConstraint("status IN ('unverified', 'active', 'suspended', 'deleted')", name="status"),
        CheckConstraint("theme IN ('auto', 'light', 'dark')", name="theme"),
        CheckConstraint("(status = 'deleted') = (deleted_at IS NOT NULL)", name="deleted_has_time"),
    )

    id: Mapped[UserId] = mapped_column(primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="unverified")
    mfa_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    personal_account_id: Mapped[AccountId] = mapped_column(
        ForeignKey("accounts.id", deferrable=True, initially="DEFERRED", use_alter=True), unique=True
    )
    email_verified_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    name: Mapped[str | None]
    display_zone: Mapped[str | None]
    language: Mapped[str | None]
    theme: Mapped[str | None]

    subscriptions: Mapped[list["UserSubscription"]] = relationship(back_populates="user", lazy="raise")
    usage_records: Mapped[list["UserUsage"]] = relationship(back_populates="user", lazy="raise")
