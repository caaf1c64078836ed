"""Where memory meets the database: one transaction a round settles spends, fills pools, and confirms what is known.

A round runs every 250 ms while anything is held or anybody calls, and at once when somebody waits for it. It fills what
is half empty and confirms what is known; every fourth, and one that is waited for, settles. It locks the journal's row
first, so this process and whoever takes its journal over cannot both count a record; a round whose end was not heard
of is found out by the next. What a process holds is its own for ten seconds from the last round, by the clock that
nobody sets.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psycopg
import structlog

from backend.catalog.repository import StateKey
from backend.core.errors import Unavailable
from backend.core.ids import AccountId
from backend.core.metrics import FORFEITED, ROUNDS
from backend.db.session import Database, is_unavailable
from backend.enforcement.allowances import Allowances
from backend.enforcement.heirs import take_over
from backend.enforcement.journal import Journal, boot_nanoseconds
from backend.enforcement.recalls import Recalls
from backend.enforcement.settling import JournalLost, LeaseOver, Round, begin, settle
from backend.enforcement.spend_store import SpendStore
from backend.usage.leftovers import forfeit_one, forget
from backend.usage.rounds import InForce, RoundConnection
from backend.usage.settlement import LEASE, CounterKey

INTERVAL = 0.25
# Where nothing is held and nobody calls.
IDLE_INTERVAL = 1.0
_LEAST_PAUSE = 0.02
# The lease ends here a second before it ends in the database.
_LEASE = int((LEASE.total_seconds() - 1) * 1_000_000_000)
# Others' leases and journals are looked at so often.
_CARE = 2.0
_PAUSE_AFTER_FAILURE = 0.1

log = structlog.get_logger(__name__)


class Watcher(Protocol):
    """Who must hear, a few times a second, which versions of accounts are in force."""

    def watched(self) -> Sequence[AccountId]: ...

    def confirm(self, versions: Mapping[AccountId, int], catalog: StateKey | None, *, asked_at: int) -> None:
        """`asked_at`: nanoseconds of the boot clock before these were read."""


class Treasury:
    """One for a process; `run` lives as long as it. Without a journal, `allowances` is None and nothing is held."""

    def __init__(self, database: Database, folder: Path, watcher: Watcher) -> None:
        self._database = database
        self._folder = folder
        self._watcher = watcher
        self._wake = asyncio.Event()
        self._next: asyncio.Future[None] | None = None
        self._open_round: Round | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._wire: RoundConnection | None = None
        self._is_busy = False
        self.allowances: Allowances | None = None
        self.store = SpendStore(database.url)
        """Where spends go that are to be in the database before they are answered."""
        self.recalls = Recalls(database, self.give_back)
        self.problem: str | None = None
        """Why every spend is strict here, in a sentence; None when it is not."""

    async def start(self) -> None:
        """Begins, with a journal if the database can be asked for its name now, else as soon as it can."""
        self._next = asyncio.get_running_loop().create_future()
        with contextlib.suppress(Exception):
            await self._open()
        self._task = asyncio.create_task(self._run(), name="treasury")
        self.recalls.start()

    async def stop(self) -> None:
        """Settles and gives back everything, and removes the journal. What cannot be settled is left for others."""
        await self.recalls.stop()
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self.allowances is not None:
            await self._close(self.allowances)
        await self.store.close()
        if self._wire is not None:
            await self._wire.close()

    async def _close(self, allowances: Allowances) -> None:
        is_settled = False
        with contextlib.suppress(Exception):
            await self.store.idle()
            allowances.end()
            await self._do_round()
            async with self._database.system() as session:
                await forget(session, allowances.journal.id)
            is_settled = True
        allowances.journal.close(remove=is_settled)

    async def round(self) -> None:
        """Waits for a round that begins after this call, and settles. Raises Unavailable."""
        if self.allowances is not None:
            self.allowances.hurry()
        self._wake.set()
        if self._next is None:
            raise _unavailable()
        await asyncio.shield(self._next)

    async def settle_account(self, account_id: AccountId, meter: str | None = None) -> None:
        """What the account spent here is in the database, and nothing is held here for it; of all meters or of one.

        Raises Unavailable.
        """
        if self.allowances is None:
            return
        pools = [pool for pool in self.allowances.of_account(account_id) if meter in (None, pool.key[1])]
        if any(pool.left or pool.unbatched for pool in pools) or self._open_round is not None:
            self.allowances.give_back(pools)
            await self.round()

    async def give_back(self, key: CounterKey) -> None:
        """What is held of one counter is free again with the round that this begins."""
        pool = self.allowances.pools.get(key) if self.allowances is not None else None
        if self.allowances is not None and pool is not None and pool.left:
            self.allowances.give_back([pool])
            with contextlib.suppress(Unavailable):
                await self.round()

    async def _run(self) -> None:
        cared_at = float("-inf")
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(_LEAST_PAUSE, due - loop.time())):
                    await self._wake.wait()
            due = loop.time() + (INTERVAL if self._is_busy else IDLE_INTERVAL)
            self._wake.clear()
            done, self._next = self._next, loop.create_future()
            assert done is not None
            try:
                if self.allowances is None and self.problem is None:
                    await self._open()
                await self._do_round()
                done.set_result(None)
                if loop.time() - cared_at > _CARE:
                    cared_at = loop.time()
                    await self._care()
            except Exception as error:
                self._note(error, done)
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
        _fail(self._next)
        self._next = None

    def _note(self, error: Exception, done: "asyncio.Future[None]") -> None:
        if isinstance(error, JournalLost):
            log.error("journal", problem="another process has taken this journal over")
            self._abandon()
        elif is_unavailable(error):
            log.warning("the database does not answer", round="treasury")
        else:
            log.error("round failed", round="treasury", exc_info=error)
        ROUNDS.labels("failed").inc()
        _fail(done)

    def _abandon(self) -> None:
        if self.allowances is not None:
            self.allowances.drop()
            self.allowances.journal.close(remove=False)
            self.allowances = None

    async def _do_round(self) -> None:
        """Once more on a new connection where the old one turns out to have died."""
        try:
            await self._attempt()
        except psycopg.OperationalError:
            if self._wire is None or not self._wire.is_broken:
                raise
            await self._attempt()

    async def _attempt(self) -> None:
        began = boot_nanoseconds()
        watched, wire = self._watcher.watched(), await self._ready()
        self._is_busy = bool(watched or (self.allowances and self.allowances.pools))
        if self.allowances is None:
            async with wire.transaction():
                in_force = await wire.look(watched)
        else:
            in_force = await self._settle(wire, self.allowances, watched, began)
        self._watcher.confirm(in_force.versions, in_force.catalog, asked_at=began)
        ROUNDS.labels("done").inc()

    async def _settle(
        self, wire: RoundConnection, allowances: Allowances, watched: Sequence[AccountId], began: int
    ) -> InForce:
        found, last = None, self._open_round
        may_be_stored, self.store.is_used = self.store.is_used or last is not None, False
        try:
            try:
                async with wire.transaction():
                    found = self._open_round = await begin(
                        wire, allowances, last, now=began, may_be_stored=may_be_stored
                    )
                    in_force = await settle(wire, allowances, found, watched, now=began)
            except LeaseOver:
                allowances.lease_until = 0  # nothing is taken any more
                await self.store.idle()
                async with wire.transaction():
                    found = self._open_round = await begin(
                        wire, allowances, last, now=began, may_be_stored=may_be_stored, is_quiet=True
                    )
                    in_force = await settle(wire, allowances, found, watched, now=began)
        except BaseException:
            self.store.is_used = may_be_stored or self.store.is_used
            if found is not None:
                found.fail(allowances)
            raise
        if not found.is_due:
            self.store.is_used = may_be_stored or self.store.is_used
        allowances.lease_until = began + _LEASE
        found.finish(allowances, boot_nanoseconds())
        self._open_round = None
        return in_force

    async def _ready(self) -> RoundConnection:
        if self._wire is None or self._wire.is_broken:
            if self._wire is not None:
                await self._wire.close()
            self._wire = None
            self._wire = await RoundConnection.open(self._database.url)
        return self._wire

    async def _care(self) -> None:
        """Looks after what dead processes left."""
        while await self._forfeit():
            FORFEITED.inc()
        await take_over(self._database, await self._its_folder())
        if self.allowances is None:
            await self._open()
        else:
            await (await self._ready()).tidy(self.allowances.journal.id)

    async def _forfeit(self) -> bool:
        """One journal in one transaction: counters of several would be locked in the order of the journals."""
        async with self._database.system() as session:
            return await forfeit_one(session) is not None

    async def _open(self) -> None:
        """Begins a journal; where the disk has no room for one, every meter is strict."""
        try:
            journal = Journal.create(await self._its_folder())
        except OSError as error:
            self.problem = f"No journal can be written ({error.strerror}); every spend goes to the database."
            log.error("journal", problem=self.problem)
            return
        self.problem = None
        self._open_round = None
        self.allowances = Allowances(journal, self._wake.set)

    async def _its_folder(self) -> Path:
        """Journals lie beside those of the same database: nobody else can say what is settled of them."""
        return self._folder / await (await self._ready()).database_name()


def _unavailable() -> Unavailable:
    return Unavailable("The database does not answer; nothing was spent.", headers={"Retry-After": "1"})


def _fail(round_: "asyncio.Future[None] | None") -> None:
    if round_ is not None and not round_.done():
        round_.set_exception(_unavailable())
        round_.exception()  # there may be nobody who waits for it
