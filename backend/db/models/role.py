"""Roles of the people who operate the platform."""

from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class Role(Base):
    """One operator role: superadmin, admin, support, billing, read_only."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str]
