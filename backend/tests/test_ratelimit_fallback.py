"""A shared store that fails, hangs and comes back."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest
from feature_platform.core.gcra import MICROSECONDS, RateLimit

from backend.core.ids import AccountId
from backend.ratelimit.fallback import FallbackRateStore
from backend.ratelimit.memory import MemoryRateStore
from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take, account_subject
from backend.ratelimit.store import RateStoreUnavailable

ALICE = account_subject(AccountId(UUID(int=1)))
API = Bucket("api", ALICE)
HUNDRED = RateLimit(requests=100, per_seconds=60, burst=100)


class Flaky(MemoryRateStore):
    """A store that can be told to refuse connections, or to hang."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.broken = False
        self.hangs = False
        self.asked = 0

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(60)
        if self.broken:
            raise RateStoreUnavailable("the cable is out")
        return await super().take_all(takes)

    async def clear(self, subject: Subject) -> int:
        if self.broken:
            raise RateStoreUnavailable("the cable is out")
        return await super().clear(subject)


class Time:
    """A clock in microseconds that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


async def passed(store: FallbackRateStore, calls: int) -> int:
    return sum([(await store.take(API, HUNDRED)).allowed for _ in range(calls)])


async def test_without_the_store_each_process_passes_its_share() -> None:
    shared = Flaky()
    shared.broken = True
    processes = [FallbackRateStore(shared, 4, clock=Time()) for _ in range(4)]
    assert [await passed(process, 60) for process in processes] == [25, 25, 25, 25]


async def test_the_verdict_says_so() -> None:
    shared, time = Flaky(), Time()
    store = FallbackRateStore(shared, 4, clock=time)
    assert not (await store.take(API, HUNDRED)).degraded
    shared.broken = True
    verdict = await store.take(API, HUNDRED)
    assert verdict.degraded
    assert store.is_degraded
    assert (verdict.limit, verdict.remaining) == (HUNDRED.share(4), 24)


async def test_the_share_comes_back_at_a_quarter_of_the_rate() -> None:
    shared, time = Flaky(), Time()
    shared.broken = True
    store = FallbackRateStore(shared, 4, clock=time)
    await passed(store, 30)
    time.now = 60 * MICROSECONDS
    assert await passed(store, 60) == 25


async def test_a_limit_below_the_number_of_processes_is_not_lifted() -> None:
    shared = Flaky()
    shared.broken = True
    store = FallbackRateStore(shared, 8, clock=Time())
    one = RateLimit(requests=1, per_seconds=60, burst=1)
    assert (await store.take(API, one)).allowed
    refused = await store.take(API, one)
    assert not refused.allowed
    assert refused.retry_after == 8 * 60 * MICROSECONDS


async def test_a_store_that_failed_is_left_alone_for_a_second_and_asked_again() -> None:
    shared, time = Flaky(), Time()
    shared.broken = True
    store = FallbackRateStore(shared, 2, clock=time)
    await passed(store, 10)
    assert shared.asked == 1
    shared.broken = False
    time.now = MICROSECONDS - 1
    assert (await store.take(API, HUNDRED)).degraded
    time.now = MICROSECONDS
    assert not (await store.take(API, HUNDRED)).degraded
    assert not store.is_degraded
    assert shared.asked == 2


async def test_a_store_that_hangs_is_a_store_that_failed() -> None:
    shared = Flaky()
    shared.hangs = True
    store = FallbackRateStore(shared, 2, clock=Time(), patience=0.01)
    verdict = await asyncio.wait_for(store.take(API, HUNDRED), 2)
    assert verdict.degraded


async def test_clearing_tells_when_it_could_not() -> None:
    shared, time = Flaky(), Time()
    store = FallbackRateStore(shared, 2, clock=time)
    await store.take(API, HUNDRED)
    assert await store.clear(ALICE) == 1
    shared.broken = True
    await passed(store, 60)
    with pytest.raises(RateStoreUnavailable):
        await store.clear(ALICE)
    assert (await store.take(API, HUNDRED)).remaining == 49, "here it is cleared"


def test_nobody_is_no_process() -> None:
    with pytest.raises(ValueError, match="process"):
        FallbackRateStore(Flaky(), 0)
