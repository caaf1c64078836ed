"""API calls are spent from memory by four processes that are killed at the limit: none lost, none twice, none over."""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.core.clock import SystemClock
from backend.db.session import Database
from backend.tests.factories.calls import Stored, plans_with, stored_of_all
from backend.tests.faults.people import customer
from backend.tests.faults.server import Server
from backend.tests.http.calls import Caller
from benchmarks import check_history, history
from benchmarks.load import request

pytestmark = [pytest.mark.faults, pytest.mark.alone]

CONNECTIONS = 64
PROCESSES = 4
HISTORIES = 20

# Of a limit, the most that one process may have in its pool: half of what it had, and a fiftieth of what is free.
SHARE = 25
# A journal of a dead process is taken over by then: others look every two seconds, and may be killed themselves.
TAKEN_OVER = 15.0
STOPPED = 0.3
# Nanoseconds in which a process that was stopped has done what it was asked to meanwhile.
CAUGHT_UP = 500_000_000
# Nobody waits longer for an answer, whatever becomes of the process.
PATIENCE = 20.0
# After the last process was killed, everything is used by then.
COME_TO_REST = 30.0


@dataclass
class Story:
    """One account on its way to its limit."""

    who: Caller
    weight: float
    calls: list[history.Call] = field(default_factory=list)
    admitted: int = 0
    rests_until: float = 0.0
    """Refused just now: it is not asked for again before."""
    is_over: bool = False

    def __post_init__(self) -> None:
        self.wire = request("/v1/ping", key=self.who.headers["Authorization"].removeprefix("Bearer ")).encode()


