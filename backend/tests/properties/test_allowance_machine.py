"""Any sequence of spends, rounds, deaths and takeovers over several processes: none over, none lost, none twice.

The processes are real but for their connection: pools, journals on disk and rounds against a ledger in plain Python.
"""

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backend.catalog.terms import Catalog, PlanTerms, QuotaTerms
from backend.core.ids import AccountId, UserId
from backend.enforcement.allowances import Allowances, Lot
from backend.enforcement.journal import HEADER_BYTES, RECORD_BYTES, Journal, LeftJournal, left_journals
from backend.enforcement.settled import spent_of
from backend.enforcement.settling import JournalLost, Round, begin, settle
from backend.subscription.entitlements import Entitlements
from backend.subscription.repository import AccountRow
from backend.tests.moments import NOW
from backend.tests.properties.ledger import SECOND, Fate, Ledger, LedgerConnection, Lost
from backend.tests.properties.sizes import size
from backend.usage.model import API_CALLS, Window
from backend.usage.rounds import RoundConnection
from backend.usage.settlement import CounterKey

T = TypeVar("T")

RECORDS = 256
MOST_PROCESSES = 3
# A process believes its lease to end a second before it does.
_LEASE = 9 * SECOND
ONE, TWO = AccountId(UUID(int=1)), AccountId(UUID(int=2))
_ACCOUNTS = [ONE, TWO]
_KEYS = [None, UUID(int=99)]
_EMPTY = cast(Catalog, None)  # nothing here asks what is sold

