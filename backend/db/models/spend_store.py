"""How far processes have stored what they spend of strict meters."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class SpendStore(Base):
    """The stored spends of one journal. Whoever stores moves this row on, and does not wait for who settles.

    `stored` is the number of the last batch; one that was begun in an earlier `epoch` cannot be stored any more. It
    `is_closed` when the lease of the journal has run out, until the journal's next round.
    """

    __tablename__ = "spend_stores"
    __table_args__ = (CheckConstraint("stored >= 0", name="stored"),)

    journal_id: Mapped[UUID] = mapped_column(ForeignKey("journal_positions.id", ondelete="CASCADE"), primary_key=True)
    stored: Mapped[int] = mapped_column(server_default="0")
    epoch: Mapped[int] = mapped_column(server_default="0")
    is_closed: Mapped[bool] = mapped_column(server_default="false")
