"""What is no longer kept."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class RetiredPart(Base):
    """How far a table that is kept in months has been retired: rows of before `before` were dropped by rule."""

    __tablename__ = "retired_parts"

    table_name: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[datetime]
    retired_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