@dataclass
class Load:
    """Connections that call for all accounts in turn until each is at its limit, whatever happens to the server."""

    port: int
    stories: Sequence[Story]
    chance: random.Random
    unexpected: Counter[str] = field(default_factory=Counter)

    @property
    def admitted(self) -> int:
        return sum(story.admitted for story in self.stories)

    async def run(self) -> None:
        await asyncio.gather(*(self._connection(str(number)) for number in range(CONNECTIONS)))

    async def _connection(self, client: str) -> None:
        while any(not story.is_over for story in self.stories):
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    await self._speak(client, reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(0.02)

    async def _speak(self, client: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Returns when the connection has broken, or all is over."""
        while open_ := [story for story in self.stories if not story.is_over]:
            awake = [story for story in open_ if story.rests_until <= time.monotonic()]
            if not awake:
                await asyncio.sleep(0.02)
                continue
            (story,) = self.chance.choices(awake, [one.weight for one in awake])
            called = time.monotonic_ns()
            writer.write(story.wire)
            try:
                async with asyncio.timeout(PATIENCE):
                    status, body = await _answer(reader)
            except (OSError, asyncio.IncompleteReadError):
                self._note(story, client, called, None, b"")
                return
            self._note(story, client, called, status, body)
            if status == 503:
                await asyncio.sleep(0.1)

    def _note(self, story: Story, client: str, called: int, status: int | None, body: bytes) -> None:
        answered = None if status is None else time.monotonic_ns()
        code = "" if status in (None, 200) else str(json.loads(body)["code"])
        account = story.who.account_id
        story.calls.append(history.Call(client, called, answered, status, account, "api_calls", 1, code=code))
        if status == 200:
            story.admitted += 1
        elif status == 402:
            story.rests_until = time.monotonic() + 0.1
        elif status not in (None, 503):
            self.unexpected[f"{status} {code}"] += 1


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return int(head[9:12]), await reader.readexactly(int(length))


@dataclass
class Absence:
    """Of one process, from when it was killed, stopped or ended. Nanoseconds of the clock of the calls."""

    begin: int
    journal: Path | None
    """Removed once what it held is free or used."""
    end: int | None = None

    def look(self) -> None:
        if self.end is None and (self.journal is None or not self.journal.exists()):
            self.end = time.monotonic_ns()


def journal_of(pid: int) -> Path | None:
    """The file in which a process records its spends."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            path = descriptor.readlink()
            if path.suffix == ".journal":
                return path
    return None


async def disturb(server: Server, load: Load, *, limit: int) -> list[Absence]:
    """Kills, stops and ends random processes until all accounts are near their limits, and waits for their heirs."""
    found: list[Absence] = []
    while any(story.admitted < limit * 0.97 and not story.is_over for story in load.stories):
        await _pause(found, load.chance.uniform(0.3, 1.2))
        # A thirtieth of all calls further, but not for ever: the last ones are not easily had.
        goal = load.admitted + HISTORIES * limit // 30
        for _ in range(limit // 25):
            if load.admitted >= goal:
                break
            await _pause(found, 0.1)
        # One that has only just been forked is left to begin: where none ever serves, nothing is told.
        if len(victims := server.workers()) < PROCESSES:
            continue
        victim = load.chance.choice(victims)
        kind = load.chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
        with contextlib.suppress(OSError):  # it has just ended by itself
            absence = Absence(time.monotonic_ns(), journal_of(victim))
            os.kill(victim, kind)
            found.append(absence)
            if kind is signal.SIGSTOP:
                await _pause(found[:-1], STOPPED)
                os.kill(victim, signal.SIGCONT)
                absence.end = time.monotonic_ns() + CAUGHT_UP
    for _ in range(int(TAKEN_OVER / 0.1)):
        if all(absence.end is not None for absence in found):
            break
        await _pause(found, 0.1)
    return found


async def _pause(absences: Sequence[Absence], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0.02)
        for absence in absences:
            absence.look()


async def until_all_is_used(database: Database, stories: Sequence[Story], limit: int) -> None:
    """Ends each story when its limit is used and settled, and somebody has been refused."""
    while any(not story.is_over for story in stories):
        await asyncio.sleep(0.25)
        found = await stored_of_all(database)
        for story in stories:
            at_rest = found.get(story.who.person.account_id) == Stored(limit, 0, 0, limit, limit)
            story.is_over = story.is_over or (
                at_rest and any(call.status == 402 for call in story.calls[-CONNECTIONS:])
            )


async def tell(database: Database, server: Server, *, limit: int, seed: int) -> None:
    """Accounts on their way to their limits, at the same time, while single processes are killed and stopped."""
    # A window that begins now: none ends meanwhile.
    await plans_with(database, limit, now=SystemClock().now(), window="period", requests=1_000_000)
    chance = random.Random(seed)
    stories = [Story(await customer(database, plan="pro"), chance.uniform(0.5, 1)) for _ in range(HISTORIES)]
    load = Load(server.port, stories, chance)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        ending = tasks.create_task(until_all_is_used(database, stories, limit))
        absences = await disturb(server, load, limit=limit)
        await asyncio.wait([ending], timeout=COME_TO_REST)
        for story in stories:
            story.is_over = True
        ending.cancel()
    assert load.unexpected == Counter()
    found = await stored_of_all(database)
    share = limit // SHARE
    assert all(absence.end is not None for absence in absences), "nobody has taken the journal of a dead process over"
    stranded = [(absence.begin, absence.end or absence.begin, share) for absence in absences]
    for story in stories:
        has = found[story.who.person.account_id]
        state = history.State(
            has.used,
            has.held,
            has.forfeited,
            has.events,
            limit_changes=((0, limit),),
            bound=PROCESSES * share,
            unreachable=stranded,
        )
        (verdict,) = check_history.judge(story.calls, {(story.who.account_id, "api_calls"): state})
        assert verdict.violations == ()
        assert has == Stored(limit, 0, 0, limit, limit), "units were free or held, and nobody could have them"
        assert verdict.refusals
        assert verdict.admitted <= limit <= verdict.admitted + verdict.unknown


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    # Rates are no part of this: each process counts for itself, and nobody is refused for them.
    started = Server(database_url, tmp_path, processes=PROCESSES, environment={"RATE_LIMIT_STORE": "memory"})
    started.start()
    yield started
    started.stop()


async def test_processes_are_killed_and_stopped_on_the_way_to_the_limit(database: Database, server: Server) -> None:
    await tell(database, server, limit=500, seed=1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1_000 // HISTORIES))
async def test_a_thousand_histories(database: Database, server: Server, seed: int) -> None:
    await tell(database, server, limit=10_000, seed=seed)
