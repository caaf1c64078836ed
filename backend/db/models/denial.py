"""What was refused."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.ids import AccountId
from backend.db.base import Base


class Denial(Base):
    """A refusal, with its numbers as of `first_at`, and how many equal ones came until `last_at`.

    `id` is the first one's decision, as its answer says; `decision_ids` and `request_ids` are those of the first 32,
    in order. `limit_amount` is in base units of the meter, or in requests of a rate limit, whose name is `scope`.
    `rules` are those that were asked, in order, with what each said.

    Any of the decisions is found in the primary key, for ids bear their time: it lies between `id` and `last_at`.
    Requests are found by the first of them: row-level security keeps an index over all of an array from being used.
    """

    __tablename__ = "denials"
    __table_args__ = (
        CheckConstraint("cardinality(request_ids) BETWEEN 1 AND 32", name="request_ids"),
        CheckConstraint("cardinality(decision_ids) = cardinality(request_ids)", name="decision_ids"),
        CheckConstraint("count >= cardinality(request_ids)", name="count"),
        CheckConstraint("first_at <= last_at", name="times"),
        CheckConstraint("used >= 0 AND held >= 0 AND limit_amount >= 0", name="not_negative"),
        CheckConstraint("window_start < window_end", name="window"),
        CheckConstraint("jsonb_typeof(rules) = 'array'", name="rules"),
        Index("ix_denials_first_at", "first_at"),
        Index("ix_denials_id", "id"),
        Index("ix_denials_named", text("(request_ids[1])"), "account_id", "id"),
        Index("ix_denials_key", "key_id", "id", postgresql_where=text("key_id IS NOT NULL")),
        {"postgresql_partition_by": "RANGE (first_at)"},
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_at: Mapped[datetime] = mapped_column(primary_key=True)
    last_at: Mapped[datetime]
    count: Mapped[int]
    decision_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    request_ids: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    code: Mapped[str]
    meter: Mapped[str | None]
    scope: Mapped[str | None]
    method: Mapped[str]
    path: Mapped[str]
    key_id: Mapped[UUID | None]
    subject: Mapped[str | None]
    used: Mapped[int | None]
    held: Mapped[int | None]
    limit_amount: Mapped[int | None]
    requested: Mapped[int | None]
    plan: Mapped[str]
    plan_version: Mapped[int]
    window_start: Mapped[datetime | None]
    window_end: Mapped[datetime | None]
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSONB())
