"""The second factor of a user."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import UserId
from backend.db.base import Base


class TotpSecret(Base):
    """The shared secret of one-time codes (RFC 6238), encrypted.

    `last_step` is the number of the time step whose code was last accepted: no code is good twice.
    """

    __tablename__ = "totp_secrets"

    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret: Mapped[str]
    last_step: Mapped[int]
    confirmed_at: Mapped[datetime]
