"""Bodies and answers of spending. Amounts are whole base units of the meter."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.usage.model import MAX_AMOUNT

Amount = Annotated[int, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
Key = Annotated[str, Field(min_length=1, max_length=255)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    account_id: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """For service keys and operators: an id, or `external:` and the host application's own id."""


class SpendBody(_Body):
    """What is spent. Of a counter from 1; of a level any amount but 0, negative ones with a service key."""

    meter: Annotated[str, Field(min_length=1, max_length=100)]
    amount: Amount
    idempotency_key: Key | None = None
    properties: dict[str, Any] | None = None


class ReserveBody(_Body):
    """What is set aside, for `ttl` seconds."""

    meter: Annotated[str, Field(min_length=1, max_length=100)]
    amount: Amount
    ttl: Annotated[int, Field(ge=1, le=86_400)] = 300


class CommitBody(_Body):
    """What was really used; without an amount, all that was set aside."""

    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None


class ReleaseBody(_Body):
    """Nothing but whose reservation it is."""


class ExtendBody(_Body):
    """Seconds from now."""

    ttl: Annotated[int, Field(ge=1, le=86_400)] = 300


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class FixAnswer(_Answer):
    """One way to go on after a refusal."""

    kind: Literal["upgrade", "wait", "raise_cap", "release", "subscribe", "contact"]
    text: str
    plan: str | None = None
    url: str | None = None
    at: datetime | None = None


class DecisionAnswer(_Answer):
    """Whether it is allowed, and by which numbers. `limit` and `remaining` of null are unlimited."""

    allowed: bool
    code: str
    meter: str
    limit: int | None
    used: int
    held: int
    remaining: int | None
    resets_at: datetime | None
    retry_after: int | None
    plan: str | None
    decision_id: str | None
    fixes: list[FixAnswer]


class ReservationAnswer(_Answer):
    """An open reservation."""

    reservation_id: UUID
    expires_at: datetime
    decision: DecisionAnswer


class SettlementAnswer(_Answer):
    """How a reservation ended; `uncounted` is shown and never billed."""

    reservation_id: UUID
    state: Literal["committed", "released", "expired"]
    counted: int
    uncounted: int
    decision: DecisionAnswer


class ExtensionAnswer(_Answer):
    """The new end of a reservation."""

    reservation_id: UUID
    expires_at: datetime


class PingAnswer(_Answer):
    """What a metered call answers."""

    message: str
    decision: DecisionAnswer
