"""Limits that were given to an account beside its plan."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId, UserId
from backend.db.base import Base


class AccountOverride(Base):
    """`amount` base units of a meter more than the plan gives (`add`), or instead of it (`set`; null is unlimited).

    In force from `starts_at` until before `ends_at`, by the account's clock; null is until it is taken back. Rows stay:
    one that was taken back has `ended_at`, by the clock of the system like `created_at`. `created_by` and `ended_by`
    are null for a command. `number` is the account's version at which it was given, and so their order.
    `next_due_at` is the next beginning or end that nobody was told of yet.
    """

    __tablename__ = "account_overrides"
    __table_args__ = (
        CheckConstraint("kind IN ('add', 'set')", name="kind"),
        CheckConstraint(
            "CASE kind WHEN 'add' THEN amount IS NOT NULL AND amount > 0 ELSE amount IS NULL OR amount >= 0 END",
            name="amount",
        ),
        CheckConstraint("amount <= 1000000000000000", name="amount_is_counted"),
        CheckConstraint("starts_at < ends_at", name="times"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 500 AND reason ~ '[^[:space:]]'", name="reason"),
        CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name="ended_by"),
        CheckConstraint("ended_at IS NULL OR next_due_at IS NULL", name="next_due_at"),
        Index("uq_account_overrides_id", "id", unique=True),
        Index("uq_account_overrides_number", "account_id", "number", unique=True),
        Index(
            "ix_account_overrides_in_force",
            "account_id",
            "ends_at",
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_account_overrides_next_due_at",
            "next_due_at",
            "account_id",
            postgresql_where=text("next_due_at IS NOT NULL"),
        ),
        Index("ix_account_overrides_meter", "meter", "id"),
        Index("ix_account_overrides_taken_back", "id", postgresql_where=text("ended_at IS NOT NULL")),
        Index("ix_account_overrides_starts_at", "starts_at", postgresql_where=text("ended_at IS NULL")),
        Index("ix_account_overrides_ends_at", "ends_at", postgresql_where=text("ended_at IS NULL")),
    )

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int]
    meter: Mapped[str] = mapped_column(ForeignKey("meters.key"))
    kind: Mapped[str]
    amount: Mapped[int | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    reason: Mapped[str]
    created_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"))
    next_due_at: Mapped[datetime | None]
