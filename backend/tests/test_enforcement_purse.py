"""Strict spends of busy accounts: stored before they are answered, counted soon after, exact whatever dies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from backend.core.errors import Unavailable
from backend.db.session import Database
from backend.enforcement import purse
from backend.enforcement.allowances import Pool
from backend.enforcement.decide import ask
from backend.enforcement.engine import Caller, Outcome
from backend.enforcement.errors import OutcomeUnknown
from backend.enforcement.group import Wish
from backend.enforcement.heirs import take_over
from backend.enforcement.purse import OFTEN
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.fakes.process import Process
from backend.tests.moments import NOW
from backend.tests.turns import in_turns
from backend.usage import rounds
from backend.usage.model import Counter, Source
from backend.usage.rounds import RoundConnection
from backend.usage.settlement import Connection
from backend.usage.stored import Stand, StoreConnection, count_stored

Start = Callable[[], Awaitable[Process]]

_SAID = text("""
    SELECT (SELECT coalesce(sum(used), 0) FROM meter_usage WHERE meter = :meter),
        (SELECT coalesce(sum(held), 0) FROM meter_usage WHERE meter = :meter),
        (SELECT coalesce(sum(forfeited), 0) FROM meter_usage WHERE meter = :meter),
        (SELECT coalesce(sum(amount), 0) FROM usage_events WHERE meter = :meter),
        (SELECT coalesce(sum(amount), 0) FROM usage_rollups WHERE meter = :meter),
        (SELECT coalesce(sum(amount), 0) FROM stored_spends WHERE meter = :meter),
        (SELECT coalesce(sum(jobs_created), 0) FROM user_usage)
""")
_OUT = text("SELECT coalesce(sum(amount), 0) FROM allowances")
_EXPIRE = text("UPDATE journal_positions SET expires_at = clock_timestamp() - interval '1 s'")


@pytest.fixture
async def start(database_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Process] = []

    async def one() -> Process:
        process = await Process(database_url, tmp_path / "journal").start()
        started.append(process)
        return process

    yield one
    for process in started:
        if process.treasury.allowances is not None:
            await process.stop()


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many spends within a minute make an account busy here, so that it is so on every machine."""
    monkeypatch.setattr(purse, "_SECOND", 60_000_000_000)


async def on(database: Database, plan: str) -> Person:
    async with database.system() as session:
        made = await person(session)
        await upgrade_user_plan(session, made.user_id, plan, now=NOW)
    return made


@pytest.fixture
async def user(database: Database) -> Person:
    """Whose jobs are not limited."""
    return await on(database, "enterprise")


async def caller_of(process: Process, user: Person, by: Source = Source()) -> Caller:  # noqa: B008 - it is frozen
    return Caller(user.account_id, by, user.user_id, NOW, await process.entitlements(user))


async def spend(process: Process, caller: Caller, times: int, *, meter: str = "jobs", amount: int = 1) -> list[Outcome]:
    async def once() -> Outcome:
        return await process.engine.spend(caller, meter=meter, amount=amount)

    return await in_turns(times, once)


async def said(database: Database, meter: str = "jobs") -> tuple[int, ...]:
    """Used, held, forfeited, events, sums of quarters of an hour, stored and not counted, recorded jobs."""
    async with database.system() as session:
        return tuple(map(int, (await session.execute(_SAID, {"meter": meter})).one()))


def counted(used: int) -> tuple[int, ...]:
    return used, 0, 0, used, used, 0, used


async def is_busy(database: Database) -> bool:
    """Whether something was set aside."""
    async with database.system() as session:
        return bool(await session.scalar(_OUT))


async def test_who_spends_rarely_has_nothing_set_aside(start: Start, database: Database, user: Person) -> None:
    process = await start()
    caller = await caller_of(process, user)
    outcomes = [(await process.engine.spend(caller, meter="jobs", amount=2)).decision.used for _ in range(OFTEN)]
    assert outcomes == list(range(2, 2 * OFTEN + 1, 2))
    assert await said(database) == counted(2 * OFTEN)
    assert not await is_busy(database)


