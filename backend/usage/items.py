"""Spends of a batch, in the form in which they go to PostgreSQL."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from backend.db.arrays import BYTES, INTEGERS, MOMENTS, TEXTS, UUIDS, Array
from backend.usage.model import Identity, Scope, Source, Window


class Item(NamedTuple):
    """One spend of a batch, checked under lock. `event_id` is its own; `now` is when it is recorded."""

    event_id: UUID
    scope: Scope
    meter: str
    window: Window
    amount: int
    by: Source
    identity: Identity | None
    result: Mapping[str, Any] | None
    occurred_at: datetime
    now: datetime
    source: str = "consume"
    corrects: UUID | None = None


# The columns in the order of the statement's parameters. Places are sent once, for many items share one.
_PLACE = (UUIDS, TEXTS, MOMENTS, MOMENTS, MOMENTS, UUIDS)
_ITEM = (UUIDS, INTEGERS, BYTES, BYTES, TEXTS, TEXTS, UUIDS, TEXTS, TEXTS, MOMENTS, MOMENTS, TEXTS, UUIDS)


class Items:
    """Made before anything is locked, of each request by itself, so that nobody waits for it."""

    __slots__ = ("_columns", "_numbers", "_places", "_places_columns", "each")

    def __init__(self, each: Sequence[Item]) -> None:
        self.each = each
        firsts: dict[tuple[int, int, str], int] = {}
        # By what they are and not by what they say: comparing is more work than a place that is there twice.
        self._numbers = [firsts.setdefault((id(item.scope), id(item.window), item.meter), len(firsts)) for item in each]
        places = [_place(item) for item in _firsts(each, self._numbers)]
        self._places = len(places)
        self._places_columns = [kind.piece([place[at] for place in places]) for at, kind in enumerate(_PLACE)]
        columns = zip(*map(_values, each), strict=True) if each else [()] * len(_ITEM)
        self._columns = [kind.piece(values) for kind, values in zip(_ITEM, columns, strict=True)]

    def __len__(self) -> int:
        return len(self.each)

    @classmethod
    def joined(cls, parts: Sequence["Items"]) -> "Items":
        """Those of several requests."""
        if len(parts) == 1:
            return parts[0]
        made = cls.__new__(cls)
        made.each = [item for part in parts for item in part.each]
        made._numbers, made._places = [], 0
        for part in parts:
            made._numbers += [number + made._places for number in part._numbers]
            made._places += part._places
        made._places_columns = [
            b"".join(pieces) for pieces in zip(*(part._places_columns for part in parts), strict=True)
        ]
        made._columns = [b"".join(pieces) for pieces in zip(*(part._columns for part in parts), strict=True)]
        return made

    def arrays(self) -> list[Array]:
        """The parameters of the statement: six columns of places, then the number of each item's place, its columns."""
        count = len(self.each)
        places = [kind.array(self._places, [piece]) for kind, piece in zip(_PLACE, self._places_columns, strict=True)]
        items = [kind.array(count, [piece]) for kind, piece in zip(_ITEM, self._columns, strict=True)]
        return [*places, INTEGERS.array(count, [INTEGERS.piece([number + 1 for number in self._numbers])]), *items]


def _firsts(items: Sequence[Item], numbers: Sequence[int]) -> Iterable[Item]:
    """The first item of each place, in the order of their numbers."""
    seen = 0
    for item, number in zip(items, numbers, strict=True):
        if number == seen:
            seen += 1
            yield item


def _place(item: Item) -> tuple[Any, ...]:
    scope = item.scope
    return (scope.account_id, item.meter, item.window.start, scope.period_start, scope.period_end, scope.owner_user_id)


def _values(item: Item) -> tuple[Any, ...]:
    """In the order of the columns."""
    by, identity = item.by, item.identity
    return (
        item.event_id,
        item.amount,
        *((None, None, None) if identity is None else identity),
        None if item.result is None else json.dumps(dict(item.result)),
        by.key_id,
        by.subject,
        json.dumps(dict(by.properties)) if by.properties else None,
        item.occurred_at,
        item.now,
        item.source,
        item.corrects,
    )
