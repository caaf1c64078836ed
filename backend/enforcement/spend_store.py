"""Spends that are stored together before they are answered: one short statement for all that came meanwhile.

Each was taken from what this process has set aside, so nothing is decided here. What could not be stored is put back.
A batch whose end was not heard of is found out before anything else is done: its epoch is ended, and then the number of
the last batch that was stored says it.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg

from backend.core.errors import Unavailable
from backend.db.batches import Batches
from backend.db.session import is_driver_unavailable
from backend.db.wire import is_refusal
from backend.enforcement.allowances import Allowances, Pool
from backend.enforcement.errors import OutcomeUnknown
from backend.usage.stored import NotStored, Stand, StoreConnection, spend_of, spends_of

# Characters of rows; a usual one has some 330. Small batches overlap: one is written while another is sent or answered.
_MOST_IN_A_BATCH = 4_000
_AT_ONCE, _WORTH = 3, 8
# How long, and how often, an end that was not heard of is asked for before whoever waits is told so.
_PAUSES, _PATIENCE = (0.0, 0.05, 0.2, 0.5, 1.0), 2.0


class Tab:
    """What equal spends are taken from: a pool, and what their rows have in common. Under other terms it is void."""

    __slots__ = ("allowances", "amount", "place", "pool", "under")

    def __init__(self, allowances: Allowances, pool: Pool, amount: int, place: str) -> None:
        self.allowances = allowances
        self.pool = pool
        self.under = pool.opening
        self.amount = amount
        self.place = place

    def take(self, now: int) -> bool:
        """Takes it, if it is there; `now` is of the boot clock."""
        pool = self.pool
        if pool.opening is not self.under or self.allowances.pools.get(pool.key) is not pool:
            return False
        return self.allowances.take(pool, self.amount, now)


class Taken:
    """A spend that was taken, on its way. Built for every one of them, so it is small."""

    __slots__ = ("event", "is_stored", "spend", "tab")

    def __init__(self, tab: Tab, event: str, now: datetime) -> None:
        """`now` is of the system's clock; `event` are the digits of the id of what will be recorded."""
        offset, recorded_at = tab.pool.clock_offset, str(now)
        self.tab = tab
        self.event = event
        self.spend = spend_of(tab.place, event, tab.amount, str(now + offset) if offset else recorded_at, recorded_at)
        self.is_stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """False: it was put back, for the journal or the account is not what it was. May raise OutcomeUnknown, and
        Unavailable or what the driver raises where it was put back."""

    @property
    def journal_id(self) -> UUID:
        return self.tab.allowances.journal.id

    def put_back(self) -> None:
        """It is not stored, and never will be."""
        self.tab.allowances.put_back(self.tab.pool, self.tab.under, self.tab.amount)

    def settle(self, *, is_stored: bool) -> None:
        """The end of it is known, whether anybody still waits or not."""
        if not is_stored:
            self.put_back()
        if not self.is_stored.done():
            self.is_stored.set_result(is_stored)

    def fail(self, error: BaseException) -> None:
        """Nobody need wait any more."""
        if not self.is_stored.done():
            self.is_stored.set_exception(_translated(error))


