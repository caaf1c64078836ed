"""Group commit: spends that arrive together share a transaction, each still durable before its answer.

While one batch is being written the next one gathers. The counters of all its accounts are locked in order; then the
spends are decided one after the other in the order in which they came, each against what those before it left; then
they are written and committed at once. A batch that fails fails those that wait for it.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import psycopg
import structlog
from feature_platform.core.decision import Decision

from backend.core.errors import Unavailable
from backend.core.ids import uuid7_hex
from backend.db.batches import Batches
from backend.db.session import is_driver_unavailable
from backend.enforcement.batch_writer import BatchWriter
from backend.enforcement.decide import Ask, granted
from backend.subscription.entitlements import Entitlements
from backend.usage.batch import CounterOf, Locked
from backend.usage.items import Item, Items
from backend.usage.model import Counter, FirstResult, Identity, Source, Window

MOST_IN_A_BATCH = 512
# How often those of a batch for which the first of their identity says nothing are decided anew.
_MOST_ROUNDS = 4


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """It did not fit, and this is the counter that it was judged by."""

    counter: Counter


@dataclass(frozen=True, slots=True)
class Changed:
    """The account has changed since its limits were read; nothing was spent."""


# A counter is as the spend left it.
Answer = Counter | Refusal | FirstResult | Changed


@dataclass(slots=True, eq=False)
class Wish:
    """One spend that waits for its batch."""

    entitlements: Entitlements
    ask: Ask
    by: Source
    identity: Identity | None
    now: datetime
    corrects: UUID | None = None
    """The spend that this one takes back, whatever has changed since."""
    event: str = field(default_factory=uuid7_hex)
    is_stored: bool = False
    """It was spent from what this process had set aside, and is stored; not here."""
    key: CounterOf = field(init=False)
    answer: "asyncio.Future[Answer]" = field(init=False)
    """Made when it is asked for here."""

    def __post_init__(self) -> None:
        cost = self.ask.cost
        self.key = self.entitlements.account.id, cost.meter, cost.window.start

    @property
    def event_id(self) -> UUID:
        """Of what is recorded of it."""
        return UUID(hex=self.event)

    def settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(_translated(error))


class GroupCommit:
    """One for a process, with a connection of its own."""

    def __init__(self, url: str) -> None:
        self._batches = Batches(self._write, name="group commit", most=MOST_IN_A_BATCH)
        self._writer = BatchWriter(url)

    async def spend(self, wish: Wish) -> Answer:
        """The counter after a spend that is durable; a refusal; the first result of its identity; or `Changed`.

        Raises OutcomeUnknown, and what the driver raises where the database does not answer.
        """
        return await self._ask(wish)

    def give_back(self, wish: Wish) -> None:
        """Takes back what was spent for a call that has failed since; logged where that cannot be done."""
        cost = replace(wish.ask.cost, amount=-wish.ask.amount)
        back = Wish(
            wish.entitlements, replace(wish.ask, costs=(cost,)), wish.by, None, wish.now, corrects=wish.event_id
        )
        self._ask(back).add_done_callback(_tell)

    def _ask(self, wish: Wish) -> "asyncio.Future[Answer]":
        wish.answer = asyncio.get_running_loop().create_future()
        self._batches.add(wish)
        return wish.answer

    async def close(self) -> None:
        """Lets the batch under way end."""
        await self._batches.close()
        await self._writer.close()

    async def _write(self, batch: list[Wish]) -> None:
        """Every wish is settled, or the exception is for all that are not."""
        waiting = batch
        for _ in range(_MOST_ROUNDS):
            waiting = await self._round(waiting)
            if not waiting:
                return
        raise Unavailable("Too many equal requests at once; repeat it.", headers={"Retry-After": "1"})

    async def _round(self, batch: list[Wish]) -> list[Wish]:
        """One transaction; those that have to be decided anew come back."""
        wishes, twins = _without_twins(batch)
        wanted: dict[CounterOf, Window] = {wish.key: wish.ask.cost.window for wish in wishes}
        digests = [wish.identity.digest for wish in wishes if wish.identity]
        decided = _Decided()

        def decide(locked: Locked) -> Items:
            nonlocal decided
            decided = _Decided()
            decided.take(wishes, locked)
            return Items(decided.items)

        await self._writer.write(wanted, digests, decide)
        decided.settle()
        return _settle_twins(twins)


class _Decided:
    """What a batch comes to, before it is written."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.granted: list[tuple[Wish, Counter]] = []
        self.others: list[tuple[Wish, Answer]] = []

    def take(self, wishes: Iterable[Wish], locked: Locked) -> None:
        """In the order of arrival: what fits is granted, and takes its room from those after it."""
        running, versions, known = dict(locked.counters), locked.versions, locked.first
        for wish in wishes:
            identity, account, ask = wish.identity, wish.entitlements.account, wish.ask
            counter = running[wish.key]
            if identity is not None and (first := known.get(identity.digest)) is not None:
                self.others.append((wish, first))
            elif wish.corrects is None and versions.get(account.id) != account.version:
                self.others.append((wish, Changed()))
            elif not ask.cost.fits(counter):
                self.others.append((wish, Refusal(counter)))
            else:
                applied = max(ask.amount, -counter.used)
                after = Counter(counter.meter, counter.window, counter.used + applied, counter.held, counter.forfeited)
                running[wish.key] = after
                self.granted.append((wish, after))
                self.items.append(_item(wish, applied, after))

    def settle(self) -> None:
        """It is written: all are answered."""
        for wish, after in self.granted:
            wish.settle(after)
        for wish, answer in self.others:
            wish.settle(answer)


