"""Spending from memory against PostgreSQL: exact over processes, and nothing lost or counted twice when they die."""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.core.errors import Unavailable
from backend.db.session import Database
from backend.enforcement import settling
from backend.enforcement.engine import Caller
from backend.enforcement.heirs import take_over
from backend.enforcement.journal import HEADER_BYTES, RECORD_BYTES, Journal, boot
from backend.subscription.entitlements import Entitlements
from backend.subscription.overrides import grant
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.factories.calls import Stored, plans_with, stored
from backend.tests.fakes.process import Process
from backend.tests.moments import NOW
from backend.tests.turns import in_turns, until_somebody_waits
from backend.usage.model import Source
from backend.usage.rounds import RoundConnection

Start = Callable[[], Awaitable[Process]]


@pytest.fixture
async def start(database_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Process] = []

    async def one() -> Process:
        process = await Process(database_url, tmp_path / "journal").start()
        started.append(process)
        return process

    yield one
    for process in started:
        if process.treasury.allowances is not None or process.treasury.problem is not None:
            await process.stop()


@pytest.fixture
async def user(database: Database) -> Person:
    """On Pro: 10,000 calls a day."""
    async with database.system() as session:
        made = await person(session)
        await upgrade_user_plan(session, made.user_id, "pro", now=NOW)
    return made


async def limited(database: Database, calls: int) -> Person:
    """Somebody on Pro with another number of calls a day."""
    await plans_with(database, calls, now=NOW)
    async with database.system() as session:
        made = await person(session)
        await upgrade_user_plan(session, made.user_id, "pro", now=NOW)
    return made


def folder_of(process: Process) -> Path:
    assert process.treasury.allowances is not None
    return process.treasury.allowances.journal.path.parent


async def test_calls_from_memory_are_counted_with_the_next_round(
    start: Start, database: Database, user: Person
) -> None:
    process = await start()
    known = await process.entitlements(user)
    for used in range(1, 6):
        outcome = await process.call(user, known)
        assert (outcome.decision.allowed, outcome.decision.used, outcome.decision.held) == (True, used, 0)
        assert outcome.decision.remaining == 10_000 - used
    await process.treasury.settle_account(user.account_id)
    assert await stored(database, user.account_id) == Stored(used=5, held=0, forfeited=0, events=5, recorded=5)
    async with database.read(user.account_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM usage_events")) == 1  # of one key in one minute


async def test_what_lies_idle_goes_back(start: Start, database: Database, user: Person) -> None:
    process = await start()
    await process.call(user, await process.entitlements(user))
    for _ in range(100):
        if await stored(database, user.account_id) == Stored(used=1, held=0, forfeited=0, events=1, recorded=1):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await stored(database, user.account_id))


@pytest.mark.parametrize("limit", [0, 1, 63, 64, 200, 1_000])
async def test_four_processes_admit_exactly_the_limit(start: Start, database: Database, limit: int) -> None:
    user = await limited(database, limit)
    processes = [await start() for _ in range(4)]
    known = [await process.entitlements(user) for process in processes]
    turn = iter(range(10**6))

    async def call() -> bool:
        which = next(turn) % 4
        return (await processes[which].call(user, known[which])).decision.allowed

    answers = await in_turns(limit + 100, call, at_once=32)
    assert sum(answers) == limit
    for process in processes:
        await process.stop()
        process.treasury.allowances = None
    assert await stored(database, user.account_id) == Stored(limit, 0, 0, limit, limit)


async def test_a_dead_process_is_settled_by_a_sibling_once(start: Start, database: Database, user: Person) -> None:
    dead, sibling = await start(), await start()
    known = await dead.entitlements(user)
    for _ in range(7):
        await dead.call(user, known)
    folder = folder_of(dead)
    await dead.die()
    assert await take_over(sibling.database, folder) == 1
    assert await stored(database, user.account_id) == Stored(used=7, held=0, forfeited=0, events=7, recorded=7)
    assert await take_over(sibling.database, folder) == 0
    assert await stored(database, user.account_id) == Stored(used=7, held=0, forfeited=0, events=7, recorded=7)


