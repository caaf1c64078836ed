"""What is counted."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class Meter(Base):
    """Something counted in whole base units. A counter starts again with its window; a gauge is a level."""

    __tablename__ = "meters"
    __table_args__ = (
        CheckConstraint("kind IN ('counter', 'gauge')", name="kind"),
        CheckConstraint("durability = 'strict' OR (durability = 'allowance' AND kind = 'counter')", name="durability"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    unit: Mapped[str]
    display_unit: Mapped[str | None]
    kind: Mapped[str]
    position: Mapped[int]
    durability: Mapped[str] = mapped_column(server_default="strict")