async def test_a_busy_account_is_answered_from_what_was_set_aside(
    start: Start, database: Database, user: Person
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    found = [(await process.engine.spend(caller, meter="jobs", amount=1)).decision for _ in range(60)]
    assert [decision.used for decision in found] == list(range(1, 61))
    assert {decision.held for decision in found} == {0}
    assert await is_busy(database)
    used, held, forfeited, events, sums, stored, recorded = await said(database)
    assert used + stored == 60  # each is in one place or the other, before it is answered
    assert (events, sums, recorded) == (used, used, used)
    assert (held >= stored, forfeited) == (True, 0)
    await process.treasury.settle_account(user.account_id)
    assert await said(database) == counted(60)


async def test_events_say_who_spent_and_what_of(start: Start, database: Database, user: Person) -> None:
    process = await start()
    whole = {"a": "\\", 'b"': "{x,(y)}", "c": [None, True, "\n"]}
    subjects = ['say "hi", (all) of {you}', "back\\slash%d", "", "NULL", " spaced ", "ü\t☃"]
    await spend(process, await caller_of(process, user), 40)
    for subject in subjects:
        by = Source(subject=subject, properties=whole)
        await process.engine.spend(await caller_of(process, user, by), meter="jobs", amount=3)
    assert (await said(database))[5] >= 3 * len(subjects)
    await process.treasury.settle_account(user.account_id)
    async with database.read(user.account_id) as session:
        rows = (
            await session.execute(
                text("SELECT subject, properties, source, recorded_at FROM usage_events WHERE amount = 3 ORDER BY id")
            )
        ).all()
    assert [row.subject for row in rows] == subjects
    assert {row.source for row in rows} == {"consume"}
    assert all(row.properties == whole and row.recorded_at == NOW for row in rows)
    assert await said(database) == counted(40 + 3 * len(subjects))


async def test_minutes_of_compute_are_recorded(start: Start, database: Database, user: Person) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 40, meter="compute", amount=7)
    await process.treasury.settle_account(user.account_id)
    async with database.read(user.account_id) as session:
        assert await session.scalar(text("SELECT compute_minutes FROM user_usage")) == 5  # 280 seconds, rounded up


