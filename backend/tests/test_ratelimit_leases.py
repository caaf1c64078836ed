"""Leases of large limits: within the stated bound over several processes, adapted to the rate, given back."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import psycopg
import pytest
from feature_platform.core.gcra import MICROSECONDS, RateLimit
from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import Database, driver_url
from backend.ratelimit.fallback import FallbackRateStore
from backend.ratelimit.leases import _MOST_KEPT, LeasedRateStore, _Lease, _Want, _Withdrawal, extra, largest
from backend.ratelimit.model import Bucket, account_subject, key_subject
from backend.ratelimit.postgres import PostgresRateStore
from backend.ratelimit.store import RateStoreUnavailable
from backend.ratelimit.withdrawals import Shared, WithdrawalConnection
from backend.tests.properties.buckets import Direct, Question, SimulatedStore, Table

ALICE = account_subject(AccountId(UUID(int=1)))
BUCKET = Bucket("api", ALICE)
KEY = BUCKET.key
FREE = RateLimit(requests=100, per_seconds=60, burst=100)
LARGE = RateLimit(requests=2_400, per_seconds=60, burst=2_400)  # 40 a second
QUICK = RateLimit(requests=100, per_seconds=1, burst=100)  # at most 12 are out in a second
SLOW = RateLimit(requests=50, per_seconds=86_400, burst=50)
SECOND = MICROSECONDS


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[list[LeasedRateStore]]:
    """Of four processes."""
    databases = [Database(database_url, pool_size=4) for _ in range(4)]
    made = [LeasedRateStore(PostgresRateStore(one.system), one.url) for one in databases]
    yield made
    for store, one in zip(made, databases, strict=True):
        await store.close()
        await one.close()


async def leased(database: Database) -> int:
    async with database.system() as session:
        return int(await session.scalar(text("SELECT leased FROM rate_limit_states")) or 0)


def test_limits_for_people_have_no_leases() -> None:
    assert largest(FREE) == 0
    assert largest(RateLimit(requests=59, per_seconds=60, burst=59)) == 0
    assert largest(LARGE) == 40
    assert largest(RateLimit(requests=6_000, per_seconds=60, burst=80)) == 10


@pytest.mark.parametrize(
    ("wish", "remaining", "outstanding", "expected"),
    [(1, 100, 0, 1), (1_000, 2_400, 0, 40), (40, 7, 0, 7), (40, 0, 0, 0), (40, 2_400, 290, 10), (40, 2_400, 300, 0)],
)
def test_a_lease_is_at_most_what_is_wished_left_and_not_out(
    wish: int, remaining: int, outstanding: int, expected: int
) -> None:
    assert extra(LARGE, wish=wish, remaining=remaining, outstanding=outstanding) == expected


async def test_four_processes_stay_within_the_bound_and_use_what_there_is(stores: list[LeasedRateStore]) -> None:
    began = time.monotonic()

    async def one(store: LeasedRateStore) -> int:
        return sum([(await store.take(BUCKET, LARGE)).allowed for _ in range(900)])

    passed = sum(await asyncio.gather(*(one(store) for store in stores)))
    refilled = (time.monotonic() - began) * 40
    assert passed <= 2_400 + refilled + 1
    # Nobody is refused for more than what others hold in their hands.
    assert passed >= 2_400 - 3 * largest(LARGE)


async def test_a_busy_bucket_is_taken_from_memory(stores: list[LeasedRateStore]) -> None:
    store = stores[0]
    from_memory = 0
    for _ in range(200):
        verdict = store.take_now(BUCKET.key, LARGE)
        from_memory += verdict is not None
        if verdict is None:
            assert (await store.take(BUCKET, LARGE)).allowed
        else:
            assert verdict.allowed
    assert from_memory > 150


async def test_remaining_counts_down_over_leases(stores: list[LeasedRateStore]) -> None:
    store = stores[0]
    began = time.monotonic()
    remaining = [(await store.take(BUCKET, LARGE)).remaining for _ in range(60)]
    refilled = (time.monotonic() - began) * 40
    assert remaining[0] == 2_399
    # In memory the bucket fills since the question was asked, in the database since it was answered.
    assert all(-1 - refilled <= before - after <= 2 for before, after in itertools.pairwise(remaining))
    assert remaining[-1] <= 2_341 + refilled


async def test_what_was_not_used_goes_back(stores: list[LeasedRateStore], database: Database) -> None:
    store = stores[0]
    for _ in range(64):
        await store.take(BUCKET, LARGE)
    assert await leased(database) > 0
    await asyncio.sleep(1.05)
    verdict = await store.take(BUCKET, LARGE)
    assert verdict.remaining >= 2_400 - 65  # nothing of the lease was lost
    assert await leased(database) <= 1


# Decisions


def decide(
    shared: Shared,
    last: _Lease | None,
    *,
    now: int,
    asked_at: int | None = None,
    limits: Sequence[RateLimit] = (QUICK,),
) -> _Withdrawal:
    wants = [_Want(KEY, limit, 1) for limit in limits]
    return _Withdrawal(shared, wants, last, now, now if asked_at is None else asked_at)


def lease(*, left: int, size: int, ends_at: int, limit: RateLimit = QUICK) -> _Lease:
    """Of a process whose clock is the database's."""
    return _Lease(limit=limit, left=left, size=size, until=ends_at, tat=0, ends_at=ends_at)