async def test_a_living_process_is_not_taken_over(start: Start, user: Person) -> None:
    living, sibling = await start(), await start()
    await living.call(user, await living.entitlements(user))
    assert await take_over(sibling.database, folder_of(living)) == 0


async def expire(database: Database) -> None:
    """As if nobody had been heard of for ten seconds."""
    async with database.system() as session:
        await session.execute(text("UPDATE journal_positions SET expires_at = clock_timestamp() - interval '1 s'"))


_HELD_BY_DEAD = text("""
    WITH journal AS (
        INSERT INTO journal_positions (id, expires_at, created_at)
        VALUES (CAST(:journal AS uuid), clock_timestamp() - interval '1 s', clock_timestamp())
    ), counter AS (
        INSERT INTO meter_usage (account_id, meter, window_start, held) VALUES (:account, 'api_calls', :now, 5)
    )
    INSERT INTO allowances (account_id, meter, window_start, journal_id, amount)
    VALUES (:account, 'api_calls', :now, CAST(:journal AS uuid), 5)
""")


async def test_who_was_stopped_past_its_lease_forfeits_until_it_settles(
    start: Start, database: Database, user: Person
) -> None:
    stopped, _ = await start(), await start()
    known = await stopped.entitlements(user)
    allowances = stopped.treasury.allowances
    assert allowances is not None
    for _ in range(3):
        await stopped.call(user, known)
    task = stopped.treasury._task
    assert task is not None
    task.cancel()  # it is stopped: no rounds
    await asyncio.wait([task])
    await expire(database)
    for _ in range(100):  # the other one looks after it every two seconds or so
        found = await stored(database, user.account_id)
        if found.forfeited:
            break
        await asyncio.sleep(0.1)
    assert (found.held, found.used) == (0, 0)
    assert found.forfeited >= 3
    # Its lease has run out by its own clock, too: it spends nothing.
    allowances.lease_until = 0
    pool = allowances.of_account(user.account_id)[0]
    assert not allowances.spend(allowances.lot(pool, None), 1, 1, 1)
    # It wakes, and says what it had spent: the rest is free again.
    await stopped.treasury._do_round()
    assert await stored(database, user.account_id) == Stored(used=3, held=0, forfeited=0, events=3, recorded=3)


async def test_what_several_dead_processes_held_is_forfeited_in_no_circle(
    start: Start, database: Database, user: Person
) -> None:
    """Each in a transaction of its own: the order of journals is not that in which counters are locked."""
    process = await start()
    task = process.treasury._task
    assert task is not None
    task.cancel()
    await asyncio.wait([task])
    async with database.system() as session:
        others = [await person(session) for _ in range(2)]
        first, second = sorted(one.account_id for one in others)
        # The journal that is looked at first holds of the counter that comes last.
        for journal, account_id in (("0" * 31 + "1", second), ("0" * 31 + "2", first)):
            await session.execute(_HELD_BY_DEAD, {"journal": journal, "account": account_id, "now": NOW})
    lock = text("SELECT 1 FROM meter_usage WHERE account_id = :id FOR UPDATE")
    async with database.system() as session:
        await session.execute(lock, {"id": first})
        caring = asyncio.create_task(process.treasury._care())
        await until_somebody_waits(database)
        await session.execute(lock, {"id": second})
    await caring
    for account_id in (first, second):
        assert await stored(database, account_id) == Stored(forfeited=5)


async def test_after_another_boot_records_count_and_the_rest_is_forfeited(
    start: Start, database: Database, user: Person
) -> None:
    dead, sibling = await start(), await start()
    known = await dead.entitlements(user)
    for _ in range(4):
        await dead.call(user, known)
    assert dead.treasury.allowances is not None
    path, folder = dead.treasury.allowances.journal.path, folder_of(dead)
    await dead.die()
    with path.open("r+b") as file:
        header = json.loads(file.read(HEADER_BYTES).rstrip(b"\0"))
        file.seek(0)
        file.write(json.dumps({**header, "boot_id": "another"}).encode().ljust(HEADER_BYTES, b"\0"))
    assert await take_over(sibling.database, folder) == 0  # its owner may live on another machine of this volume
    await expire(database)
    assert await take_over(sibling.database, folder) == 1
    found = await stored(database, user.account_id)
    assert (found.used, found.held, found.events, found.recorded) == (4, 0, 4, 4)
    assert found.forfeited > 0