@pytest.mark.parametrize("amount", [1, 3])
async def test_several_processes_admit_exactly_the_limit(start: Start, database: Database, amount: int) -> None:
    user = await on(database, "pro")  # 500 jobs in a period
    processes = [await start() for _ in range(3)]
    callers = [await caller_of(process, user) for process in processes]
    turn = iter(range(10**6))

    async def once() -> bool:
        which = next(turn) % 3
        return (await processes[which].engine.spend(callers[which], meter="jobs", amount=amount)).decision.allowed

    answers = await in_turns(500 // amount + 60, once, at_once=24)
    assert sum(answers) == 500 // amount
    for process in processes:
        await process.stop()
        process.treasury.allowances = None
    assert await said(database) == counted(500 // amount * amount)


async def test_a_reservation_calls_back_what_is_set_aside(start: Start, database: Database) -> None:
    user = await on(database, "pro")
    busy, other = await start(), await start()
    await spend(busy, await caller_of(busy, user), 60)
    assert busy.treasury.allowances is not None
    assert busy.treasury.allowances.of_account(user.account_id)
    outcome = await other.engine.spend(await caller_of(other, user), meter="jobs", amount=440)
    assert outcome.decision.allowed
    assert not (await other.engine.spend(await caller_of(other, user), meter="jobs", amount=1)).decision.allowed


async def test_a_changed_account_is_not_spent_from_on_its_former_terms(
    start: Start, database: Database, user: Person
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 60)
    async with database.system() as session:
        await upgrade_user_plan(session, user.user_id, "pro", now=NOW)
    outcome = await process.engine.spend(caller, meter="jobs", amount=1)
    assert (outcome.decision.limit, outcome.entitlements.terms.name) == (500, "pro")
    await process.stop()
    process.treasury.allowances = None
    assert (await said(database))[:2] == (61, 0)


async def test_what_a_dead_process_had_stored_is_counted_once(start: Start, database: Database, user: Person) -> None:
    dead, sibling = await start(), await start()
    await spend(dead, await caller_of(dead, user), 60)
    assert dead.treasury.allowances is not None
    folder = dead.treasury.allowances.journal.path.parent
    await dead.die()
    assert await take_over(sibling.database, folder) == 1
    assert await said(database) == counted(60)


async def test_who_was_stopped_past_its_lease_stores_nothing_more(
    start: Start, database: Database, user: Person
) -> None:
    stopped, sibling = await start(), await start()
    caller = await caller_of(stopped, user)
    await spend(stopped, caller, 60)
    task = stopped.treasury._task
    assert task is not None
    task.cancel()  # it is stopped: no rounds
    await asyncio.wait([task])
    async with database.system() as session:
        await session.execute(_EXPIRE)
    await sibling.treasury._care()
    used, held, forfeited, events, *_, stored, recorded = await said(database)
    assert (used, held, events, stored, recorded) == (60, 0, 60, 0, 60)
    assert forfeited > 0
    # What it takes now cannot be stored, whatever the state of its journal says: another epoch has begun.
    assert stopped.treasury.allowances is not None
    pool = stopped.treasury.allowances.of_account(user.account_id)[0]
    left, stands = pool.left, stopped.treasury.store._stands
    assert left > 0
    for is_closed in (True, False):
        async with database.system() as session:
            await session.execute(text("UPDATE spend_stores SET is_closed = :it"), {"it": is_closed})
        stopped.treasury.store._stands = stands
        assert await from_purse(stopped, caller) is None
        assert pool.left == left
    stopped.treasury.allowances.lease_until = 0
    await stopped.treasury._do_round()
    assert await said(database) == counted(60)


async def from_purse(process: Process, caller: Caller) -> Counter | None:
    assert caller.entitlements is not None
    wish = ask(caller.entitlements, meter="jobs", amount=1)
    assert process.engine._purse is not None
    return await process.engine._purse.spend(Wish(caller.entitlements, wish, caller.by, None, caller.now))


async def test_a_batch_that_was_stored_unheard_is_counted_once(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 40)
    store = StoreConnection.store

    async def unheard(self: StoreConnection, journal_id: UUID, at: Stand, spends: str) -> None:
        await store(self, journal_id, at, spends)
        monkeypatch.setattr(StoreConnection, "store", store)
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(StoreConnection, "store", unheard)
    assert (await process.engine.spend(caller, meter="jobs", amount=1)).decision.used == 41
    assert StoreConnection.store is store
    await process.treasury.settle_account(user.account_id)
    assert await said(database) == counted(41)


async def test_a_batch_that_never_arrived_is_decided_under_lock(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 40)

    async def lost(self: StoreConnection, journal_id: UUID, at: Stand, spends: str) -> None:
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(StoreConnection, "store", lost)
        assert (await process.engine.spend(caller, meter="jobs", amount=1)).decision.used == 41
    await process.treasury.settle_account(user.account_id)
    assert await said(database) == counted(41)


async def test_what_cannot_be_found_out_in_time_is_said_so_and_found_out_later(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 40)
    store = StoreConnection.store

    async def unheard(self: StoreConnection, journal_id: UUID, at: Stand, spends: str) -> None:
        await store(self, journal_id, at, spends)
        raise psycopg.OperationalError("the connection is lost")

    async def unreachable(url: str) -> StoreConnection:
        raise psycopg.OperationalError("nobody answers")

    with monkeypatch.context() as patched:
        patched.setattr(StoreConnection, "store", unheard)
        patched.setattr(StoreConnection, "open", unreachable)
        with pytest.raises(OutcomeUnknown):
            await process.engine.spend(caller, meter="jobs", amount=1)
    assert (await process.engine.spend(caller, meter="jobs", amount=1)).decision.used == 42
    await process.treasury.settle_account(user.account_id)
    assert await said(database) == counted(42)


async def test_connections_that_are_cut_lose_and_double_nothing(start: Start, database: Database, user: Person) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 40)
    unknown = 0

    async def once() -> int:
        nonlocal unknown
        try:
            return int((await process.engine.spend(caller, meter="jobs", amount=1)).decision.allowed)
        except OutcomeUnknown:
            unknown += 1
        except Unavailable:
            pass
        return 0

    async def cut() -> None:
        for _ in range(20):
            await asyncio.sleep(0.02)
            connection = process.treasury.store._connection
            if connection is not None and not connection.is_broken:
                pid = connection._connection.info.backend_pid
                async with database.engine.connect() as other:
                    await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    cutting = asyncio.create_task(cut())
    allowed = 0
    while not cutting.done():
        allowed += sum(await asyncio.gather(*(once() for _ in range(16))))
    await cutting
    await process.treasury.settle_account(user.account_id)
    used = (await said(database))[0]
    assert allowed > 100
    assert 40 + allowed <= used <= 40 + allowed + unknown
    assert await said(database) == counted(used)


async def test_a_call_that_fails_gives_back_what_it_had_stored(start: Start, database: Database, user: Person) -> None:
    process = await start()
    caller = await caller_of(process, user)
    outcomes = await spend(process, caller, 60)
    last = outcomes[-1].give_back
    assert last is not None
    last()
    await process.stop()
    process.treasury.allowances = None
    used, held, *_, stored, recorded = await said(database)
    assert (used, held, stored, recorded) == (59, 0, 0, 59)
    async with database.read(user.account_id) as session:
        found = (await session.execute(text("SELECT amount, source FROM usage_events WHERE amount < 0"))).all()
    assert [tuple(row) for row in found] == [(-1, "retraction")]


async def test_a_spend_under_an_identity_is_decided_under_lock_and_once(
    start: Start, database: Database, user: Person
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 40)
    for _ in range(2):
        await process.engine.consume(caller, meter="jobs", amount=5, idempotency_key="once")
    await process.treasury.settle_account(user.account_id)
    assert await said(database) == counted(45)


def pool_of(process: Process, user: Person) -> Pool:
    assert process.treasury.allowances is not None
    (pool,) = process.treasury.allowances.of_account(user.account_id)
    return pool


async def halt_rounds(process: Process) -> None:
    """From here on they are made by hand."""
    task = process.treasury._task
    assert task is not None
    task.cancel()
    await asyncio.wait([task])
    process.treasury._next = asyncio.get_running_loop().create_future()


async def stopped(process: Process) -> None:
    await process.stop()
    process.treasury.allowances = None


async def test_what_is_under_way_when_others_find_the_lease_over_is_nobodys(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the database has stepped, or this process was stopped for a moment."""
    process, sibling = await start(), await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 120)
    await process.treasury.round()
    await spend(process, caller, 20)
    await halt_rounds(process)
    goes, store, pool = asyncio.Event(), StoreConnection.store, pool_of(process, user)

    async def slow(self: StoreConnection, journal_id: UUID, at: Stand, spends: str) -> None:
        await goes.wait()
        await store(self, journal_id, at, spends)

    monkeypatch.setattr(StoreConnection, "store", slow)
    assert pool.left > 20
    waiting = [asyncio.create_task(from_purse(process, caller)) for _ in range(20)]
    await asyncio.sleep(0.05)
    async with database.system() as session:
        await session.execute(_EXPIRE)
    await sibling.treasury._care()
    round_ = asyncio.create_task(process.treasury._do_round())
    await asyncio.sleep(0.1)
    goes.set()
    await round_
    assert await asyncio.gather(*waiting) == [None] * 20
    assert (pool.left, pool.unbatched) == (0, 0)
    assert process.treasury.allowances is not None
    process.treasury.allowances.hurry()
    await process.treasury._do_round()
    assert await said(database) == counted(140)


async def test_a_pool_changes_its_kind_while_it_is_filled(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog is applied that says something else of the meter."""
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 60)
    await process.treasury.settle_account(user.account_id)
    allowances, pool = process.treasury.allowances, pool_of(process, user)
    assert allowances is not None
    assert caller.entitlements is not None
    entitlements, write = caller.entitlements, RoundConnection.write
    changed: list[Pool] = []

    async def meanwhile(self: RoundConnection, journal_id: UUID, **named: Any) -> None:
        if not changed and any(change.granted for change in named["changes"]):
            changed.append(allowances.pool(entitlements, "jobs", pool.counter.window, is_stored=False))
        await write(self, journal_id, **named)

    monkeypatch.setattr(RoundConnection, "write", meanwhile)
    allowances.want(pool)
    await process.treasury.round()
    assert changed
    assert changed[0] is not pool
    await stopped(process)
    assert await said(database) == counted(60)


async def test_a_pool_does_not_change_its_kind_before_all_is_counted(
    start: Start, database: Database, user: Person
) -> None:
    process = await start()
    caller = await caller_of(process, user)
    await spend(process, caller, 120)
    await process.treasury.settle_account(user.account_id)
    await spend(process, caller, 10)
    allowances, pool = process.treasury.allowances, pool_of(process, user)
    assert allowances is not None
    assert caller.entitlements is not None
    for is_stored in (False, True):
        same = allowances.pool(caller.entitlements, "jobs", pool.counter.window, is_stored=is_stored)
        assert same is pool
    await process.treasury.round()
    assert pool.unbatched == 0
    await stopped(process)
    assert await said(database) == counted(130)


async def test_two_rounds_that_enter_the_same_records_wait_in_no_circle(
    start: Start, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has stored jobs of one account and calls from memory of the other."""
    first, second = sorted([await on(database, "enterprise") for _ in range(2)], key=lambda one: one.account_id)
    processes = [await start() for _ in range(2)]
    for process, jobs, calls in zip(processes, (first, second), (second, first), strict=True):
        caller, known = await caller_of(process, jobs), await process.entitlements(calls)
        await spend(process, caller, 60)
        for _ in range(30):
            await process.call(calls, known)
        await process.treasury.round()
    for process in processes:
        await halt_rounds(process)
    for process, jobs, calls in zip(processes, (first, second), (second, first), strict=True):
        assert await from_purse(process, await caller_of(process, jobs)) is not None
        await process.call(calls, await process.entitlements(calls))
        assert process.treasury.allowances is not None
        process.treasury.allowances.hurry()
    count, meet = count_stored, asyncio.Barrier(2)

    async def together(connection: Connection, journal_id: UUID, up_to: int) -> None:
        with contextlib.suppress(TimeoutError):  # one waits for the other's records, before it has any
            async with asyncio.timeout(0.5):
                await meet.wait()
        await count(connection, journal_id, up_to)

    monkeypatch.setattr(rounds, "count_stored", together)
    await asyncio.gather(*(process.treasury._do_round() for process in processes))
    assert (await said(database))[5:] == (0, 122)


async def test_a_round_that_fails_keeps_no_spend_from_being_given_back(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    outcomes = await spend(process, await caller_of(process, user), 60)
    write = RoundConnection.write
    failed: list[UUID] = []

    async def once(self: RoundConnection, journal_id: UUID, **named: Any) -> None:
        if not failed:
            failed.append(journal_id)
            raise psycopg.errors.DeadlockDetected
        await write(self, journal_id, **named)

    monkeypatch.setattr(RoundConnection, "write", once)
    give_back = outcomes[-1].give_back
    assert give_back is not None
    give_back()
    await stopped(process)
    assert failed
    assert (await said(database))[0] == 59