def _item(wish: Wish, applied: int, after: Counter) -> Item:
    entitlements, ask = wish.entitlements, wish.ask
    return Item(
        event_id=wish.event_id,
        scope=entitlements.scope,
        meter=ask.cost.meter,
        window=ask.cost.window,
        amount=applied,
        by=wish.by,
        identity=wish.identity,
        result=_decision(wish, after).to_json() if wish.identity else None,
        occurred_at=wish.now + entitlements.account.clock_offset,
        now=wish.now,
        source="consume" if wish.corrects is None else "retraction",
        corrects=wish.corrects,
    )


def _decision(wish: Wish, after: Counter) -> Decision:
    return granted(wish.entitlements, wish.ask.cost, after, used=0, held=0)


def _without_twins(batch: list[Wish]) -> tuple[list[Wish], list[tuple[Wish, Wish]]]:
    """Of several wishes under one identity the first; each of the others comes with it, and waits for its result."""
    firsts: list[Wish] = []
    twins: list[tuple[Wish, Wish]] = []
    seen: dict[bytes, Wish] = {}
    for wish in batch:
        first = seen.setdefault(wish.identity.digest, wish) if wish.identity else wish
        if first is wish:
            firsts.append(wish)
        else:
            twins.append((wish, first))
    return firsts, twins


def _settle_twins(twins: list[tuple[Wish, Wish]]) -> list[Wish]:
    """Gives each the result of the first; those for which it says nothing come back."""
    again = []
    for wish, first in twins:
        is_answered = first.answer.done() and not first.answer.cancelled()
        answer = first.answer.result() if is_answered else None
        assert wish.identity is not None
        assert first.identity is not None
        if isinstance(answer, Counter):
            wish.settle(FirstResult(first.identity.content_hash, _decision(first, answer).to_json()))
        elif isinstance(answer, FirstResult) or (answer is not None and wish.identity.is_same(first.identity)):
            wish.settle(answer)
        else:
            again.append(wish)
    return again


def _tell(back: "asyncio.Future[Answer]") -> None:
    if not back.cancelled() and (error := back.exception()) is not None:
        log.error("the spend of a failed call was not given back", exc_info=error)


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, psycopg.Error) and is_driver_unavailable(error):
        return Unavailable("The database does not answer; nothing was spent.", headers={"Retry-After": "1"})
    return error
