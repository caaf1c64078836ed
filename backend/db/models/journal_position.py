"""How far the journals of serving processes are settled."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class JournalPosition(Base):
    """One journal of spends. `position` counts its settled records, `round` the settlements: who settles moves both on
    from where they found them, so a process that was stopped and whoever took over from it cannot both count a record,
    and who did not hear of the end of a settlement finds out.

    What the process holds is its own until `expires_at` (the database's clock).
    """

    __tablename__ = "journal_positions"
    __table_args__ = (
        Index("ix_journal_positions_live", "expires_at", postgresql_where=text("state = 'live'")),
        CheckConstraint("state IN ('live', 'expired')", name="state"),
        CheckConstraint("position >= 0", name="position"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(server_default="0")
    round: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="live")
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
