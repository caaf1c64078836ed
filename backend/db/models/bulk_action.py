"""An act on many users."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class BulkAction(Base):
    """One act with its `arguments`, done to each of its users in turn. `address` and `request_id` are of who asked,
    `ticket` is that of its preview: the same is under way once.

    One that was stopped says why in `detail`; what was done until then stays done.
    """

    __tablename__ = "bulk_actions"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'finished', 'stopped')", name="state"),
        CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended_at"),
        Index("ix_bulk_actions_running", "id", postgresql_where=text("state = 'running'")),
        Index("uq_bulk_actions_ticket", "ticket", unique=True, postgresql_where=text("state = 'running'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    action: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    state: Mapped[str]
    detail: Mapped[str | None]
    created_by: Mapped[UserId] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    ticket: Mapped[str]


class BulkActionUser(Base):
    """One user of a bulk action; `detail` says why one was left out."""

    __tablename__ = "bulk_action_users"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'left_out')", name="state"),
        CheckConstraint("(state = 'left_out') = (detail IS NOT NULL)", name="detail"),
        Index(
            "ix_bulk_action_users_waiting",
            "bulk_action_id",
            "user_id",
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    bulk_action_id: Mapped[UUID] = mapped_column(ForeignKey("bulk_actions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"), primary_key=True)
    state: Mapped[str] = mapped_column(server_default="waiting")
    detail: Mapped[str | None]
