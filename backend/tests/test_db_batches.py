"""Wishes that gather while others are written: in order, each answered once, and never left waiting."""

import asyncio
from collections.abc import Callable

import pytest

from backend.db.batches import Batches


class Wish:
    def __init__(self, name: int) -> None:
        self.name = name
        self.answers: list[int | BaseException] = []

    def fail(self, error: BaseException) -> None:
        self.answers.append(error)


class Writer:
    """Writes when it is let. `fails` says which batches do."""

    def __init__(self, fails: Callable[[list[Wish]], BaseException | None] = lambda _: None) -> None:
        self.batches: list[list[int]] = []
        self.may = asyncio.Event()
        self.begun = asyncio.Event()
        self._fails = fails

    async def __call__(self, wishes: list[Wish]) -> None:
        self.batches.append([wish.name for wish in wishes])
        self.begun.set()
        await self.may.wait()
        error = self._fails(wishes)
        if error is not None:
            raise error
        for wish in wishes:
            wish.answers.append(wish.name)


def add(batches: Batches[Wish], *names: int) -> list[Wish]:
    wishes = [Wish(name) for name in names]
    for wish in wishes:
        batches.add(wish)
    return wishes


async def test_those_that_come_together_are_written_together_and_those_meanwhile_next() -> None:
    write = Writer()
    batches = Batches(write, name="test", most=10)
    first = add(batches, 1, 2, 3)
    await write.begun.wait()
    then = add(batches, 4, 5)
    assert write.batches == [[1, 2, 3]]
    write.may.set()
    await batches.close()
    assert write.batches == [[1, 2, 3], [4, 5]]
    assert [wish.answers for wish in first + then] == [[1], [2], [3], [4], [5]]


async def test_a_batch_has_at_most_so_many() -> None:
    write = Writer()
    write.may.set()
    batches = Batches(write, name="test", most=4)
    add(batches, *range(10))
    await batches.close()
    assert write.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_a_batch_that_fails_fails_its_own_and_no_others() -> None:
    error = ConnectionError("gone")
    write = Writer(lambda wishes: error if wishes[0].name == 0 else None)
    write.may.set()
    batches = Batches(write, name="test", most=2)
    wishes = add(batches, *range(4))
    await batches.close()
    assert [wish.answers for wish in wishes] == [[error], [error], [2], [3]]
    (later,) = add(batches, 9)
    await batches.close()
    assert later.answers == [9]


async def test_it_begins_again_after_a_pause() -> None:
    write = Writer()
    write.may.set()
    batches = Batches(write, name="test", most=2)
    for name in range(3):
        (wish,) = add(batches, name)
        await batches.close()
        assert wish.answers == [name]
    assert write.batches == [[0], [1], [2]]


async def test_closing_waits_for_what_was_added_even_while_it_writes() -> None:
    write = Writer()
    batches = Batches(write, name="test", most=2)
    await batches.close()
    wishes = add(batches, 1)
    await write.begun.wait()
    closing = asyncio.create_task(batches.close())
    await asyncio.sleep(0)
    wishes += add(batches, 2)
    assert not closing.done()
    write.may.set()
    await closing
    assert [wish.answers for wish in wishes] == [[1], [2]]


async def test_a_wish_added_by_a_write_goes_with_the_next_batch() -> None:
    written: list[int] = []

    async def write(wishes: list[Wish]) -> None:
        for wish in wishes:
            written.append(wish.name)
            if wish.name < 3:
                add(batches, wish.name + 1)

    batches = Batches(write, name="test", most=2)
    add(batches, 0)
    await batches.close()
    assert written == [0, 1, 2, 3]


async def test_who_waits_behind_a_write_that_is_stopped_is_told() -> None:
    write = Writer()
    batches = Batches(write, name="test", most=1)
    wishes = add(batches, 1, 2, 3)
    await write.begun.wait()
    (task,) = batches._tasks
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [[type(answer) for answer in wish.answers] for wish in wishes] == [[asyncio.CancelledError]] * 3
    write.may.set()
    (later,) = add(batches, 4)
    await batches.close()
    assert later.answers == [4]


async def test_large_wishes_share_a_batch_as_far_as_they_fit() -> None:
    write = Writer()
    write.may.set()
    batches = Batches(write, name="test", most=10, size_of=lambda wish: wish.name)
    add(batches, 4, 6, 1, 30, 5, 5, 5)
    await batches.close()
    assert write.batches == [[4, 6], [1], [30], [5, 5], [5]]
