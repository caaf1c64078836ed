"""UUIDv7: a moment, then a count, then nothing that can be guessed."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from backend.core.ids import uuid7


def test_ids_are_version_7_and_bear_their_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(1_000)]
    after = time.time_ns() // 1_000_000
    for one in made:
        assert (one.version, one.variant) == (7, RFC_4122)
        # A burst may count on into the next millisecond.
        assert before <= one.int >> 80 <= after + 1


def test_ids_increase_strictly_within_a_process() -> None:
    made = [uuid7() for _ in range(50_000)]
    assert all(one < other for one, other in pairwise(made))
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_threads_share_the_order() -> None:
    def some(_: int) -> list[UUID]:
        return [uuid7() for _ in range(2_000)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(some, range(8)))
    for of_one_thread in made:
        assert of_one_thread == sorted(of_one_thread)
    assert len({one for of_one_thread in made for one in of_one_thread}) == 16_000


def test_a_clock_that_goes_back_makes_no_id_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    last = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    for _ in range(1_000):
        following = uuid7()
        assert following > last
        last = following


def test_one_id_does_not_tell_the_next() -> None:
    random_bits = set()
    for _ in range(20):
        random_bits.add(uuid7().int & ((1 << 62) - 1))
        time.sleep(0.002)
    assert len(random_bits) == 20
