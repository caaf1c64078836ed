"""How overrides make a limit. Pure: `500 + 50 = 550`, `=0` closes a meter, whatever has begun last ends by itself.

At any moment the limit is the newest `set` in force, else the plan's, and all `add`s in force on top of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal["add", "set"]


@dataclass(frozen=True, slots=True)
class Override:
    """A limit of one meter beside the plan's, in base units; an `amount` of None (of a `set`) is unlimited.

    In force from `starts_at` until before `ends_at`, by the account's clock; None is until it is taken back.
    """

    id: UUID
    meter: str
    kind: Kind
    amount: int | None
    starts_at: datetime
    ends_at: datetime | None
    reason: str

    def is_in_force(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


def in_force(overrides: Sequence[Override], meter: str, at: datetime) -> tuple[Override, ...]:
    """Those that make the limit at a moment, in the order in which they are applied: the newest `set`, then the
    `add`s. `overrides` are in the order in which they were made; a `set` beneath a newer one makes nothing."""
    found = [one for one in overrides if one.meter == meter and one.is_in_force(at)]
    newest = [one for one in found if one.kind == "set"][-1:]
    return (*newest, *(one for one in found if one.kind == "add"))


def stacked(limit: int | None, overrides: Iterable[Override]) -> int | None:
    """What `in_force` makes of a plan's limit; None is unlimited, and stays so whatever is added."""
    for one in overrides:
        if one.kind == "set":
            limit = one.amount
        elif limit is not None:
            assert one.amount is not None, "something is added"
            limit += one.amount
    return limit


def boundaries(overrides: Iterable[Override], after: datetime) -> list[datetime]:
    """The moments after `after` at which one of them begins or ends, in order, each once."""
    moments = {moment for one in overrides for moment in (one.starts_at, one.ends_at) if moment is not None}
    return sorted(moment for moment in moments if moment > after)