async def test_a_lease_ends_with_the_second_whatever_its_process_takes_for_the_time() -> None:
    found = decide(Shared(KEY, 0, 0, 0), None, now=7 * SECOND + 900_000, asked_at=-5).lease
    assert (found.ends_at, found.until) == (8 * SECOND, 99_995)


async def test_an_answer_that_was_not_heard_makes_no_room_for_more() -> None:
    """Four of twelve were its own and are spent, eight are with others."""
    last, second = lease(left=0, size=4, ends_at=SECOND), Shared(KEY, 0, 12, SECOND)
    empty = second._replace(tat=QUICK.capacity + 1)
    unheard = decide(empty, last, now=1).after
    assert unheard.leased == 8, "it has none any more"
    assert decide(unheard._replace(tat=0), last, now=2).lease.size <= 4


async def test_a_lease_does_not_outlive_its_second_because_the_question_took_long() -> None:
    last = lease(left=12, size=12, ends_at=SECOND)
    others = Shared(KEY, SECOND + QUICK.capacity // 2, 12, 2 * SECOND)
    found = decide(others, last, now=SECOND + 1, asked_at=SECOND - 1)
    assert (found.after.leased, found.lease.size, last.left) == (12, 0, 0)
    assert found.verdicts[0][1].remaining == 50 + 12 - 1


@pytest.mark.parametrize(
    ("now", "leased_until", "comes_back"),
    [
        (SECOND, SECOND, True),
        (2 * SECOND - 1, 2 * SECOND, True),
        (2 * SECOND, 2 * SECOND, False),
        (2 * SECOND, 3 * SECOND, False),
        (90 * SECOND, SECOND, True),
        (90 * SECOND, 2 * SECOND, False),
        (90 * SECOND, 0, False),
    ],
    ids=["next second", "its end", "after it", "others later", "nobody since", "somebody since", "pruned since"],
)
async def test_what_is_left_comes_back_only_where_nobody_can_have_had_it(
    now: int, leased_until: int, comes_back: bool
) -> None:
    last = lease(left=12, size=12, ends_at=SECOND)
    half = Shared(KEY, now + QUICK.capacity // 2, 12, leased_until)
    assert decide(half, last, now=now).verdicts[0][1].remaining == (61 if comes_back else 49)
    assert decide(half, last, now=now).verdicts[0][1].remaining == 49, "once, whether or not it is heard of"


async def test_units_come_back_as_what_they_were_taken_for() -> None:
    tenth = RateLimit(requests=10, per_seconds=1, burst=10)
    last = lease(left=12, size=12, ends_at=SECOND)
    found = decide(Shared(KEY, tenth.capacity, 12, SECOND), last, now=2, limits=[tenth])
    assert found.verdicts[0][1].remaining == 1 - 1


async def test_limits_of_one_bucket_in_one_question_are_asked_in_turn() -> None:
    double = RateLimit(requests=200, per_seconds=1, burst=200)
    found = decide(Shared(KEY, 0, 0, 0), None, now=0, limits=[QUICK, double, QUICK])
    assert [verdict.remaining for _, verdict in found.verdicts] == [99, 197, 97]
    assert found.lease.limit == QUICK


# Processes on a table


@pytest.fixture
def table() -> Table:
    return Table()


async def take(store: LeasedRateStore, times: int, limit: RateLimit = QUICK) -> int:
    """So many one after the other; how many passed."""
    passed = sum([(await store.take(BUCKET, limit)).allowed for _ in range(times)])
    await store._batches.close()
    return passed


async def drain(table: Table, limit: RateLimit = QUICK) -> int:
    store = Direct(table)
    remaining = (await store.take(BUCKET, limit, 0)).remaining
    assert (await store.take(BUCKET, limit, remaining)).allowed
    return remaining


async def test_leases_that_ended_long_ago_do_not_come_on_top_of_a_full_bucket(table: Table) -> None:
    stores = [SimulatedStore(table) for _ in range(6)]
    for store in stores:
        await take(store, 8)
        assert store.in_hand(KEY, live_only=True) > 5
        table.now += SECOND
    table.now += 60 * SECOND
    assert await drain(table) == QUICK.burst
    assert sum([await take(store, 30) for store in stores]) <= QUICK.burst // 4


async def test_all_in_turn_get_back_in_the_next_second_what_they_left(table: Table) -> None:
    stores = [SimulatedStore(table) for _ in range(4)]
    for store in stores:
        await take(store, 20, LARGE)
    table.now += SECOND
    await take(stores[0], 1, LARGE)
    for store in stores:
        await take(store, 1, LARGE)
    held = sum(store.in_hand(KEY, live_only=True) for store in stores)
    remaining = (await stores[0].take(BUCKET, LARGE, 0)).remaining
    assert remaining + held == LARGE.burst - 4 * 20 - 5 + 40


async def test_what_came_into_the_hand_while_others_waited_is_for_them(table: Table) -> None:
    store = SimulatedStore(table)
    others: list[asyncio.Task[int]] = []

    async def come() -> None:
        others.extend(asyncio.create_task(take(store, 1)) for _ in range(150))
        await asyncio.sleep(0)

    store.wire.next = Question(before_answer=come)
    assert await take(store, 1) == 1
    assert sum(await asyncio.gather(*others)) == QUICK.burst - 1
    assert store.in_hand(KEY, live_only=True) == 0


async def test_who_gave_up_before_the_question_pays_nothing(table: Table) -> None:
    store = SimulatedStore(table)
    others: list[asyncio.Task[int]] = []

    async def come_and_go() -> None:
        others.extend(asyncio.create_task(take(store, 1, FREE)) for _ in range(4))
        await asyncio.sleep(0)
        others[0].cancel()
        others[2].cancel()

    store.wire.next = Question(before_answer=come_and_go)
    await take(store, 1, FREE)
    await asyncio.wait(others)
    assert [other.cancelled() for other in others] == [True, False, True, False]
    assert (await store.take(BUCKET, FREE, 0)).remaining == FREE.burst - 3


async def test_who_gives_up_during_the_question_takes_nothing_from_the_others(table: Table) -> None:
    store = SimulatedStore(table)
    calls = [asyncio.create_task(take(store, 1, FREE)) for _ in range(3)]

    async def give_up() -> None:
        calls[1].cancel()
        await asyncio.sleep(0)

    store.wire.next = Question(before_write=give_up)
    await asyncio.wait(calls)
    assert [calls[0].result(), calls[1].cancelled(), calls[2].result()] == [1, True, 1]


async def test_the_hand_is_spent_while_more_is_asked_for_and_goes_on_with_it(table: Table) -> None:
    store = SimulatedStore(table)
    await take(store, 12)
    held = store.in_hand(KEY, live_only=True)
    spent = 0

    async def spend() -> None:
        nonlocal spent
        spent += store.take_now(KEY, QUICK) is not None

    store.wire.next = Question(before_lock=spend, before_write=spend, before_answer=spend)
    store._batches.add(_Want(KEY, QUICK, 0))
    await store._batches.close()
    assert spent == 3
    row = table.rows[KEY]
    assert (row.tat - table.now) // QUICK.interval == 12 + spent + store.in_hand(KEY, live_only=True)
    assert held - spent <= store.in_hand(KEY, live_only=True) <= row.leased <= largest(QUICK)


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "ended"])
async def test_clearing_takes_what_is_in_the_hand_even_while_more_is_asked_for(table: Table, is_live: bool) -> None:
    store = SimulatedStore(table)
    await take(store, 12)
    table.now += 0 if is_live else SECOND

    async def clear() -> None:
        assert await store.clear(ALICE) == 1

    store.wire.next = Question(before_answer=clear)
    store._batches.add(_Want(KEY, QUICK, 0))
    await store._batches.close()
    assert store.in_hand(KEY, live_only=False) <= (0 if is_live else largest(QUICK))
    assert (await store.take(BUCKET, QUICK)).allowed
    assert sum([await take(SimulatedStore(table), 130), await take(store, 30)]) <= QUICK.burst + QUICK.burst // 4 - 1


