"""The engine: checks and spends in one step, and answers only for what is durable.

Each call is one transaction of its own, committed before it returns. A spend is two statements under lock: lock the
counters in key order, then write identity, counters, events and the record of the period together. What a caller
sees is `check`, `consume` and the four of `Reservations`; how spends share a transaction is the engine's own matter.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from feature_platform.core.decision import Decision
from sqlalchemy.exc import DBAPIError

from backend.auth.errors import AccountUnknown
from backend.catalog.service import Catalogs
from backend.core.errors import Unavailable
from backend.core.ids import AccountId
from backend.db.session import AccountSession, Database, ReadSession, is_unavailable
from backend.enforcement.decide import Ask, Refused, ask, granted, judge, refused
from backend.enforcement.errors import AccountSuspended, OutcomeUnknown
from backend.enforcement.group import Answer, Changed, GroupCommit, Refusal, Wish
from backend.enforcement.purse import Purse
from backend.enforcement.recalls import Recalls
from backend.enforcement.spend_store import Tab, Taken
from backend.enforcement.treasury import Treasury
from backend.subscription.entitlements import Entitlements, resolve
from backend.subscription.repository import read_version
from backend.usage.batch import CounterOf
from backend.usage.errors import IdempotencyConflict
from backend.usage.holds import expire_due, is_any_due, seconds_until_a_slot
from backend.usage.model import JOBS_IN_FLIGHT, Counter, FirstResult, Identity, Source
from backend.usage.repository import CounterKey, lock_counters, read_counters

# An account changes rarely; that it does so this often within one request means that something is wrong.
_MOST_ATTEMPTS = 5
# How long, and how often, it is tried to give a spend back whose call has failed.
_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0)


T = TypeVar("T")

log = structlog.get_logger(__name__)


class Stale(Exception):
    """The account changed between reading its limits and spending on them."""


class UnitsAreOut(Exception):
    """Something does not fit, and processes hold some of the counter to spend it in memory."""

    def __init__(self, key: CounterOf) -> None:
        super().__init__(key)
        self.key = key


class HoldsAreDue(Exception):
    """Something does not fit, and holds whose time has passed still take room."""


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom, and by whom, something is asked. `now` is the system's clock, read once at the edge.

    `entitlements` are those that the edge has read in this request, if it has: a first attempt goes by them, and
    what it writes is guarded by their version.
    """

    account_id: AccountId
    by: Source
    user_id: UUID | None
    now: datetime
    entitlements: Entitlements | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, with what is needed to put a refusal in words; and how a spend is given back, where it can be."""

    decision: Decision
    entitlements: Entitlements
    ask: Ask
    give_back: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The answer that the first spend under this identity was given."""

    result: Mapping[str, Any]


