"""What a host application reports of usage, and what became of it. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from backend.core.errors import PlatformError
from backend.core.ids import AccountId
from backend.usage.model import Identity, content_hash

# Accepted by the account's clock: later than the last invoice could be, and no later than clocks differ.
OLDEST, NEWEST = timedelta(days=35), timedelta(minutes=5)

Operation = Literal["add", "set"]
Status = Literal["accepted", "duplicate", "rejected"]


class Fact(NamedTuple):
    """One amount that was used, whatever the limits say. `id` is the caller's own, once per account in 400 days.

    `operation` set gives the new level of a gauge. `account` is an id, or `external:` and the host's own; without a
    `timestamp` it is now.
    """

    id: str
    meter: str
    amount: int
    account: str | None = None
    timestamp: datetime | None = None
    operation: Operation = "add"
    properties: Mapping[str, Any] | None = None

    @property
    def content(self) -> dict[str, Any]:
        """What is the same in a repetition; the time is no part of it."""
        return _content(self.meter, self.amount, self.operation, self.properties)

    def identity(self, account_id: AccountId) -> Identity:
        """By which its repetitions are known, among those of its account."""
        if self.properties is None:
            return Identity.named(account_id, self.id, _plain_hash(self.meter, self.amount, self.operation))
        return Identity.of(account_id, self.id, self.content)


def _content(meter: str, amount: int, operation: Operation, properties: Mapping[str, Any] | None) -> dict[str, Any]:
    content = {"meter": meter, "amount": amount, "properties": properties}
    return content if operation == "add" else {**content, "operation": operation}


@lru_cache(maxsize=4_096)
def _plain_hash(meter: str, amount: int, operation: Operation) -> bytes:
    """Of facts without properties, which mostly say the same of others."""
    return content_hash(_content(meter, amount, operation, None))


class Taken(NamedTuple):
    """What became of one fact; of a rejected one, why. `id` is None where the fact had none that can be read."""

    id: str | None
    status: Status
    error: PlatformError | None = None


def rejected(id_: str | None, error: PlatformError) -> Taken:
    """One that was not counted."""
    return Taken(id_, "rejected", error)
