"""Any sequence of takes, renewals, lost answers, deaths and pauses over several processes stays within the bound."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

import pytest
from feature_platform.core import gcra
from feature_platform.core.gcra import MICROSECONDS, RateLimit
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backend.core.ids import AccountId
from backend.ratelimit.leases import largest
from backend.ratelimit.model import Bucket, account_subject
from backend.ratelimit.store import RateStoreUnavailable
from backend.tests.properties.buckets import HOUR, Direct, Fate, Question, SimulatedStore, Table
from backend.tests.properties.sizes import size

T = TypeVar("T")

MOST_PROCESSES = 8
_SUBJECTS = [account_subject(AccountId(UUID(int=number))) for number in (1, 2)]
_BUCKETS = [Bucket("api", subject) for subject in _SUBJECTS]

_LIMITS = st.sampled_from(
    [
        RateLimit(requests=6_000, per_seconds=60, burst=100),
        RateLimit(requests=480, per_seconds=60, burst=64),
        RateLimit(requests=6_000, per_seconds=60, burst=80),
        RateLimit(requests=2_400, per_seconds=60, burst=2_400),
        RateLimit(requests=100, per_seconds=60, burst=100),  # no leases
    ]
)
_NUMBERS = st.integers(0, MOST_PROCESSES - 1)
_WHICH = st.integers(0, 1)
_FATES: st.SearchStrategy[Fate] = st.sampled_from(
    ["done", "done", "done", "done", "lost at lock", "lost at write", "not heard of"]
)
_MOMENTS = st.sampled_from([0, 0, 0, 1, 1_000, 30_000, 400_000])
_SPANS = st.sampled_from([1, 10_000, 100_000, 300_000, MICROSECONDS, 3 * MICROSECONDS, 70 * MICROSECONDS, 2 * HOUR])


class Machine(RuleBasedStateMachine):
    """Processes on the left, the table on the right, and a judge who sees each unit that passes."""

    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(limit=_LIMITS, phase=st.integers(0, MICROSECONDS - 1))
    def begin(self, limit: RateLimit, phase: int) -> None:
        self.limit = limit
        self.table = Table()
        self.table.now += phase
        self.processes: list[SimulatedStore] = []
        self.judge = dict.fromkeys((bucket.key for bucket in _BUCKETS), 0)
        """A bucket that gives all that the bound allows, and no more."""
        self.spent = dict.fromkeys(self.judge, 0)
        for offset in (0, -7 * HOUR, HOUR, 0, 123_456):
            self.start(offset)

    @precondition(lambda self: len(self.processes) < MOST_PROCESSES)
    @rule(offset=st.sampled_from([0, -7 * HOUR]))
    def start(self, offset: int) -> None:
        self.processes.append(SimulatedStore(self.table, offset))

    @precondition(lambda self: len(self.processes) > 1)
    @rule(number=_NUMBERS)
    def die(self, number: int) -> None:
        self.processes.remove(self.of(number))

    def of(self, number: int) -> SimulatedStore:
        return self.processes[number % len(self.processes)]

    @rule(
        number=_NUMBERS,
        which=_WHICH,
        times=st.sampled_from([1, 2, 5, 13, 30, 150]),
        at_once=st.booleans(),
        fate=_FATES,
    )
    def take(self, number: int, which: int, times: int, at_once: bool, fate: Fate) -> None:
        process = self.of(number)
        process.wire.next = Question(fate)
        self.run(self._take(process, which, times, at_once=at_once))
        process.wire.next = Question()

    @rule(which=_WHICH, times=st.sampled_from([1, 8, 30]), span=st.sampled_from([0, 0, 50_000, MICROSECONDS]))
    def take_everywhere(self, which: int, times: int, span: int) -> None:
        """One process after the other."""
        for process in self.processes:
            self.run(self._take(process, which, times, at_once=False))
            self.table.now += span

    @rule(
        number=_NUMBERS,
        which=_WHICH,
        times=st.sampled_from([1, 5, 30]),
        fate=_FATES,
        spends=st.sampled_from([0, 1, 20]),
        spans=st.tuples(_MOMENTS, _MOMENTS, _MOMENTS),
        other=st.booleans(),
        clears=st.sampled_from([False, False, False, True]),
    )
    def take_while_much_happens(
        self,
        number: int,
        which: int,
        times: int,
        fate: Fate,
        spends: int,
        spans: tuple[int, int, int],
        other: bool,
        clears: bool,
    ) -> None:
        """Time passes, the process spends from memory, another takes as well, and the subject is cleared."""
        process, neighbour = self.of(number), self.of(number + 1)

        async def spend(span: int) -> None:
            self.table.now += span
            for _ in range(spends):
                process.take_now(_BUCKETS[which].key, self.limit)

        async def before_lock() -> None:
            await spend(spans[0])
            if other and neighbour is not process:
                await self._take(neighbour, which, times)

        async def before_answer() -> None:
            await spend(spans[2])
            if clears:
                await process.clear(_SUBJECTS[which])
            if other and neighbour is not process:
                await self._take(neighbour, which, times)

        process.wire.next = Question(fate, before_lock, lambda: spend(spans[1]), before_answer)
        self.run(self._take(process, which, times))
        process.wire.next = Question()  # it may have had enough in its hand

    @rule(number=_NUMBERS, which=_WHICH, fate=_FATES, waits=st.sampled_from([1, 5]))
    def give_up(self, number: int, which: int, fate: Fate, waits: int) -> None:
        """Callers who wait no longer: before the question, and while it is under way."""
        process = self.of(number)

        async def work() -> None:
            calls = [asyncio.ensure_future(process.take(_BUCKETS[which], self.limit)) for _ in range(2 * waits)]
            await asyncio.sleep(0)
            for call in calls[:waits]:
                call.cancel()

            async def before_write() -> None:
                calls[-1].cancel()
                await asyncio.sleep(0)

            process.wire.next = Question(fate, before_write=before_write)
            await asyncio.wait(calls)
            await process._batches.close()
            process.wire.next = Question()
            for call in calls:
                with contextlib.suppress(RateStoreUnavailable, asyncio.CancelledError):
                    call.result()

        self.run(work())

    async def _take(self, process: SimulatedStore, which: int, times: int, *, at_once: bool = True) -> None:
        async def one() -> None:
            with contextlib.suppress(RateStoreUnavailable):
                await process.take(_BUCKETS[which], self.limit)

        if at_once:
            await asyncio.gather(*(one() for _ in range(times)))
        else:
            for _ in range(times):
                await one()
        await process._batches.close()

    @rule(number=_NUMBERS)
    def take_both(self, number: int) -> None:
        """Two buckets of one question."""

        async def work() -> None:
            await asyncio.gather(*(self._take(self.of(number), which, 3) for which in (0, 1)))

        self.run(work())

    @rule(number=_NUMBERS, which=_WHICH, cost=st.sampled_from([0, 2, 40]))
    def take_several(self, number: int, which: int, cost: int) -> None:
        self.run(self.of(number).take(_BUCKETS[which], self.limit, cost))

    @rule(which=_WHICH)
    def drain(self, which: int) -> None:
        """All that is there at once, by somebody who leases nothing."""

        async def work() -> None:
            store = Direct(self.table)
            look = await store.take(_BUCKETS[which], self.limit, 0)
            assert (await store.take(_BUCKETS[which], self.limit, look.remaining)).allowed

        self.run(work())

    @rule(number=_NUMBERS, which=_WHICH)
    def clear(self, number: int, which: int) -> None:
        self.run(self.of(number).clear(_SUBJECTS[which]))

    @rule(span=_SPANS)
    def pass_time(self, span: int) -> None:
        self.table.now += span

    @rule()
    def prune(self) -> None:
        self.table.prune()

    @invariant()
    def adds_up(self) -> None:
        if hasattr(self, "table"):
            self._stays_within_the_bound()
            self._makes_no_units()

    def _stays_within_the_bound(self) -> None:
        burst = self.limit.burst + (self.limit.burst // 4 if largest(self.limit) else 0)
        bound = RateLimit(self.limit.requests, self.limit.per_seconds, burst)
        for _, now, key, units in sorted(self.table.passed):
            verdict = gcra.check(self.judge[key] if units else 0, now, bound, units)
            assert verdict.allowed, "more than burst + rate * t + burst / 4 have passed"
            self.judge[key] = verdict.tat
            self.spent[key] += units
        self.table.passed.clear()

    def _makes_no_units(self) -> None:
        for key in self.spent:
            row = self.table.row(key)
            spendable = sum(process.in_hand(key, live_only=True) for process in self.processes)
            assert spendable <= (row.leased if row.leased_until > self.table.now else 0), "one lease is not counted"
            assert spendable <= self.limit.burst // 8
            held = sum(process.in_hand(key, live_only=False) for process in self.processes)
            known = (self.spent[key] + held) * self.limit.interval
            assert known <= self.table.taken[key], "units come from nowhere"
            self.table.taken[key] = known  # the rest is lost for good

    def teardown(self) -> None:
        """Whatever is held back in memory, or could be given back, is within the bound as well."""
        if not hasattr(self, "table"):
            return
        for which in (0, 1):
            self.drain(which)
            self.take_everywhere(which, 30, 0)
        self.adds_up()


def _prove(*, examples: int, steps: int) -> None:
    Machine.loop = asyncio.new_event_loop()
    try:
        run_state_machine_as_test(Machine, settings=size(examples=examples, steps=steps))
    finally:
        Machine.loop.close()


def test_processes_with_leases() -> None:
    _prove(examples=200, steps=50)


@pytest.mark.prove
def test_processes_with_leases_at_length() -> None:
    _prove(examples=20_000, steps=100)
