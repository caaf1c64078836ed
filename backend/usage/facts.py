"""What a host application reports of usage, and what became of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from backend.core.errors import PlatformError

# Accepted by the account's clock: later than the last invoice could be, and no later than clocks differ.
OLDEST, NEWEST = timedelta(days=35), timedelta(minutes=5)

Operation = Literal["add", "set"]
Status = Literal["accepted", "duplicate", "rejected"]


@dataclass(frozen=True, slots=True)
class Fact:
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
        content = {"meter": self.meter, "amount": self.amount, "properties": self.properties}
        return content if self.operation == "add" else {**content, "operation": self.operation}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one fact; of a rejected one, why. `id` is None where the fact had none that can be read."""

    id: str | None
    status: Status
    error: PlatformError | None = None


def rejected(id_: str | None, error: PlatformError) -> Taken:
    """One that was not counted."""
    return Taken(id_, "rejected", error)
