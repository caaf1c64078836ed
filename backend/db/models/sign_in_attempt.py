"""Slots of sign-in attempts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.base import Base


class SignInAttempt(Base):
    """One attempt by one subject (`login:account:…`, `login:network:…`, `register:network:…`).

    The row is written before the password is hashed and removed when the attempt succeeds, so parallel guesses
    cannot all pass one check.
    """

    __tablename__ = "sign_in_attempts"
    __table_args__ = (Index("ix_sign_in_attempts_subject_at", "subject", "attempted_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject: Mapped[str]
    attempted_at: Mapped[datetime] = mapped_column(index=True)