async def test_a_journal_of_another_machine_that_has_not_begun_is_left_alone(start: Start, user: Person) -> None:
    sibling = await start()
    folder = folder_of(sibling)
    theirs = Journal.create(folder)
    theirs.path.write_bytes(theirs.path.read_bytes().replace(boot().encode(), b"another".ljust(len(boot()))))
    theirs.close(remove=False)  # as if its lock could not be seen from here
    assert await take_over(sibling.database, folder) == 0
    assert theirs.path.exists()
    os.utime(theirs.path, (0, 0))
    assert await take_over(sibling.database, folder) == 1
    assert not theirs.path.exists()


async def test_who_ends_while_more_is_wanted_holds_nothing(start: Start, database: Database, user: Person) -> None:
    process = await start()
    known = await process.entitlements(user)
    await process.call(user, known)
    allowances, task = process.treasury.allowances, process.treasury._task
    assert allowances is not None
    assert task is not None
    task.cancel()
    await asyncio.wait([task])
    allowances.want(allowances.of_account(user.account_id)[0])  # after the last round has begun
    await process.stop()
    process.treasury.allowances = None
    assert await stored(database, user.account_id) == Stored(used=1, held=0, forfeited=0, events=1, recorded=1)


async def test_a_torn_record_ends_the_replay(start: Start, database: Database, user: Person) -> None:
    dead, sibling = await start(), await start()
    known = await dead.entitlements(user)
    for _ in range(4):
        await dead.call(user, known)
    assert dead.treasury.allowances is not None
    path, folder = dead.treasury.allowances.journal.path, folder_of(dead)
    await dead.die()
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES + 3 * RECORD_BYTES + 60)
        file.write(b"torn")
    assert await take_over(sibling.database, folder) == 1
    assert await stored(database, user.account_id) == Stored(used=3, held=0, forfeited=0, events=3, recorded=3)


