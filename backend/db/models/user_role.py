"""Which user has which operator role."""

from datetime import datetime

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class UserRole(Base):
    """One operator role of one user."""

    __tablename__ = "user_roles"

    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str] = mapped_column(ForeignKey("roles.name"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