async def test_a_lower_limit_counts_at_once(table: Table) -> None:
    store = SimulatedStore(table)
    await take(store, 60, LARGE)
    assert store.in_hand(KEY, live_only=True) > 10
    lower = RateLimit(requests=5, per_seconds=60, burst=5)
    assert store.take_now(KEY, lower) is None
    assert await take(store, 20, lower) <= 5
    assert store.take_now(KEY, LARGE) is None, "it is given back"


async def test_only_leases_with_units_are_kept_and_those_renewed_last_are_forgotten_last(table: Table) -> None:
    store = SimulatedStore(table)
    await take(store, 5, FREE)
    assert not store._leases
    names = [f"key:{number}|api" for number in range(_MOST_KEPT)]
    for name in names:
        store._keep(name, lease(left=1, size=1, ends_at=SECOND))
    store._keep(names[0], lease(left=1, size=1, ends_at=SECOND))
    assert len(store._leases) == _MOST_KEPT
    store._keep("one more", lease(left=1, size=1, ends_at=SECOND))
    assert len(store._leases) == _MOST_KEPT * 7 // 8 + 1
    assert {names[0], names[-1], "one more"} < store._leases.keys()
    assert names[1] not in store._leases


@pytest.mark.parametrize("fate", ["lost at write", "not heard of"])
async def test_a_failure_is_told_to_all_who_wait_and_is_over_with_the_next_question(table: Table, fate: str) -> None:
    store = SimulatedStore(table)
    store.wire.next = Question("lost at write" if fate == "lost at write" else "not heard of")
    answers = await asyncio.gather(*(store.take(BUCKET, FREE) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RateStoreUnavailable] * 5
    assert (await store.take(BUCKET, FREE)).remaining == FREE.burst - (1 if fate == "lost at write" else 6)


async def test_a_connection_that_had_died_is_noticed_by_nobody(table: Table) -> None:
    store = SimulatedStore(table)
    await take(store, 1, FREE)
    store.wire.next = Question("lost at lock")
    assert (await store.take(BUCKET, FREE)).remaining == FREE.burst - 2


# On PostgreSQL


async def test_a_small_bucket_is_exact_however_many_ask_at_once(stores: list[LeasedRateStore]) -> None:
    verdicts = await asyncio.gather(*(stores[0].take(BUCKET, SLOW) for _ in range(200)))
    assert sum(verdict.allowed for verdict in verdicts) == SLOW.burst
    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(SLOW.burst))
    assert stores[0].take_now(KEY, SLOW) is None


