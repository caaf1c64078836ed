"""Spends that are stored together before they are answered: one short statement for all that came meanwhile.

Each was taken from what this process has set aside, so nothing is decided here. What could not be stored is put back.
A batch whose end was not heard of is found out before anything else is done: its epoch is ended, and then the number of
the last batch that was stored says it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from backend.core.errors import Unavailable
from backend.db.batches import Batches
from backend.db.session import is_driver_unavailable
from backend.db.wire import is_refusal
from backend.enforcement.errors import OutcomeUnknown
from backend.usage.stored import NotStored, Stand, StoreConnection, spends_of

_MOST_IN_A_BATCH = 512
# How long, and how often, an end that was not heard of is asked for before whoever waits is told so.
_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)


@dataclass(slots=True, eq=False)
class Taken:
    """A spend that was taken from what its journal has set aside. `put_back` undoes that, where it is not stored."""

    journal_id: UUID
    spend: str
    put_back: Callable[[], None]
    is_stored: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, *, is_stored: bool) -> None:
        """The end of it is known, whether anybody still waits or not."""
        if not is_stored:
            self.put_back()
        if not self.is_stored.done():
            self.is_stored.set_result(is_stored)

    def fail(self, error: BaseException) -> None:
        """Nobody waits any more."""
        if not self.is_stored.done():
            self.is_stored.set_exception(_translated(error))


class SpendStore:
    """One for a process, with a connection of its own; one batch at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: StoreConnection | None = None
        self._batches = Batches(self._write, name="spend store", most=_MOST_IN_A_BATCH)
        self._stands: tuple[UUID, Stand] | None = None
        """Where which journal stands, as far as it is known."""
        self._unheard: list[Taken] = []
        """The batch that was sent and of whose end nothing was heard."""
        self._lock = asyncio.Lock()
        self.is_used = False
        """Whether something was stored since somebody last asked and set it back."""

    async def add(self, taken: Taken) -> bool:
        """Whether it is stored. False: it was put back, for the journal or the account is not what it was.

        Raises OutcomeUnknown, and Unavailable or what the driver raises where it was put back.
        """
        self._batches.add(taken)
        return await taken.is_stored

    async def idle(self) -> None:
        """Returns when of all that was taken it is known whether it is stored. Raises what the driver raises."""
        await self._batches.close()
        async with self._lock:
            await self._find_out()

    async def close(self) -> None:
        """Lets the batch under way end."""
        await self._batches.close()
        if self._connection is not None:
            await self._connection.close()

    async def _write(self, batch: list[Taken]) -> None:
        async with self._lock:
            journal_id = batch[0].journal_id
            of_another = [taken for taken in batch if taken.journal_id != journal_id]
            batch = [taken for taken in batch if taken.journal_id == journal_id]
            for taken in of_another:  # the journal was lost in between, and this one's counters with it
                taken.settle(is_stored=False)
            try:
                await self._find_out()
                stand = await self._stand(journal_id)
                connection = await self._ready()
            except BaseException:
                _put_back(batch)
                raise
            if stand is None:
                _settle(batch, is_stored=False)
                return
            self._unheard = batch
            await self._store(connection, journal_id, stand, batch)

    async def _store(self, connection: StoreConnection, journal_id: UUID, stand: Stand, batch: list[Taken]) -> None:
        try:
            await connection.store(journal_id, stand, spends_of([taken.spend for taken in batch]))
        except NotStored:
            self._unheard, self._stands = [], None
            _settle(batch, is_stored=False)
        except psycopg.Error as error:
            if is_refusal(error):
                self._unheard, self._stands = [], None
                _put_back(batch)
                raise
            await connection.close()
            await self._find_out_patiently(error)
        else:
            self._unheard, self._stands = [], (journal_id, Stand(stand.stored + 1, stand.epoch))
            self._settle_stored(batch)

    async def _find_out_patiently(self, error: psycopg.Error) -> None:
        """Raises OutcomeUnknown where the database does not come back in time; what it was is found out later."""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._find_out()
            except psycopg.OperationalError:
                continue
            return
        raise OutcomeUnknown(
            "The database went away while this was being written; it may have been counted. Look at the usage before"
            " you repeat it.",
            headers={"Retry-After": "1"},
        ) from error

    async def _find_out(self) -> None:
        """What has become of a batch of whose end nothing was heard. Raises psycopg.OperationalError."""
        if not self._unheard:
            return
        journal_id = self._unheard[0].journal_id
        before = self._stands
        stand = await (await self._ready()).end_epoch(journal_id)
        batch, self._unheard = self._unheard, []
        if stand is None:  # whoever has taken the journal over has counted what was stored of it
            self._stands = None
            for taken in batch:
                taken.fail(OutcomeUnknown("The journal of this process was taken over; look at the usage."))
            return
        assert before is not None
        assert before[0] == journal_id
        self._stands = (journal_id, stand)
        if stand.stored > before[1].stored:
            self._settle_stored(batch)
        else:
            _settle(batch, is_stored=False)

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