_LIMITS = st.one_of(st.sampled_from([0, 1, 63, 64, 65, 200, 1_000, 5_000, 100_000]), st.none())
_FATES: st.SearchStrategy[Fate] = st.sampled_from(
    ["done", "done", "done", "done", "lost at begin", "lost at lock", "lost at write", "not heard of"]
)
_SPANS = st.sampled_from([SECOND // 4, SECOND, 3 * SECOND, 6 * SECOND, 9 * SECOND, 11 * SECOND, 70 * SECOND])


def run(work: Coroutine[Any, Any, T]) -> T:
    """What it returns; it waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    raise AssertionError("it waits")


def entitlements(account_id: AccountId, *, limit: int | None, version: int) -> Entitlements:
    """Of an account that may make so many calls a day."""
    account = AccountRow(account_id, "active", version, UserId(account_id), ZoneInfo("UTC"), NOW, timedelta(0))
    quotas = {API_CALLS: QuotaTerms(API_CALLS, limit, "day")}
    terms = PlanTerms(
        UUID(int=3), UUID(int=4), "pro", "Pro", "", 1, 1, False, {}, Decimal(1), {}, None, quotas=quotas, prices=()
    )
    return Entitlements(account, NOW, _EMPTY, terms, None, None, Window(NOW, NOW + timedelta(days=30)))


@dataclass
class Process:
    """What `Treasury` is, without its loop."""

    allowances: Allowances
    known: dict[AccountId, Entitlements]
    open: Round | None = None
    passages: list[tuple[Lot, int]] = field(default_factory=list)
    """Spends that may be taken back."""

    @property
    def journal(self) -> Journal:
        return self.allowances.journal


class Machine(RuleBasedStateMachine):
    """Processes on the left, the ledger on the right, and every record that was ever written between them."""

    @initialize(limits=st.tuples(_LIMITS, _LIMITS))
    def begin(self, limits: tuple[int | None, int | None]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(limits=dict(zip(_ACCOUNTS, limits, strict=True)), versions=dict.fromkeys(_ACCOUNTS, 1))
        self.day = 0
        self.processes: list[Process] = []
        self.written: dict[UUID, list[tuple[CounterKey, int]]] = {}
        """What was admitted from memory and has not been forgotten with its journal, record by record."""
        self.settled: dict[CounterKey, int] = defaultdict(int)
        """Of journals that are forgotten, and what was spent where all see it."""
        self.start()
        self.start()

    @property
    def path(self) -> Path:
        return Path(self.folder.name)

    @property
    def window(self) -> Window:
        start = datetime(2026, 3, 10, tzinfo=UTC) + timedelta(days=self.day)
        return Window(start, start + timedelta(days=1))

    @property
    def minute(self) -> int:
        return 1 + self.ledger.now // (60 * SECOND)

    def of(self, number: int) -> Process:
        return self.processes[number % len(self.processes)]

    def terms(self, account_id: AccountId) -> Entitlements:
        return entitlements(account_id, limit=self.ledger.limits[account_id], version=self.ledger.versions[account_id])

    @precondition(lambda self: len(self.processes) < MOST_PROCESSES)
    @rule()
    def start(self) -> None:
        made = Allowances(Journal.create(self.path, records=RECORDS), lambda: None)
        self.processes.append(Process(made, {account: self.terms(account) for account in _ACCOUNTS}))
        self.written[made.journal.id] = []

    @precondition(lambda self: self.processes)
    @rule(
        number=st.integers(0, 2),
        account=st.sampled_from(_ACCOUNTS),
        key=st.sampled_from(_KEYS),
        amount=st.integers(1, 3),
        times=st.sampled_from([1, 2, 5, 30]),
    )
    def spend(self, number: int, account: AccountId, key: UUID | None, amount: int, times: int) -> None:
        self._spend(self.of(number), account, key, amount, times)

    def _spend(self, process: Process, account: AccountId, key: UUID | None, amount: int, times: int) -> None:
        allowances, now = process.allowances, self.ledger.now
        pool = allowances.pool(process.known[account], API_CALLS, self.window)
        lot = allowances.lot(pool, key)
        for _ in range(times):
            if not allowances.spend(lot, amount, now, self.minute):
                allowances.want(pool)
                return
            self.written[process.journal.id].append((pool.key, amount))
            process.passages.append((lot, amount))

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2), which=st.integers(0, 1_000))
    def take_back(self, number: int, which: int) -> None:
        """A call failed. Where its process may not spend any more, it has to be paid for."""
        process = self.of(number)
        if process.passages:
            lot, amount = process.passages.pop(which % len(process.passages))
            if process.allowances.take_back(lot, amount, self.ledger.now, self.minute):
                self.written[process.journal.id].append((lot.pool.key, -amount))

    @rule(account=st.sampled_from(_ACCOUNTS), amount=st.integers(1, 70))
    def spend_where_all_see_it(self, account: AccountId, amount: int) -> None:
        key = (account, API_CALLS, self.window.start)
        if self.ledger.spend(key, self.window, amount):
            self.settled[key] += amount

    @precondition(lambda self: self.processes)
    @rule(
        number=st.integers(0, 2),
        fate=_FATES,
        spends=st.sampled_from([0, 1, 40]),
        other=st.booleans(),
        span=st.sampled_from([0, 0, SECOND, 12 * SECOND]),
    )
    def round(self, number: int, fate: Fate, spends: int, other: bool, span: int) -> None:
        """With spends, time and another process's round between its statements."""
        process = self.of(number)

        def calls() -> None:
            if spends:
                self._spend(process, ONE, None, 1, spends)

        def meanwhile() -> None:
            calls()
            neighbour = self.of(number + 1)
            if other and neighbour is not process:
                self._round(neighbour, "done")

        def pause() -> None:
            self.ledger.now += span
            calls()

        self._round(process, fate, meanwhile, pause)

    def _round(
        self,
        process: Process,
        fate: Fate,
        before_lock: Callable[[], None] = lambda: None,
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        allowances, now, found = process.allowances, self.ledger.now, None
        wire = cast(RoundConnection, LedgerConnection(self.ledger, fate, before_lock, before_write))
        try:
            found = process.open = run(
                begin(wire, allowances, process.open, now=now, may_be_stored=False, is_quiet=True)
            )
            run(settle(wire, allowances, found, [], now=now))
        except Lost:
            if found is not None:
                found.fail(allowances)
        except JournalLost:
            allowances.drop()
            allowances.journal.close(remove=False)
            self.processes.remove(process)
        else:
            allowances.lease_until = now + _LEASE
            found.finish(allowances, self.ledger.now)
            process.open = None

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2))
    def die(self, number: int) -> None:
        """kill -9: the file stays, its lock does not."""
        process = self.of(number)
        self.processes.remove(process)
        process.journal.close(remove=False)

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2), torn=st.integers(0, 20))
    def reboot(self, number: int, torn: int) -> None:
        """The machine of one process: the last records may not have reached the disk."""
        process = self.of(number)
        journal = process.journal
        path, position = journal.path, journal.position
        self.die(number)
        row = self.ledger.journals.get(journal.id)
        if not path.exists():  # taken over from elsewhere
            return
        torn = min(torn, position - (row.position if row else 0))
        with path.open("r+b") as file:
            header = json.loads(file.read(HEADER_BYTES).rstrip(b"\0"))
            file.seek(0)
            file.write(json.dumps({**header, "boot_id": "another"}).encode().ljust(HEADER_BYTES, b"\0"))
            for lost in range(position - torn, position):
                file.seek(HEADER_BYTES + lost % RECORDS * RECORD_BYTES)
                file.write(b"torn")
        del self.written[journal.id][position - torn :]

    @rule()
    def take_over(self) -> None:
        for left in left_journals(self.path):
            self._take_over(left)

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2))
    def take_over_from_elsewhere(self, number: int) -> None:
        """Another machine on the same volume does not see the lock of a process that is only out of reach."""
        path = self.of(number).journal.path
        if path.exists():
            self._take_over(LeftJournal(os.open(path, os.O_RDWR), path, UUID(path.stem), "another", RECORDS))

    def _take_over(self, left: LeftJournal) -> None:
        row = self.ledger.journals.get(left.id)
        is_settled = left.is_of_this_boot or (row is not None and self.ledger.is_lease_over(left.id))
        if is_settled:
            position = 0
            if row is not None:
                records = left.replay(row.position)
                spends = [spent_of(record.place, record.minute, record.amount) for record in records]
                position = row.position + len(records)
                self.ledger.settle_left(left.id, spends, gives_back=left.is_of_this_boot)
            self._forget(left.id, position)
        left.close(remove=is_settled)

    def _forget(self, journal_id: UUID, position: int) -> None:
        """All its records are settled."""
        records = self.written.pop(journal_id, [])
        assert len(records) == position, "not all that was recorded is counted"
        for key, amount in records:
            self.settled[key] += amount

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2))
    def stop(self, number: int) -> None:
        """As a server ends that is asked to."""
        process = self.of(number)
        process.allowances.end()
        self._round(process, "done")
        if process in self.processes:
            self.processes.remove(process)
            self.ledger.forget(process.journal.id)
            self._forget(process.journal.id, process.journal.position)
            process.journal.close(remove=True)

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2), account=st.sampled_from(_ACCOUNTS))
    def recall(self, number: int, account: AccountId) -> None:
        allowances = self.of(number).allowances
        allowances.give_back(allowances.of_account(account))

    @rule(account=st.sampled_from(_ACCOUNTS), limit=_LIMITS)
    def change_limit(self, account: AccountId, limit: int | None) -> None:
        self.ledger.limits[account] = limit
        self.ledger.versions[account] += 1

    @precondition(lambda self: self.processes)
    @rule(number=st.integers(0, 2), account=st.sampled_from(_ACCOUNTS))
    def hear(self, number: int, account: AccountId) -> None:
        """A process reads an account anew."""
        self.of(number).known[account] = self.terms(account)

    @rule(span=_SPANS)
    def pass_time(self, span: int) -> None:
        self.ledger.now += span

    @rule()
    def forfeit(self) -> None:
        self.ledger.forfeit_due()

    @rule()
    def next_day(self) -> None:
        self.day += 1

    @invariant()
    def adds_up(self) -> None:
        if not hasattr(self, "folder"):
            return
        used, held, forfeited = (defaultdict[CounterKey, int](int) for _ in range(3))
        used.update(self.settled)
        forfeited.update(self.ledger.gone)
        for journal_id, journal in self.ledger.journals.items():
            for key, amount in self.written[journal_id][: journal.position]:
                used[key] += amount
            for key, amount in self.ledger.holds[journal_id].items():
                (forfeited if journal.is_expired else held)[key] += amount
        for key, row in self.ledger.counters.items():
            assert (row.used, row.held, row.forfeited) == (used[key], held[key], forfeited[key]), key
            assert min(row.used, row.held, row.forfeited) >= 0
        for process in self.processes:
            self._holds_what_it_may_spend(process)

    def _holds_what_it_may_spend(self, process: Process) -> None:
        row = self.ledger.journals.get(process.journal.id)
        known: dict[CounterKey, int] = defaultdict(int)
        for pool in process.allowances.pools.values():
            known[pool.key] += pool.left
        if row is None:  # it has not begun, or another has taken it over, and it does not know yet
            assert process.allowances.lease_until <= self.ledger.now
            return
        assert process.allowances.lease_until <= row.expires_at
        for key, amount in self.written[process.journal.id][row.position :]:
            known[key] += amount
        held = self.ledger.holds[process.journal.id]
        for key, amount in known.items():
            assert amount <= held.get(key, 0), "more is in memory than was set aside"
            if process.open is None:
                amount += process.allowances._returns.get(key, 0)
                assert amount == held.get(key, 0), "something is set aside that nobody knows of"

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            try:
                self.come_to_rest()
            finally:
                self.folder.cleanup()

    def come_to_rest(self) -> None:
        """Everybody ends, and what they left is taken over."""
        while self.processes:
            self.stop(0)
        self.ledger.now += 11 * SECOND
        self.take_over()
        self.adds_up()
        assert not self.ledger.journals
        assert not any(self.written.values())
        for key, row in self.ledger.counters.items():
            assert (row.used, row.held, row.forfeited) == (self.settled[key], 0, self.ledger.gone[key])
        assert not any(self.written.get(UUID(left.stem)) for left in self.path.iterdir())