async def test_many_buckets_of_many_processes_at_once(stores: list[LeasedRateStore]) -> None:
    buckets = [Bucket("api", key_subject(UUID(int=number))) for number in range(20)]
    order = random.Random(1)
    calls = [(store, bucket) for store in stores for bucket in buckets for _ in range(20)]
    order.shuffle(calls)
    verdicts = await asyncio.gather(*(store.take(bucket, SLOW) for store, bucket in calls))
    for bucket in buckets:
        passed = sum(verdict.allowed for (_, of), verdict in zip(calls, verdicts, strict=True) if of == bucket)
        assert passed == SLOW.burst


async def test_leases_are_taken_through_the_fallback_as_well(stores: list[LeasedRateStore]) -> None:
    store = FallbackRateStore(stores[0], processes=4)
    for _ in range(20):  # a second may end in between
        assert not (await store.take(BUCKET, LARGE)).degraded
        if store.take_now(KEY, LARGE) is not None:
            break
    else:
        raise AssertionError("no lease was taken")
    assert not store.is_degraded


class Cut(WithdrawalConnection):
    """Breaks at the commit: before it, or when it is done and nobody has heard of it."""

    is_committed = False

    async def write(self, buckets: Sequence[Shared]) -> None:
        if self.is_committed:
            await super().write(buckets)
        await self.close()
        await super().write(buckets)


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_connection_that_breaks_at_the_commit(stores: list[LeasedRateStore], is_committed: bool) -> None:
    store = stores[0]
    await store.take(BUCKET, SLOW)
    assert store._connection is not None
    await store._connection.close()
    store._connection = cut = await Cut.open(store._url)
    cut.is_committed = is_committed
    with pytest.raises(RateStoreUnavailable):
        await store.take(BUCKET, SLOW)
    assert (await store.take(BUCKET, SLOW)).remaining == SLOW.burst - (3 if is_committed else 2)


