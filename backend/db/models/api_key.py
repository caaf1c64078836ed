"""Keys for programs."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from backend.core.ids import AccountId, UserId
from backend.db.base import Base


class ApiKey(Base):
    """A personal key acts for its account; a service key acts for the host application and has no account.

    `rate_limit_per_minute`: None is no limit of its own, 0 lets nothing pass. `last_used_at` is right to two minutes.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_in_force", "account_id", "id", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_api_keys_user", "user_id", postgresql_where=text("user_id IS NOT NULL AND revoked_at IS NULL")),
        Index("ix_api_keys_prefix", "prefix", "id", postgresql_ops={"prefix": "text_pattern_ops"}),
        CheckConstraint("kind IN ('personal', 'service')", name="kind"),
        CheckConstraint("rate_limit_per_minute >= 0", name="rate_limit_not_negative"),
        CheckConstraint("(kind = 'personal') = (account_id IS NOT NULL)", name="personal_has_account"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    name: Mapped[str]
    prefix: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    rate_limit_per_minute: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]
