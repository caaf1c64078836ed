"""Leases of large limits: within the stated bound over several processes, adapted to the rate, given back."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from feature_platform.core.gcra import RateLimit
from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import Database
from backend.ratelimit.leases import LeasedRateStore, extra, largest
from backend.ratelimit.model import Bucket, account_subject
from backend.ratelimit.postgres import PostgresRateStore

BUCKET = Bucket("api", account_subject(AccountId(UUID(int=1))))
FREE = RateLimit(requests=100, per_seconds=60, burst=100)
LARGE = RateLimit(requests=2_400, per_seconds=60, burst=2_400)  # 40 a second


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
    [(1, 100, 0, 1), (1_000, 2_400, 0, 40), (40, 7, 0, 7), (40, 0, 0, 0), (40, 2_400, 590, 10), (40, 2_400, 600, 0)],
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
    remaining = [(await store.take(BUCKET, LARGE)).remaining for _ in range(60)]
    assert remaining[0] == 2_399
    assert all(-1 <= before - after <= 1 for before, after in itertools.pairwise(remaining))
    assert remaining[-1] <= 2_345  # forty units come back in a second


async def test_what_was_not_used_goes_back(stores: list[LeasedRateStore], database: Database) -> None:
    store = stores[0]
    for _ in range(64):
        await store.take(BUCKET, LARGE)
    assert await leased(database) > 0
    await asyncio.sleep(1.05)
    verdict = await store.take(BUCKET, LARGE)
    assert verdict.remaining >= 2_400 - 65  # nothing of the lease was lost
    assert await leased(database) <= 1