def _prove(*, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Machine,
        settings=size(examples=examples, steps=steps),
    )


def test_processes_on_a_ledger() -> None:
    _prove(examples=200, steps=50)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Two processes, without limits. In the end nothing is held."""
    made = Machine()
    made.begin(limits=(None, None))
    yield made
    made.adds_up()
    made.teardown()


def test_of_two_rounds_that_are_lost_the_first_had_committed(machine: Machine) -> None:
    machine.spend(0, ONE, None, 1, 1)
    machine.round(0, "not heard of", 0, False, 0)
    machine.round(0, "lost at lock", 0, False, 0)
    machine.round(0, "done", 0, False, 0)


def test_a_pool_is_forgotten_while_it_wants_more(machine: Machine) -> None:
    machine.round(0, "done", 1, False, 0)
    machine.round(0, "done", 1, False, 0)
    machine.pass_time(70 * SECOND)
    machine.round(0, "done", 0, False, 0)


def test_a_call_fails_after_its_pool_was_forgotten(machine: Machine) -> None:
    machine.spend(0, ONE, None, 1, 1)
    machine.round(0, "done", 0, False, 0)
    machine.spend(0, ONE, None, 1, 1)
    for _ in range(2):
        machine.pass_time(70 * SECOND)
        machine.round(0, "done", 0, False, 0)
    machine.take_back(0, 0)


def test_the_first_round_was_not_heard_of_and_another_machine_took_over(machine: Machine) -> None:
    machine.round(0, "not heard of", 0, False, 0)
    machine.pass_time(11 * SECOND)
    machine.take_over_from_elsewhere(0)
    machine.round(0, "done", 0, False, 0)
    assert len(machine.processes) == 1


@pytest.mark.prove
def test_processes_on_a_ledger_at_length() -> None:
    _prove(examples=20_000, steps=100)
