"""What operators note about a user."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class UserNote(Base):
    """A note for other operators; the user never sees it. It is not changed, only taken away."""

    __tablename__ = "user_notes"
    __table_args__ = (
        CheckConstraint("char_length(text) BETWEEN 1 AND 2000 AND text ~ '[^[:space:]]'", name="text"),
        Index("ix_user_notes_user", "user_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str]
    created_by: Mapped[UserId] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
