"""Links by which a host application brings its customers in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class PortalLink(Base):
    """A link that opens the rooms of one account once, without a sign-up.

    With a `subject` it acts in that member's role, without one as the account's owner.
    """

    __tablename__ = "portal_links"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"), index=True)
    subject: Mapped[str | None]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