@dataclass(slots=True, eq=False)
class _Flight:
    """A batch that was sent. `ended`: its answer has come, or never will."""

    batch: list[Taken]
    ended: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class SpendStore:
    """One for a process, with a connection of its own. The next batch is sent while the server is at the last one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: StoreConnection | None = None
        self._batches = Batches(
            self._write,
            name="spend store",
            most=_MOST_IN_A_BATCH,
            at_once=_AT_ONCE,
            worth=_WORTH,
            size_of=lambda taken: len(taken.spend),
        )
        self._stands: tuple[UUID, Stand] | None = None
        """Where which journal will stand when all that was sent is stored; None where that is to be asked."""
        self._under_way: dict[int, _Flight] = {}
        """What was sent and is not known to be stored or not, by the number of its batch."""
        self._turn = asyncio.Lock()
        """Whoever sends waits for whoever asks."""
        self.is_used = False
        """Whether something was stored since somebody last asked and set it back."""

    def add(self, taken: Taken) -> Taken:
        """Goes with the next batch."""
        self._batches.add(taken)
        return taken

    async def idle(self) -> None:
        """Returns when of all that was taken it is known whether it is stored. Raises what the driver raises."""
        await self._batches.close()
        async with self._turn:
            await self._find_out()

    async def close(self) -> None:
        """Lets the batches under way end."""
        await self._batches.close()
        if self._connection is not None:
            await self._connection.close()

    async def _write(self, batch: list[Taken]) -> None:
        journal_id = batch[0].journal_id
        try:
            async with self._turn:
                connection, stand = await self._begin(journal_id)
                if stand is None or any(taken.journal_id != journal_id for taken in batch):
                    # The journal was lost in between; what was taken from it, too.
                    _settle(batch, is_stored=False)
                    return
        except BaseException:
            _put_back(batch)
            raise
        number, flight = stand.stored + 1, _Flight(batch)
        self._stands = (journal_id, Stand(number, stand.epoch))
        self._under_way[number] = flight
        try:
            # Sent before anything is waited for, so that the numbers go out in their order.
            await connection.store(journal_id, stand, spends_of([taken.spend for taken in batch]))
        except NotStored:
            self._forget(number)
            _settle(batch, is_stored=False)
        except psycopg.Error as error:
            if is_refusal(error):
                self._forget(number)
                _put_back(batch)
                raise
            await connection.close()
            flight.ended.set_result(None)
            await self._find_out_patiently(error)
        else:
            del self._under_way[number]
            self._settle_stored(batch)
        finally:
            if not flight.ended.done():
                flight.ended.set_result(None)

    def _forget(self, number: int) -> None:
        """It was not stored, and so will be none that was sent after it."""
        del self._under_way[number]
        self._stands = None

    async def _begin(self, journal_id: UUID) -> tuple[StoreConnection, Stand | None]:
        """A connection that is ready, and after which batch the next one comes."""
        is_known = self._stands is not None and self._stands[0] == journal_id
        if not is_known or self._connection is None or self._connection.is_broken:
            if self._under_way:
                await asyncio.wait([flight.ended for flight in self._under_way.values()])
            await self._find_out()
        stand = await self._stand(journal_id)
        return await self._ready(), stand

    async def _find_out_patiently(self, error: psycopg.Error) -> None:
        """Raises OutcomeUnknown where the database does not come back in time; what it was is found out later."""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(_PATIENCE), self._turn:
                    await self._find_out()
            except (psycopg.Error, TimeoutError):
                continue
            return
        raise OutcomeUnknown(
            "The database went away while this was being written; it may have been counted. Look at the usage before"
            " you repeat it.",
            headers={"Retry-After": "1"},
        ) from error

    async def _find_out(self) -> None:
        """What has become of batches of whose end nothing was heard. Raises psycopg.OperationalError."""
        if not self._under_way:
            return
        journal_id = next(iter(self._under_way.values())).batch[0].journal_id
        stand = await (await self._ready()).end_epoch(journal_id)
        under_way, self._under_way = self._under_way, {}
        self._stands = None if stand is None else (journal_id, stand)
        for number, flight in under_way.items():
            if stand is None:  # whoever has taken the journal over has counted what was stored of it
                for taken in flight.batch:
                    taken.fail(OutcomeUnknown("The journal of this process was taken over; look at the usage."))
            elif number <= stand.stored:
                self._settle_stored(flight.batch)
            else:
                _settle(flight.batch, is_stored=False)

    def _settle_stored(self, batch: list[Taken]) -> None:
        self.is_used = True  # after it was stored: a round that has come before has not seen it
        _settle(batch, is_stored=True)

    async def _stand(self, journal_id: UUID) -> Stand | None:
        """Asked for where it is not known. A connection that turns out to be dead is replaced, once."""
        if self._stands is not None and self._stands[0] == journal_id:
            return self._stands[1]
        try:
            stand = await (await self._ready()).stand(journal_id)
        except psycopg.OperationalError:
            if self._connection is None or not self._connection.is_broken:
                raise
            stand = await (await self._ready()).stand(journal_id)
        self._stands = None if stand is None else (journal_id, stand)
        return stand

    async def _ready(self) -> StoreConnection:
        if self._connection is None or self._connection.is_broken:
            if self._connection is not None:
                await self._connection.close()
            self._connection = None
            self._connection = await StoreConnection.open(self._url)
        return self._connection


def _settle(batch: list[Taken], *, is_stored: bool) -> None:
    for taken in batch:
        taken.settle(is_stored=is_stored)


def _put_back(batch: list[Taken]) -> None:
    for taken in batch:
        taken.put_back()


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, psycopg.Error) and is_driver_unavailable(error):
        return Unavailable("The database does not answer; nothing was spent.", headers={"Retry-After": "1"})
    return error