class Pruning(WithdrawalConnection):
    """Others prune what it looks for, so many times."""

    prunes = 0
    database: Database

    async def _lock(self, keys: Sequence[str]) -> tuple[dict[str, Shared], int]:
        if self.prunes:
            self.prunes -= 1
            async with self.database.system() as session:
                await session.execute(text("DELETE FROM rate_limit_states"))
        return await super()._lock(keys)


@pytest.mark.parametrize("prunes", [1, 2])
async def test_rows_that_are_pruned_in_between(stores: list[LeasedRateStore], database: Database, prunes: int) -> None:
    store = stores[0]
    await store.take(BUCKET, FREE)
    assert store._connection is not None
    await store._connection.close()
    store._connection = pruning = await Pruning.open(store._url)
    pruning.prunes, pruning.database = prunes, database
    assert (await store.take(BUCKET, FREE)).remaining == FREE.burst - 1


async def test_who_waits_for_a_lock_too_long_is_told_and_the_connection_serves_again(
    stores: list[LeasedRateStore], database: Database
) -> None:
    store = stores[0]
    await store.take(BUCKET, SLOW)
    async with database.system() as session:
        await session.execute(text("SELECT 1 FROM rate_limit_states FOR UPDATE"))
        with pytest.raises(RateStoreUnavailable):
            await store.take(BUCKET, SLOW)
    connection = store._connection
    assert (await store.take(BUCKET, SLOW)).remaining == SLOW.burst - 2
    assert store._connection is connection


# Those of the stores; what PostgreSQL does there by itself is nobody's to end.
_OTHERS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@pytest.mark.faults
@pytest.mark.xdist_group("faults")
async def test_connections_that_are_ended_at_random_under_load(
    stores: list[LeasedRateStore], database_url: str
) -> None:
    chance, passed, lost = random.Random(7), 0, 0
    began, is_over = time.monotonic(), False

    async def call(store: LeasedRateStore) -> None:
        nonlocal passed, lost
        while not is_over:
            try:
                verdict = await store.take(BUCKET, QUICK)
                passed += verdict.allowed
            except RateStoreUnavailable:
                lost += 1
            await asyncio.sleep(0)

    async def kill() -> None:
        nonlocal is_over
        try:
            for _ in range(60):
                await asyncio.sleep(chance.random() * 0.08)
                found = [row[0] async for row in await killer.execute(_OTHERS)]
                if found:
                    await killer.execute("SELECT pg_terminate_backend(%s)", [chance.choice(found)])
        finally:
            is_over = True

    async with await psycopg.AsyncConnection.connect(driver_url(database_url), autocommit=True) as killer:
        async with asyncio.TaskGroup() as tasks:
            for store in stores:
                for _ in range(6):
                    tasks.create_task(call(store))
            tasks.create_task(kill())
        elapsed = time.monotonic() - began
        assert passed <= QUICK.burst + 100 * elapsed + QUICK.burst // 4
        assert passed > QUICK.burst
        assert lost
        await killer.execute(f"SELECT pg_terminate_backend(pid, 2000) FROM ({_OTHERS}) AS others")
        for store in stores:
            assert (await store.take(BUCKET, LARGE)).limit == LARGE, "that its connection is gone is noticed by nobody"
