"""Reported usage: facts, counted whatever the limits say, each once.

The facts of a request are checked one by one, so that a bad one neither spoils nor hides the others. Then they are
counted with those of other requests in one transaction: identities, counters, events, sums and records. A fact falls
into the window in which it took place as long as that one's period is open; after that it is counted in the open one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import is_

import psycopg

from backend.auth.errors import AccountUnknown
from backend.auth.principal import Principal
from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput, PlatformError, Unavailable
from backend.core.ids import AccountId, uuid7
from backend.db.batches import Batches
from backend.db.session import Database, is_driver_unavailable
from backend.enforcement.acting import USAGE_WRITE, acting_accounts
from backend.enforcement.batch_writer import BatchWriter
from backend.enforcement.journal import boot_nanoseconds
from backend.enforcement.places import Place, Places
from backend.subscription.entitlements import Entitlements, resolve_many
from backend.usage.batch import Locked
from backend.usage.errors import IdempotencyConflict
from backend.usage.facts import Fact, Taken, rejected
from backend.usage.items import Item, Items
from backend.usage.model import MAX_COUNTER, Identity, Source

# In one transaction: not all that large requests bring, so that others are read while it is written.
_MOST_FACTS = 2_000
# How often a fact is decided anew because its account changed, or its identity was taken meanwhile.
_MOST_ROUNDS = 5
_KNOWN_NANOSECONDS = 1_000_000_000
_MOST_KNOWN = 20_000


@dataclass(slots=True, eq=False)
class _Pending:
    """A fact that is fine as far as can be said without its counter."""

    position: int
    fact: Fact
    place: Place
    item: Item
    """What is to be counted, made before anything is locked: at most its amount changes."""
    taken: Taken | None = None
    """What becomes of it, once its batch was decided; None: to be decided anew."""


@dataclass(slots=True, eq=False)
class _Request:
    """The facts of one request that wait for their transaction. What is missing in the answer is to be decided anew."""

    facts: list[_Pending]
    items: Items
    """Of all facts, for the case that all are counted as they are."""
    found: dict[int, Taken] = field(default_factory=dict)
    answer: "asyncio.Future[dict[int, Taken]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self.found)

    def fail(self, error: BaseException) -> None:
        if isinstance(error, psycopg.Error) and is_driver_unavailable(error):
            error = Unavailable("The database does not answer; nothing was counted.", headers={"Retry-After": "1"})
        if not self.answer.done():
            self.answer.set_exception(error)


def _prepared(position: int, fact: Fact, place: Place, occurred_at: datetime, by: Source, now: datetime) -> _Pending:
    item = Item(
        event_id=uuid7(),
        scope=place.scope,
        meter=fact.meter,
        window=place.window,
        amount=fact.amount,
        by=by if fact.properties is None else replace(by, properties=fact.properties),
        identity=fact.identity(place.terms.account.id),
        result=None,
        occurred_at=occurred_at,
        now=now,
        source="ingest",
    )
    return _Pending(position, fact, place, item)


class Ingest:
    """One for a process, with a connection of its own."""

    def __init__(self, database: Database, catalogs: Catalogs) -> None:
        self._database = database
        self._catalogs = catalogs
        self._writer = BatchWriter(database.url)
        self._batches = Batches(
            self._write, name="ingest", most=_MOST_FACTS, size_of=lambda request: len(request.facts)
        )
        self._known: OrderedDict[AccountId, tuple[Entitlements, int]] = OrderedDict()

    async def close(self) -> None:
        await self._batches.close()
        await self._writer.close()

    async def take(self, facts: Sequence[Fact], *, principal: Principal, now: datetime) -> list[Taken]:
        """Counts them, and says of each what became of it, in their order. Durable before the answer.

        Raises Unavailable, OutcomeUnknown: of none is known whether it was counted, and repeating is safe.
        """
        taken: dict[int, Taken] = {}
        names = {fact.account for fact in facts}
        accounts = await acting_accounts(self._database, principal, named=names, scope=USAGE_WRITE, now=now)
        by = Source(key_id=principal.key_id, subject=principal.recorded_as)
        for attempt in range(_MOST_ROUNDS):
            terms = await self._terms({name: accounts[name] for name in names}, now, is_fresh=attempt > 0)
            pending, places = [], Places()
            for position, fact in enumerate(facts):
                if position not in taken:
                    try:
                        place, occurred_at = places.of(fact, terms[fact.account], now)
                        if place is None:
                            place = await self._ahead(places, fact, terms, now)
                        pending.append(_prepared(position, fact, place, occurred_at, by, now))
                    except PlatformError as error:
                        taken[position] = rejected(fact.id, error)
            if not pending:
                return [taken[position] for position in range(len(facts))]
            request = _Request(pending, Items([fact.item for fact in pending]))
            self._batches.add(request)
            taken |= await request.answer
            if len(taken) == len(facts):
                return [taken[position] for position in range(len(facts))]
            names = {fact.account for position, fact in enumerate(facts) if position not in taken}
        raise Unavailable("The accounts change too often; repeat the request.", headers={"Retry-After": "1"})

    async def _terms(
        self, accounts: Mapping[str | None, AccountId | PlatformError], now: datetime, *, is_fresh: bool
    ) -> dict[str | None, Entitlements | PlatformError]:
        """Of each name what its account may do, or why nothing."""
        wanted = {account for account in accounts.values() if not isinstance(account, PlatformError)}
        found = await self._entitlements(wanted, now, is_fresh=is_fresh)
        unknown = AccountUnknown("No account of yours has this id.")
        return {
            name: account if isinstance(account, PlatformError) else found.get(account, unknown)
            for name, account in accounts.items()
        }

    async def _ahead(
        self, places: Places, fact: Fact, terms: Mapping[str | None, Entitlements | PlatformError], now: datetime
    ) -> Place:
        """Where a fact of the next period belongs, up to five minutes before that begins."""
        known = terms[fact.account]
        assert isinstance(known, Entitlements)
        assert fact.timestamp is not None
        ahead = await self._read({known.account.id}, fact.timestamp - known.account.clock_offset)
        places.ahead[fact.account] = ahead.get(known.account.id, known)
        return places.make(fact, places.ahead[fact.account], fact.timestamp, now)

    async def _entitlements(
        self, account_ids: Set[AccountId], now: datetime, *, is_fresh: bool
    ) -> dict[AccountId, Entitlements]:
        """As they are, or were a second ago: whoever counts on them checks the account's version. What is not known
        is read at once, in one transaction."""
        at, found = boot_nanoseconds(), {}
        for account_id in account_ids:
            known = self._known.get(account_id)
            if known is not None and not is_fresh and at < known[1] and _is_in_force(known[0], now):
                found[account_id] = known[0]
        missing = account_ids - found.keys()
        if not missing:
            return found
        fresh = await self._read(missing, now)
        for account_id in missing:
            self._known.pop(account_id, None)
        for account_id, entitlements in fresh.items():
            self._known[account_id] = (entitlements, at + _KNOWN_NANOSECONDS)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found | fresh

    async def _read(self, account_ids: Set[AccountId], now: datetime) -> dict[AccountId, Entitlements]:
        one = next(iter(account_ids)) if len(account_ids) == 1 else None
        async with self._database.read(one) as session:
            return await resolve_many(session, account_ids=sorted(account_ids), catalogs=self._catalogs, now=now)

    async def _write(self, requests: list[_Request]) -> None:
        """One transaction. Facts whose account has changed stay undecided."""
        pending = [fact for request in requests for fact in request.facts]
        # Many share a place; comparing keys, which have ids in them, is more work than finding those.
        wanted = {place.key: place.window for place in {id(fact.place): fact.place for fact in pending}.values()}
        digests = [fact.item.identity.digest for fact in pending if fact.item.identity]
        as_they_came = [request.items for request in requests]
        everything = Items.joined(as_they_came)

        def decide(locked: Locked) -> Items:
            decided = _Decided(locked)
            counted = [decided.take(request) for request in requests]
            return everything if all(map(is_, counted, as_they_came)) else Items.joined(counted)

        await self._writer.write(wanted, digests, decide)
        for request in requests:
            for fact in request.facts:
                if fact.taken is not None:
                    request.found[fact.position] = fact.taken
            request.settle()


@dataclass(slots=True)
class _Running:
    """A counter while a batch is decided, and the version of its account that is in force."""

    used: int
    version: int | None


class _Decided:
    """A batch in the order of arrival: what is counted, and what becomes of each fact."""

    def __init__(self, locked: Locked) -> None:
        self._stored = locked.first
        self._by_key = {key: _Running(one.used, locked.versions.get(key[0])) for key, one in locked.counters.items()}
        self._by_place: dict[int, _Running] = {}
        self._firsts: dict[bytes, Identity] = {}

    def take(self, request: _Request) -> Items:
        """What is counted of a request: mostly all of it as it came, and then nothing has to be made of it."""
        counted = [item for fact in request.facts if (item := self._take(fact)) is not None]
        is_as_it_came = len(counted) == len(request.facts) and all(map(is_, counted, request.items.each))
        return request.items if is_as_it_came else Items(counted)

    def _take(self, fact: _Pending) -> Item | None:
        fact.taken = None
        place, item, identity = fact.place, fact.item, fact.item.identity
        assert identity is not None
        first = self._stored.get(identity.digest) or self._firsts.get(identity.digest)
        if first is not None:
            fact.taken = _repeated(fact, is_same=first.content_hash == identity.content_hash)
            return None
        running = self._by_place.get(id(place))
        if running is None:
            running = self._by_place[id(place)] = self._by_key[place.key]
        if running.version != place.terms.account.version:
            return None
        amount = _applied(fact.fact, running.used)
        if running.used + amount > MAX_COUNTER:
            fact.taken = rejected(fact.fact.id, InvalidInput("amount: the counter would leave its range."))
            return None
        running.used += amount
        self._firsts[identity.digest] = identity
        fact.taken = Taken(fact.fact.id, "accepted")
        return item if amount == item.amount else item._replace(amount=amount)


def _applied(fact: Fact, used: int) -> int:
    """What is added to the counter: a level never falls below nothing."""
    if fact.operation == "set":
        return fact.amount - used
    return max(fact.amount, -used)


def _repeated(pending: _Pending, *, is_same: bool) -> Taken:
    if is_same:
        return Taken(pending.fact.id, "duplicate")
    detail = f"{pending.fact.id[:80]!r} has counted another meter, amount or properties. Use a new id."
    return rejected(pending.fact.id, IdempotencyConflict(detail))


def _is_in_force(entitlements: Entitlements, now: datetime) -> bool:
    """Whether the period is still the same. The rest is checked by the version."""
    period, its_now = entitlements.period, now + entitlements.account.clock_offset
    return period.start <= its_now and (period.end is None or its_now < period.end)
