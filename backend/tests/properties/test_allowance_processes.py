"""The same on PostgreSQL: processes that call, lose connections, die, and are taken over, in any order."""

import asyncio
import contextlib
import os
import socket
import tempfile
from collections import defaultdict
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from backend.core.errors import Unavailable
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.enforcement.heirs import take_over
from backend.subscription.entitlements import Entitlements
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.factories.calls import Stored, plans_with, stored
from backend.tests.fakes.process import Process
from backend.tests.moments import NOW
from backend.tests.properties.sizes import size
from backend.usage.leftovers import forfeit_one

T = TypeVar("T")

PRO = 400  # calls a day
MOST_PROCESSES = 3

_NUMBERS = st.integers(0, MOST_PROCESSES - 1)
_ACCOUNTS = st.integers(0, 1)
_EXPIRE = text("UPDATE journal_positions SET expires_at = clock_timestamp() - interval '1 s'")


class Machine(RuleBasedStateMachine):
    """What was answered on the left, what is stored on the right."""

    database: Database
    url: str
    loop: asyncio.AbstractEventLoop
    durability = "allowance"

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.people = [self.run(self._person()) for _ in range(2)]
        self.highest = [PRO, PRO]
        self.admitted: dict[AccountId, int] = defaultdict(int)
        self.processes: list[Process] = []
        self.known: dict[int, dict[int, Entitlements]] = defaultdict(dict)
        self.start()
        self.start()

    async def _person(self) -> Person:
        async with self.database.system() as session:
            made = await person(session)
            await upgrade_user_plan(session, made.user_id, "pro", now=NOW)
        return made

    @precondition(lambda self: len(self.processes) < MOST_PROCESSES)
    @rule()
    def start(self) -> None:
        self.processes.append(self.run(Process(self.url, Path(self.folder.name)).start()))

    def of(self, number: int) -> Process:
        return self.processes[number % len(self.processes)]

    @precondition(lambda self: self.processes)
    @rule(number=_NUMBERS, which=_ACCOUNTS, times=st.sampled_from([1, 20, 80]), others=st.booleans())
    def call(self, number: int, which: int, times: int, others: bool) -> None:
        """At once; on one process or on all."""
        user, processes = self.people[which], self.processes if others else [self.of(number)]

        async def calls() -> list[bool]:
            return await asyncio.gather(*(self._call(processes[turn % len(processes)], which) for turn in range(times)))

        self.admitted[user.account_id] += sum(self.run(calls()))
        found = self.run(stored(self.database, user.account_id))
        assert found.used + found.held + found.forfeited <= self.highest[which]
        assert found.used <= self.admitted[user.account_id]

    async def _call(self, process: Process, which: int) -> bool:
        known = self.known[id(process)]
        if which not in known:
            known[which] = await process.entitlements(self.people[which])
        try:
            return (await process.call(self.people[which], known[which])).decision.allowed
        except Unavailable:  # the round that it waited for was lost; nothing was spent
            return False

    @precondition(lambda self: self.processes)
    @rule(number=_NUMBERS, which=_ACCOUNTS)
    def lose_the_connection(self, number: int, which: int) -> None:
        """Of the rounds of one process, and of what it stores, while it calls."""
        process = self.of(number)

        async def work() -> list[bool]:
            calls = asyncio.gather(*(self._call(process, which) for _ in range(40)))
            await asyncio.sleep(0.01)
            for wire in (process.treasury._wire, process.treasury.store._connection):
                if wire is not None and not wire.is_broken:
                    # It may be lost already, and no round has noticed yet.
                    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(wire._connection.fileno())) as its:
                        its.shutdown(socket.SHUT_RDWR)
            return await calls

        self.admitted[self.people[which].account_id] += sum(self.run(work()))

    @precondition(lambda self: self.processes)
    @rule(number=_NUMBERS)
    def die(self, number: int) -> None:
        process = self.of(number)
        self.processes.remove(process)
        self.run(process.die())

    @precondition(lambda self: self.processes)
    @rule(number=_NUMBERS)
    def stop(self, number: int) -> None:
        process = self.of(number)
        self.processes.remove(process)
        self.run(process.stop())

    @rule()
    def expire(self) -> None:
        """Nobody was heard of for ten seconds."""

        async def work() -> None:
            async with self.database.system() as session:
                await session.execute(_EXPIRE)
            is_any = True
            while is_any:
                async with self.database.system() as session:
                    is_any = await forfeit_one(session) is not None

        self.run(work())

    @rule(which=_ACCOUNTS, plan=st.sampled_from(["free", "pro"]))
    def change_plan(self, which: int, plan: str) -> None:
        async def work() -> None:
            async with self.database.system() as session:
                await upgrade_user_plan(session, self.people[which].user_id, plan, now=NOW)

        self.run(work())

    @precondition(lambda self: self.processes)
    @rule(number=_NUMBERS, which=_ACCOUNTS)
    def hear(self, number: int, which: int) -> None:
        self.known[id(self.of(number))].pop(which, None)

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self._come_to_rest()
        finally:
            self.folder.cleanup()

    def _come_to_rest(self) -> None:
        for process in self.processes:
            self.run(process.stop())
        for folder in Path(self.folder.name).iterdir():
            self.run(take_over(self.database, folder))
            assert list(folder.iterdir()) == []
        for user in self.people:
            count = self.admitted[user.account_id]
            assert self.run(stored(self.database, user.account_id)) == Stored(count, 0, 0, count, count)


class StrictMachine(Machine):
    """Where each call is in the database before it is answered."""

    durability = "strict"


def _prove(machine: type[Machine], url: str, *, examples: int, steps: int) -> None:
    loop = asyncio.new_event_loop()
    machine.loop, machine.url, machine.database = loop, url, Database(url)
    try:
        loop.run_until_complete(plans_with(machine.database, PRO, now=NOW, durability=machine.durability))
        run_state_machine_as_test(
            machine,
            settings=size(examples=examples, steps=steps, shrinks=False),  # what takes time is not the same twice
        )
    finally:
        loop.run_until_complete(machine.database.close())
        loop.close()


@pytest.mark.parametrize("machine", [Machine, StrictMachine])
def test_processes_on_postgresql(database_url: str, machine: type[Machine]) -> None:
    _prove(machine, database_url, examples=10, steps=15)


@pytest.mark.prove
@pytest.mark.parametrize("machine", [Machine, StrictMachine])
def test_processes_on_postgresql_at_length(database_url: str, machine: type[Machine]) -> None:
    _prove(machine, database_url, examples=500, steps=40)