class Engine:
    """One for a process. `upgrade_url` is where a customer finds the plans.

    `recalls` bring back what other processes hold before something is said not to fit; those of the treasury, where
    this process holds something itself.
    """

    def __init__(
        self,
        database: Database,
        catalogs: Catalogs,
        *,
        upgrade_url: str,
        treasury: Treasury | None = None,
        recalls: Recalls | None = None,
    ) -> None:
        self.database = database
        self.catalogs = catalogs
        self.upgrade_url = upgrade_url
        self._treasury = treasury
        self._recalls = treasury.recalls if treasury is not None else recalls
        self._group = GroupCommit(database.url)
        self._purse = Purse(treasury) if treasury is not None else None
        self._giving_back: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Before the treasury stops: what is to be given back is counted first."""
        if self._giving_back:
            await asyncio.wait(self._giving_back)
        await self._group.close()

    async def check(self, caller: Caller, *, meter: str, amount: int) -> Outcome:
        """What `consume` would answer now. Spends nothing."""

        async def attempt(known: Entitlements | None) -> Outcome:
            async with self.database.read(caller.account_id) as session:
                entitlements = known or await self.entitlements(session, caller)
                wish = ask(entitlements, meter=meter, amount=amount)
                wanted = [(cost.meter, cost.window) for cost in wish.costs]
                counters = await read_counters(session, account_id=caller.account_id, wanted=wanted)
                found = judge(wish, counters)
                if found is not None:
                    return await self.refuse(session, entitlements, wish, found)
                counter = counters.get((meter, wish.cost.window.start)) or Counter(meter, wish.cost.window)
                return Outcome(granted(entitlements, wish.cost, counter, used=0, held=0), entitlements, wish)

        await self.settled(caller.account_id, meter)
        return await self.persist(caller, attempt)

    async def consume(
        self, caller: Caller, *, meter: str, amount: int, idempotency_key: str | None = None
    ) -> Outcome | Repeated:
        """Spends `amount` of a meter if it fits; all or nothing. Durable before the answer.

        With a key, a repetition of the same request gets the first answer and spends nothing. A negative amount
        lowers a level, at most to nothing. Raises IdempotencyConflict, MeterUnknown, InvalidInput, AccountUnknown,
        AccountSuspended, OutcomeUnknown.
        """
        content = {"meter": meter, "amount": amount, "properties": caller.by.properties}
        identity = Identity.of(caller.account_id, idempotency_key, content) if idempotency_key else None

        async def attempt(known: Entitlements | None) -> Outcome | Repeated:
            entitlements = known or await self.fresh_entitlements(caller)
            wish = ask(entitlements, meter=meter, amount=amount)
            asked = Wish(entitlements, wish, caller.by, identity, caller.now)
            answer = await self._spend(asked)
            if isinstance(answer, Refusal):
                async with self.database.read(caller.account_id) as session:
                    found = Refused("quota_exceeded", wish.cost, answer.counter)
                    return await self.refuse(session, entitlements, wish, found)
            if isinstance(answer, FirstResult):
                first = repeated(identity, answer)
                return first if first.result else await self._as_it_stands(entitlements, wish)
            if isinstance(answer, Changed):
                raise Stale
            decision = granted(entitlements, wish.cost, answer, used=0, held=0)
            return Outcome(decision, entitlements, wish, partial(self.give_back, asked))

        return await self.persist(caller, attempt)

    def take(self, wish: Wish) -> Taken | bool:
        """A spend on known terms that is on its way to be stored, where the account spends often; see `Purse.take`."""
        return self._purse is not None and self._purse.take(wish)

    def take_again(self, tab: Tab, now: datetime) -> Taken | None:
        """Another one like one before, if it can be had from the same pool."""
        return None if self._purse is None else self._purse.take_again(tab, now)

    async def draw(self, wish: Wish) -> Counter | None:
        """The counter after a spend on known terms, durable when this returns; None: it does not fit, or they changed.

        Raises as `consume`.
        """
        answer = await self._spend(wish)
        return answer if isinstance(answer, Counter) else None

    async def _spend(self, wish: Wish) -> Answer:
        """From what this process has set aside, or else under lock, with others that wait at the same time."""
        if self._purse is not None:
            counter = await self._purse.spend(wish)
            if counter is not None:
                return counter
        wish.is_stored = False
        await self.settled(wish.key[0], wish.key[1])
        return await self._group.spend(wish)

    def give_back(self, wish: Wish) -> None:
        """Takes a spend back whose call has failed, as soon as it can; nobody waits for it."""
        if not wish.is_stored:
            self._group.give_back(wish)
            return
        task = asyncio.create_task(self._give_back_counted(wish))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    async def _give_back_counted(self, wish: Wish) -> None:
        """What is stored is counted first, for nothing can be taken from a counter that does not have it yet."""
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                await self.settled(wish.key[0], wish.key[1])
            except Unavailable as error:
                failed = error
            else:
                self._group.give_back(wish)
                return
        log.error("the spend of a failed call was not given back", exc_info=failed)

    async def _as_it_stands(self, entitlements: Entitlements, wish: Ask) -> Repeated:
        """For a spend that was reported before, and had no answer: the counter it is part of, as it is now."""
        cost, account_id = wish.cost, entitlements.account.id
        async with self.database.read(account_id) as session:
            counters = await read_counters(session, account_id=account_id, wanted=[(cost.meter, cost.window)])
        counter = counters.get((cost.meter, cost.window.start)) or Counter(cost.meter, cost.window)
        return Repeated(granted(entitlements, cost, counter, used=0, held=0).to_json())

    async def spend(self, caller: Caller, *, meter: str, amount: int) -> Outcome:
        """As `consume`, without an identity."""
        outcome = await self.consume(caller, meter=meter, amount=amount)
        assert isinstance(outcome, Outcome)
        return outcome

    async def persist(self, caller: Caller, attempt: Callable[[Entitlements | None], Awaitable[T]]) -> T:
        """Repeats an attempt whose transaction was undone by a change of the account or by holds that were due."""
        known = caller.entitlements
        for _ in range(_MOST_ATTEMPTS):
            try:
                return await attempt(known)
            except Stale:
                known = None
            except UnitsAreOut as out:
                assert self._recalls is not None
                await self._recalls.recall(out.key)
            except HoldsAreDue:
                async with self.database.account(caller.account_id) as session:
                    await expire_due(session, account_id=caller.account_id)
        raise Unavailable(
            "The account changes too often; nothing was spent. Repeat the request.", headers={"Retry-After": "1"}
        )

    async def fresh_entitlements(self, caller: Caller) -> Entitlements:
        """As `entitlements`, in a transaction of its own."""
        async with self.database.read(caller.account_id) as session:
            return await self.entitlements(session, caller)

    async def entitlements(self, session: ReadSession, caller: Caller) -> Entitlements:
        """What the account may do. Raises AccountUnknown, AccountSuspended."""
        found = await resolve(session, account_id=caller.account_id, catalogs=self.catalogs, now=caller.now)
        if found is None:
            raise AccountUnknown("No account of yours has this id.")
        if found.account.status != "active":
            raise AccountSuspended(found)
        return found

    @contextlib.asynccontextmanager
    async def transaction(self, account_id: AccountId) -> AsyncIterator[AccountSession]:
        """One transaction of an account. A connection that breaks at the commit leaves the outcome open, and says so.

        Raises OutcomeUnknown.
        """
        is_done = False
        try:
            async with self.database.account(account_id) as session:
                yield session
                is_done = True
        except DBAPIError as error:
            if is_done and is_unavailable(error):
                raise OutcomeUnknown(
                    "The database went away while this was being written. Repeat the request with the same"
                    " idempotency key: it is counted once.",
                    headers={"Retry-After": "1"},
                ) from error
            raise

    async def refuse(self, session: ReadSession, entitlements: Entitlements, wish: Ask, found: Refused) -> Outcome:
        """The refusal with its numbers. Raises Stale, UnitsAreOut or HoldsAreDue where it rests on what is not so."""
        account_id = entitlements.account.id
        if await read_version(session, account_id=account_id) != entitlements.account.version:
            raise Stale
        self._ensure_nothing_is_out(wish, found, (account_id, found.cost.meter, found.cost.window.start))
        slot_in = None
        if found.counter.held or found.cost.meter == JOBS_IN_FLIGHT:
            if await is_any_due(session, account_id=account_id):
                raise HoldsAreDue
            slot_in = await seconds_until_a_slot(session, account_id=account_id)
        decision = refused(entitlements, wish, found, upgrade_url=self.upgrade_url, slot_in=slot_in)
        return Outcome(decision, entitlements, wish)

    def _ensure_nothing_is_out(self, wish: Ask, found: Refused, key: CounterOf) -> None:
        """Raises UnitsAreOut where a recall could bring back what others hold in memory."""
        can_be_out = wish.meter.kind == "counter" and found.cost.meter == wish.meter.key and found.counter.held > 0
        if can_be_out and self._recalls is not None and self._recalls.may_help(key):
            raise UnitsAreOut(key)

    async def settled(self, account_id: AccountId, meter: str) -> None:
        """What this process has spent of a meter from memory is in the database. Raises Unavailable."""
        if self._treasury is not None:
            await self._treasury.settle_account(account_id, meter)

    async def lock(
        self, session: AccountSession, entitlements: Entitlements, wish: Ask
    ) -> Mapping[CounterKey, Counter]:
        """The counters of a wish, locked until the transaction ends."""
        wanted = [(cost.meter, cost.window) for cost in wish.costs]
        return await lock_counters(session, account_id=entitlements.account.id, wanted=wanted)


def repeated(identity: Identity | None, first: FirstResult) -> Repeated:
    """The first answer under an identity. Raises IdempotencyConflict where it was for something else."""
    assert identity is not None
    if first.content_hash != identity.content_hash:
        raise IdempotencyConflict(
            f"{identity.external_id[:80]!r} has counted another meter, amount or properties. Use a new key."
        )
    return Repeated(first.result)
