"""What was done by whom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class AuditEvent(Base):
    """One act, written in its own transaction and never changed after.

    `actor_id` is the user for whom it was done; where somebody acted as another, `real_actor_id` is who it was.
    `place` is the event's place in its `seal`; both are null until it is sealed, a second or two after the act.
    Users are named without a foreign key: what was done stays, whatever becomes of them.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("actor_kind IN ('user', 'command', 'system')", name="actor_kind"),
        CheckConstraint(
            "(actor_kind = 'user') = (actor_id IS NOT NULL) AND (real_actor_id IS NULL OR actor_id IS NOT NULL)",
            name="actor",
        ),
        CheckConstraint("(target_kind IS NULL) = (target_id IS NULL)", name="target"),
        CheckConstraint("(seal IS NULL) = (place IS NULL)", name="sealed"),
        Index("ix_audit_events_unsealed", "id", postgresql_where=text("seal IS NULL")),
        Index("uq_audit_events_place", "seal", "place", unique=True),
        Index("ix_audit_events_actor", "actor_id", "id"),
        Index("ix_audit_events_real_actor", "real_actor_id", "id"),
        Index("ix_audit_events_target", "target_id", "id"),
        Index("ix_audit_events_request", "request_id"),
        Index("ix_audit_events_at", "at"),
        Index("ix_audit_events_action", "action", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(Text(collation="C"))
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    real_actor_id: Mapped[UUID | None]
    target_kind: Mapped[str | None]
    target_id: Mapped[str | None]
    reason: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]
    seal: Mapped[int | None] = mapped_column(ForeignKey("audit_seals.number"))
    place: Mapped[int | None]
