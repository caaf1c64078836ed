"""What is made of each request by itself is, joined, what would be made of all at once."""

from datetime import timedelta

import pytest

from backend.core.ids import AccountId, UserId, uuid7
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
                scopes[number % 3],
                meter="storage" if number % 2 else "jobs",
                amount=number - 2,
                window=LEVEL if number % 2 else DAY,
                name=f"{size} {number}" if number % 3 else None,
            )
            for number in range(size)
        ]
        for size in sizes
    ]
    together = [one for request in requests for one in request]
    joined = Items.joined([Items(request) for request in requests])
    assert list(joined.each) == together
    assert joined.arrays()[7:] == Items(together).arrays()[7:], (
        "but for their places, of which each request has its own"
    )


def test_a_place_is_sent_once_and_each_item_says_which_is_its() -> None:
    one, other = scope(), scope()
    items = Items([item(one), item(other), item(one), item(one, meter="storage", window=LEVEL)])
    numbers = items.arrays()[6].data[20:]
    assert [int.from_bytes(numbers[at + 4 : at + 12], "big") for at in range(0, len(numbers), 12)] == [1, 2, 1, 3]
    places = items.arrays()[0]
    assert int.from_bytes(places.data[12:16], "big") == 3


def test_nothing_is_nothing() -> None:
    assert len(Items([])) == 0
    assert len(Items.joined([Items([]), Items([])])) == 0
