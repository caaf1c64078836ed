"""Mail on its way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class OutgoingMail(Base):
    """One rendered message, written in the transaction that wants it sent. In development it ends in the mailbox."""

    __tablename__ = "outgoing_mails"
    __table_args__ = (
        Index("ix_outgoing_mails_recipient_created_at", "recipient", "created_at"),
        CheckConstraint("delivery IN ('queued', 'sent', 'mailbox')", name="delivery"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    subject: Mapped[str]
    text_body: Mapped[str]
    html_body: Mapped[str]
    delivery: Mapped[str] = mapped_column(server_default="queued")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    sent_at: Mapped[datetime | None]
