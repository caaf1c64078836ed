"""One contract, every store: in memory, in PostgreSQL, leased, and behind the fallback."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from feature_platform.core.gcra import MICROSECONDS, RateLimit
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from backend.core.ids import AccountId, uuid7
from backend.db.session import Database, SystemSession
from backend.ratelimit.fallback import FallbackRateStore
from backend.ratelimit.leases import LeasedRateStore
from backend.ratelimit.memory import MemoryRateStore
from backend.ratelimit.model import Bucket, Take, account_subject, key_subject
from backend.ratelimit.postgres import PostgresRateStore
from backend.ratelimit.store import RateStore, RateStoreUnavailable

ALICE = account_subject(AccountId(UUID(int=1)))
BOB = account_subject(AccountId(UUID(int=11)))
KEY = key_subject(UUID(int=1))
SLOW = RateLimit(requests=10, per_seconds=86_400, burst=10)
WIDE = RateLimit(requests=100, per_seconds=86_400, burst=100)
API = Bucket("api", ALICE)


class Contract:
    """What is asked of every store. Limits come back so slowly that the time a test takes changes nothing."""

    async def test_the_burst_passes_and_one_more_does_not(self, store: RateStore) -> None:
        verdicts = [await store.take(API, SLOW) for _ in range(11)]
        assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False]
        assert [verdict.remaining for verdict in verdicts] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
        assert verdicts[0].retry_after == 0
        wait = verdicts[-1].retry_after
        assert wait is not None
        assert SLOW.interval - 60 * MICROSECONDS < wait <= SLOW.interval
        assert verdicts[-1].limit == SLOW
        assert not verdicts[-1].degraded

    async def test_after_the_wait_it_passes(self, store: RateStore) -> None:
        quick = RateLimit(requests=10, per_seconds=1, burst=2)
        while (verdict := await store.take(API, quick)).allowed:
            pass
        assert verdict.retry_after is not None
        await asyncio.sleep(verdict.retry_after / MICROSECONDS + 0.001)
        assert (await store.take(API, quick)).allowed

    async def test_looking_takes_nothing(self, store: RateStore) -> None:
        assert (await store.take(API, SLOW, 0)).remaining == 10
        await store.take(API, SLOW, 10)
        look = await store.take(API, SLOW, 0)
        assert look.allowed
        assert look.remaining == 0

    async def test_a_cost_above_what_is_left_is_refused_whole(self, store: RateStore) -> None:
        await store.take(API, SLOW, 8)
        assert not (await store.take(API, SLOW, 3)).allowed
        assert (await store.take(API, SLOW, 2)).allowed

    @pytest.mark.parametrize("cost", [11, 10**30])
    async def test_a_cost_above_the_burst_never_passes(self, store: RateStore, cost: int) -> None:
        verdict = await store.take(API, SLOW, cost)
        assert not verdict.allowed
        assert verdict.retry_after is None
        assert verdict.remaining == 10

    async def test_subjects_and_scopes_have_their_own_buckets(self, store: RateStore) -> None:
        await store.take(API, SLOW, 10)
        for bucket in (Bucket("api", BOB), Bucket("api", KEY), Bucket("search", ALICE)):
            assert (await store.take(bucket, SLOW)).remaining == 9

    async def test_several_at_once_are_all_or_nothing(self, store: RateStore) -> None:
        mine, keys = API, Bucket("api", KEY)
        await store.take(keys, SLOW, 9)
        first = await store.take_all([Take(mine, WIDE, 2), Take(keys, SLOW, 1)])
        assert [(verdict.allowed, verdict.remaining) for verdict in first] == [(True, 98), (True, 0)]
        second = await store.take_all([Take(mine, WIDE, 2), Take(keys, SLOW, 1)])
        assert [(verdict.allowed, verdict.remaining) for verdict in second] == [(True, 98), (False, 0)]
        assert (await store.take(mine, WIDE, 0)).remaining == 98

    async def test_the_order_of_the_answers_is_that_of_the_question(self, store: RateStore) -> None:
        buckets = [Bucket(scope, ALICE) for scope in ("zebra", "api", "middle")]
        verdicts = await store.take_all([Take(bucket, SLOW, n) for n, bucket in enumerate(buckets, 1)])
        assert [verdict.remaining for verdict in verdicts] == [9, 8, 7]
        again = await store.take_all([Take(bucket, SLOW) for bucket in buckets])
        assert [verdict.remaining for verdict in again] == [8, 7, 6]
        assert await store.take_all([]) == ()

    async def test_a_bucket_is_named_once_and_nothing_is_given_back(self, store: RateStore) -> None:
        with pytest.raises(ValueError, match="once"):
            await store.take_all([Take(API, SLOW), Take(API, WIDE)])
        with pytest.raises(ValueError, match="nothing back"):
            await store.take(API, SLOW, -1)

    async def test_clearing_fills_the_buckets_of_that_subject_alone(self, store: RateStore) -> None:
        # BOB's name begins with ALICE's, were it not for the separator.
        for bucket in (API, Bucket("search", ALICE), Bucket("api", BOB)):
            await store.take(bucket, SLOW, 10)
        assert await store.clear(ALICE) == 2
        assert (await store.take(API, SLOW)).remaining == 9
        assert not (await store.take(Bucket("api", BOB), SLOW)).allowed
        assert await store.clear(KEY) == 0

    async def test_a_higher_limit_counts_at_once(self, store: RateStore) -> None:
        await store.take(API, SLOW, 10)
        verdict = await store.take(API, RateLimit(requests=50, per_seconds=86_400, burst=50))
        assert not verdict.allowed, "what was taken stays taken"
        assert verdict.limit.burst == 50
        assert await store.clear(ALICE) == 1
        assert (await store.take(API, WIDE)).remaining == 99

    async def test_at_once_means_at_once(self, store: RateStore) -> None:
        verdicts = await asyncio.gather(*(store.take(API, SLOW) for _ in range(30)))
        assert sum(verdict.allowed for verdict in verdicts) == 10


class TestMemory(Contract):
    @pytest.fixture
    def store(self) -> RateStore:
        return MemoryRateStore()

    async def test_it_forgets_full_buckets_first(self) -> None:
        now = 0
        store = MemoryRateStore(lambda: now, max_buckets=16)
        quick, slow = RateLimit(60, 60, 60), RateLimit(1, 60, 1)
        for n in range(15):
            await store.take(Bucket("api", key_subject(UUID(int=n))), quick)
        await store.take(API, slow)
        now = 2 * MICROSECONDS
        await store.take(Bucket("api", BOB), slow)
        assert len(store) == 2
        assert not (await store.take(API, slow)).allowed

    async def test_it_never_holds_more_than_it_may(self) -> None:
        store = MemoryRateStore(lambda: 0, max_buckets=16)
        await store.take(API, SLOW, 10)
        for n in range(200):
            await store.take(Bucket("api", key_subject(UUID(int=n))), SLOW)
            assert len(store) <= 16
        assert not (await store.take(API, SLOW)).allowed, "the emptiest bucket is the last to go"

    async def test_a_clock_that_is_set_back_costs_one_empty_bucket_at_most(self) -> None:
        now = 10**15
        store = MemoryRateStore(lambda: now)
        await store.take(API, SLOW, 10)
        now = 0
        refused = await store.take(API, SLOW)
        assert refused.retry_after == SLOW.interval
        now = SLOW.interval
        assert (await store.take(API, SLOW)).allowed

    async def test_it_uses_the_clock_it_is_given(self) -> None:
        now = 0
        store = MemoryRateStore(lambda: now)
        refused = [await store.take(API, SLOW) for _ in range(11)][-1]
        assert refused.retry_after == SLOW.interval
        now = SLOW.interval - 1
        assert not (await store.take(API, SLOW)).allowed
        now = SLOW.interval
        assert (await store.take(API, SLOW)).allowed


class TestPostgres(Contract):
    @pytest.fixture
    def store(self, system_session: SystemSession) -> RateStore:
        turn = asyncio.Lock()

        @asynccontextmanager
        async def opened() -> AsyncIterator[AsyncSession]:
            # The test's own transaction, which is rolled back; one session serves one request at a time.
            async with turn:
                yield system_session

        return PostgresRateStore(opened)

    @pytest.fixture
    async def processes(self, system_session: SystemSession) -> AsyncIterator[PostgresRateStore]:
        """A store with connections of its own, which commit, as several processes have."""
        bind = system_session.bind
        engine = bind.engine if isinstance(bind, AsyncConnection) else bind
        assert engine is not None
        database = Database(engine.url.render_as_string(hide_password=False), pool_size=8)
        yield PostgresRateStore(database.system)
        async with database.system() as session:
            await session.execute(text("DELETE FROM rate_limit_states"))
        await database.close()

    async def test_a_state_far_ahead_is_a_bucket_that_is_empty_at_most(
        self, store: RateStore, system_session: SystemSession
    ) -> None:
        await system_session.execute(
            text("INSERT INTO rate_limit_states (key, tat) VALUES (:key, :tat)"), {"key": API.key, "tat": 9 * 10**18}
        )
        verdict = await store.take(API, SLOW)
        assert verdict.retry_after == SLOW.interval
        assert verdict.reset_after == SLOW.capacity
        ahead = text(
            "SELECT tat - extract(epoch FROM clock_timestamp()) * 1000000 FROM rate_limit_states WHERE key = :key"
        )
        assert await system_session.scalar(ahead, {"key": API.key}) <= SLOW.capacity

    async def test_pruning_forgets_what_is_full_and_long_unused(
        self, store: PostgresRateStore, system_session: SystemSession
    ) -> None:
        states = [("full", 0, "2 hours"), ("in use", 9 * 10**18, "2 hours"), ("fresh", 0, "2 seconds")]
        for key, tat, age in states:
            await system_session.execute(
                text(
                    "INSERT INTO rate_limit_states (key, tat, updated_at)"
                    " VALUES (:key, :tat, clock_timestamp() - CAST(:age AS interval))"
                ),
                {"key": key, "tat": tat, "age": age},
            )
        assert await store.prune() == 1
        left = await system_session.scalars(text("SELECT key FROM rate_limit_states ORDER BY key"))
        assert left.all() == ["fresh", "in use"]

    async def test_no_race_takes_more_or_less_than_there_is(self, processes: PostgresRateStore) -> None:
        for _ in range(5):
            bucket = Bucket("api", key_subject(uuid7()))
            verdicts = await asyncio.gather(*(processes.take(bucket, SLOW) for _ in range(24)))
            assert sum(verdict.allowed for verdict in verdicts) == 10

    async def test_buckets_named_in_any_order_do_not_wait_for_each_other(self, processes: PostgresRateStore) -> None:
        subject = key_subject(uuid7())
        buckets = [Bucket(scope, subject) for scope in ("a", "b", "c", "d")]
        order = random.Random(7)
        wishes = [order.sample(buckets, order.randint(1, 4)) for _ in range(48)]
        answers = await asyncio.gather(
            *(processes.take_all([Take(bucket, SLOW) for bucket in wish]) for wish in wishes)
        )
        for bucket in buckets:
            granted = sum(
                bucket in wish and all(verdict.allowed for verdict in verdicts)
                for wish, verdicts in zip(wishes, answers, strict=True)
            )
            assert (await processes.take(bucket, SLOW, 0)).remaining == 10 - granted

    async def test_a_mistake_in_a_statement_is_not_an_outage(self, system_session: SystemSession) -> None:
        @asynccontextmanager
        async def without_the_table() -> AsyncIterator[AsyncSession]:
            async with system_session.begin_nested():
                await system_session.execute(text("SET LOCAL search_path TO pg_catalog"))
                yield system_session

        with pytest.raises(ProgrammingError):
            await PostgresRateStore(without_the_table).take(API, SLOW)

    async def test_a_connection_that_fails_is_an_outage(self) -> None:
        nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
        store = PostgresRateStore(nowhere.system)
        with pytest.raises(RateStoreUnavailable):
            await store.take(API, SLOW)
        with pytest.raises(RateStoreUnavailable):
            await store.clear(ALICE)
        await nowhere.close()


class TestFallbackWithAStoreThatAnswers(Contract):
    @pytest.fixture
    def store(self) -> RateStore:
        return FallbackRateStore(MemoryRateStore(), processes=4)


class TestLeased(Contract):
    @pytest.fixture
    async def leased(self, shared_database_url: str) -> AsyncIterator[LeasedRateStore]:
        database = Database(shared_database_url, pool_size=4)
        made = LeasedRateStore(PostgresRateStore(database.system), database.url)
        yield made
        await made.close()
        async with database.system() as session:
            await session.execute(text("DELETE FROM rate_limit_states"))
        await database.close()

    @pytest.fixture
    def store(self, leased: LeasedRateStore) -> RateStore:
        return leased


class TestFallbackWithLeases(TestLeased):
    """As it is served."""

    @pytest.fixture
    def store(self, leased: LeasedRateStore) -> RateStore:
        return FallbackRateStore(leased, processes=4)
