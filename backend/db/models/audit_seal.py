"""Seals over the audit log."""

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class AuditSeal(Base):
    """One link of the chain over the audit log, from 1 without a gap.

    `digest` is that of the events in their order; `mac` is over the number, the link before, the time of the last
    event and the digest, under the key `key_name`, which the database does not hold. When the events were kept long
    enough they go, and the link stays, so that the chain can be followed from its beginning; that they went by rule
    and when (`forgotten_at`) has a MAC of its own, under the same key.
    """

    __tablename__ = "audit_seals"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("events >= 1", name="events"),
        CheckConstraint("(forgotten_at IS NULL) = (forgotten_mac IS NULL)", name="forgotten"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    events: Mapped[int]
    last_at: Mapped[datetime]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    key_name: Mapped[str]
    mac: Mapped[bytes] = mapped_column(LargeBinary)
    forgotten_at: Mapped[datetime | None]
    forgotten_mac: Mapped[bytes | None] = mapped_column(LargeBinary)