async def test_a_round_whose_end_was_not_heard_of_is_counted_once(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    known = await process.entitlements(user)
    for _ in range(3):
        await process.call(user, known)
    finish, failures = settling.Round.finish, iter([True, True])

    def lost(self: settling.Round, *arguments: object) -> None:
        if next(failures, False):
            raise ConnectionError("the answer to COMMIT was lost")
        finish(self, *arguments)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(settling.Round, "finish", lost)
    for _ in range(3):
        await process.call(user, known)
    for _ in range(20):
        with contextlib.suppress(Unavailable):
            await process.treasury.settle_account(user.account_id)
        await asyncio.sleep(0.05)
    assert await stored(database, user.account_id) == Stored(used=6, held=0, forfeited=0, events=6, recorded=6)


async def test_without_room_for_a_journal_every_spend_is_strict(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    process = await start()
    assert process.treasury.problem is not None
    assert "No space left" in process.treasury.problem
    assert (await process.call(user, await process.entitlements(user))).decision.used == 1
    assert await stored(database, user.account_id) == Stored(used=1, held=0, forfeited=0, events=1, recorded=1)


async def test_a_failed_call_costs_nothing_also_after_it_was_settled(
    start: Start, database: Database, user: Person
) -> None:
    process = await start()
    known = await process.entitlements(user)
    await process.call(user, known)
    allowances = process.treasury.allowances
    assert allowances is not None
    pool = allowances.of_account(user.account_id)[0]
    lot = allowances.lot(pool, None)
    await process.treasury.round()
    assert (await stored(database, user.account_id)).used == 1
    assert allowances.take_back(lot, 1, 0, int(datetime(2026, 3, 10, tzinfo=UTC).timestamp()) // 60)
    await process.treasury.settle_account(user.account_id)
    found = await stored(database, user.account_id)
    assert (found.used, found.held, found.events, found.recorded) == (0, 0, 0, 0)


async def test_a_failed_call_costs_nothing_also_after_its_journal_was_taken_over(
    start: Start, database: Database, user: Person
) -> None:
    """As on a volume of several machines, whose locks do not hold between them."""
    process, sibling = await start(), await start()
    outcome = await process.call(user, await process.entitlements(user))
    former = process.treasury.allowances
    assert former is not None
    fcntl.flock(former.journal._file, fcntl.LOCK_UN)
    assert await take_over(sibling.database, folder_of(process)) == 1
    assert (await stored(database, user.account_id)).used == 1
    async with asyncio.timeout(30):
        while process.treasury.allowances in (former, None) or not process.treasury.allowances.lease_until:
            with contextlib.suppress(Unavailable):
                await process.treasury.round()
            await asyncio.sleep(0.02)
    assert outcome.give_back is not None
    outcome.give_back()
    await process.treasury.round()
    await process.treasury.settle_account(user.account_id)
    assert await stored(database, user.account_id) == Stored(used=0, held=0, forfeited=0, events=0, recorded=0)


async def test_a_lowered_limit_grants_nothing_more(start: Start, database: Database, user: Person) -> None:
    process = await start()
    known = await process.entitlements(user)
    for _ in range(20):
        await process.call(user, known)
    async with database.system() as session:
        await upgrade_user_plan(session, user.user_id, "free", now=NOW)
    lower = await process.entitlements(user)
    answers = [(await process.call(user, lower)).decision.allowed for _ in range(100)]
    assert sum(answers) == 80


async def test_a_failed_call_of_a_higher_limit_is_not_spent_again_under_a_lower_one(
    start: Start, database: Database, user: Person
) -> None:
    process, other = await start(), await start()
    ends_at = NOW + timedelta(hours=1)
    await granted(database, user, 5_000, ends_at)
    before = await process.entitlements(user, ends_at - timedelta(seconds=1))
    await process.engine.consume(caller(user, before), meter="api_calls", amount=10_000)
    calls = [await process.call(user, before) for _ in range(3)]
    assert all(call.decision.allowed for call in calls)
    after = await process.entitlements(user, ends_at)
    assert not (await process.call(user, after)).decision.allowed
    give_back = calls[0].give_back
    assert give_back is not None
    give_back()
    for at in (process, other):
        assert not (await at.call(user, after)).decision.allowed
    await process.treasury.settle_account(user.account_id)
    assert await stored(database, user.account_id) == Stored(10_002, 0, 0, 10_002, 10_002)


async def test_what_was_set_aside_while_an_override_ended_is_not_spent_under_the_lower_limit(
    start: Start, database: Database, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round has looked at the limit and has not committed when the first call after the end comes."""
    process = await start()
    ends_at = NOW + timedelta(hours=1)
    await granted(database, user, 5_000, ends_at)
    before = await process.entitlements(user, ends_at - timedelta(seconds=1))
    after = await process.entitlements(user, ends_at)
    await process.engine.consume(caller(user, before), meter="api_calls", amount=10_000)
    held, going_on = asyncio.Event(), asyncio.Event()
    write = RoundConnection.write

    async def slowly(self: RoundConnection, *arguments: Any, **named: Any) -> None:
        if any(change.granted for change in named["changes"]):
            held.set()
            await going_on.wait()
        await write(self, *arguments, **named)

    monkeypatch.setattr(RoundConnection, "write", slowly)
    waiting = asyncio.create_task(process.call(user, before))
    await held.wait()
    late = asyncio.create_task(process.call(user, after))
    await asyncio.sleep(0.05)  # it has the pool under its own terms by then
    going_on.set()
    await waiting
    answers = [*[await process.call(user, after) for _ in range(30)], await late]
    assert [answer.decision.allowed for answer in answers] == [False] * 31
    await process.treasury.settle_account(user.account_id)
    found = await stored(database, user.account_id)
    assert found.held == 0
    assert found.used <= 10_001  # the call that came before the end, if it was let through


async def granted(database: Database, user: Person, amount: int, ends_at: datetime) -> None:
    async with database.system() as session:
        await grant(
            session,
            account_id=user.account_id,
            meter="api_calls",
            kind="add",
            amount=amount,
            ends_at=ends_at,
            reason="a launch",
            by=None,
            catalogs=Catalogs(),
            now=NOW,
        )


def caller(user: Person, entitlements: Entitlements) -> Caller:
    return Caller(user.account_id, Source(), user.user_id, entitlements.now, entitlements)
