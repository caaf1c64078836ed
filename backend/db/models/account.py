"""Who subscribes, uses and pays."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Interval, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId, UserId
from backend.db.base import Base


class Account(Base):
    """A customer. Each user has a personal one; a team is another kind of the same thing.

    `version` is raised in the transaction of every change that a cache must notice. `usage_anchor` is where the
    periods of an account without a subscription begin. `clock_offset` moves the clock of a test-mode account. The
    host application's own `metadata` is kept as it is.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        Index("ix_accounts_own_clock", "id", postgresql_where=text("clock_offset <> '0'::interval")),
        CheckConstraint("kind IN ('personal', 'team')", name="kind"),
        CheckConstraint("mode IN ('live', 'test')", name="mode"),
        CheckConstraint("status IN ('active', 'suspended', 'deleted')", name="status"),
        CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata_is_object"),
        CheckConstraint("mode = 'test' OR clock_offset = '0'::interval", name="live_clock_is_true"),
    )

    id: Mapped[AccountId] = mapped_column(primary_key=True)
    external_id: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="personal")
    owner_user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"), index=True)
    mode: Mapped[str] = mapped_column(server_default="live")
    clock_offset: Mapped[timedelta] = mapped_column(Interval, server_default=text("'0'::interval"))
    billing_zone: Mapped[str] = mapped_column(server_default="UTC")
    usage_anchor: Mapped[datetime]
    currency: Mapped[str] = mapped_column(server_default="USD")
    status: Mapped[str] = mapped_column(server_default="active")
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    extra: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'::jsonb"))
