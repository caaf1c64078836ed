"""What is made of each request by itself is, joined, what would be made of all at once."""

from datetime import timedelta

import pytest

from backend.core.ids import AccountId, UserId, uuid7
from backend.db.arrays import Array
from backend.tests.moments import NOW
from backend.usage.items import Item, Items
from backend.usage.model import LEVEL, Identity, Scope, Source, Window

DAY = Window(NOW, NOW + timedelta(days=1))


def scope() -> Scope:
    return Scope(AccountId(uuid7()), UserId(uuid7()), NOW, NOW + timedelta(days=30))


def item(of: Scope, *, meter: str = "jobs", amount: int = 1, window: Window = DAY, name: str | None = None) -> Item:
    identity = None if name is None else Identity.of(of.account_id, name, {"amount": amount})
    by = Source(uuid7(), "who", {"of": name} if name else None)
    return Item(uuid7(), of, meter, window, amount, by, identity, {"used": 3} if name else None, NOW, NOW)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 2), (5, 7), (0, 2), (2, 0)])
def test_joined_they_are_as_if_made_at_once(sizes: tuple[int, ...]) -> None:
    scopes = [scope(), scope(), scope()]
    requests = [
        [
            item(
                scopes[(number + at) % 3],
                meter="storage" if number % 2 else "jobs",
                amount=number - 2,
                window=LEVEL if number % 2 else DAY,
                name=f"{size} {number}" if number % 3 else None,
            )
            for number in range(size)
        ]
        for at, size in enumerate(sizes)
    ]
    together = [one for request in requests for one in request]
    joined = Items.joined([Items(request) for request in requests])
    assert list(joined.each) == together
    assert joined.arrays()[7:] == Items(together).arrays()[7:]
    assert places(joined) == [(one.scope.account_id.bytes, one.meter.encode()) for one in together]


def elements(array: Array) -> list[bytes]:
    """Of one that has no nulls."""
    found, rest = [], array.data[20:]
    while rest:
        length = int.from_bytes(rest[:4], "big")
        found.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    return found


def places(items: Items) -> list[tuple[bytes, bytes]]:
    """Of each item the account and the meter that its number leads to."""
    arrays = items.arrays()
    accounts, meters = elements(arrays[0]), elements(arrays[1])
    numbers = [int.from_bytes(number, "big") - 1 for number in elements(arrays[6])]
    return [(accounts[number], meters[number]) for number in numbers]


def test_a_place_is_sent_once_for_all_its_items() -> None:
    one, other = scope(), scope()
    items = Items([item(one), item(other), item(one), item(one, meter="storage", window=LEVEL)])
    assert [int.from_bytes(number, "big") for number in elements(items.arrays()[6])] == [1, 2, 1, 3]
    assert len(elements(items.arrays()[0])) == 3


def test_nothing_is_nothing() -> None:
    assert len(Items([])) == 0
    assert len(Items.joined([Items([]), Items([])])) == 0
