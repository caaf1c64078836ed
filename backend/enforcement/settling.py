"""One round of a journal: what it spent is counted, what it gives back is free, what it wants is set aside."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from feature_platform.core.allowance import Grant, grant

from backend.core.ids import AccountId
from backend.enforcement.allowances import Allowances, Pool
from backend.enforcement.settled import Batch
from backend.usage.model import Counter
from backend.usage.rounds import InForce, RoundConnection
from backend.usage.settlement import Change, CounterKey, Opening
from backend.usage.stored import Uncounted


class JournalLost(Exception):
    """Another process has taken the journal over, believing this one to be dead."""


class LeaseOver(Exception):
    """What this process holds is forfeited in the database; nothing may be under way when it says what it spent."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What one pool gets, under which terms, and its counter as it is stored with that."""

    pool: Pool
    under: Opening
    given: Grant
    counter: Counter


@dataclass(slots=True)
class Round:
    """What is settled in one transaction, and what the pools get once it has committed."""

    number: int
    batch: Batch
    wanting: list[Pool]
    holders: int
    """How many processes may hold allowances, this one included."""
    is_unsure: bool
    """The database may hold more for this process than the process knows of."""
    from_forfeited: bool
    is_due: bool
    """Whether it settles, and not only fills pools."""
    stored: Uncounted = field(default_factory=Uncounted)
    """What was stored before it was answered, and is counted now."""
    filled: list["Filled"] = field(default_factory=list)
    recalling: list[Pool] = field(default_factory=list)
    """Of which the tail begins: whoever holds something of them gives it back. Asked for once by each process."""

    def grant(self, counters: Mapping[CounterKey, Counter], versions: Mapping[AccountId, int], now: int) -> None:
        """What each pool gets under the limit in force. Terms that have changed get nothing."""
        for pool in self.wanting:
            counter = counters[pool.key]
            given = Grant(0, 0, is_tail=False)
            if versions.get(pool.key[0]) == pool.version:
                given = grant(limit=pool.limit, taken=counter.taken, wish=pool.next_wish(now), holders=self.holders)
            stored = replace(counter, held=counter.held + given.amount)
            self.filled.append(Filled(pool, pool.opening, given, stored))
            if given.is_tail and counter.held and not pool.has_recalled:
                self.recalling.append(pool)

    def finish(self, allowances: Allowances, now: int) -> None:
        """It has committed."""
        allowances.journal.is_begun = True
        allowances.journal.settled = self.batch.position
        allowances.note_counted(self.stored.sums)
        for one in self.filled:
            allowances.fill(one.pool, one.under, one.given, one.counter, now)
        for pool in self.recalling:
            pool.has_recalled = True

    def fail(self, allowances: Allowances) -> None:
        """It may have committed or not; the wishes are asked for again."""
        for pool in self.wanting:
            allowances.want(pool)


async def begin(
    wire: RoundConnection,
    allowances: Allowances,
    last: Round | None,
    *,
    now: int,
    may_be_stored: bool,
    is_quiet: bool = False,
) -> Round:
    """Locks the journal and takes what is to be settled: from here on it is this round's, whatever becomes of it.

    A round that is not due settles nothing: it fills pools, and the journal stays where it is.

    `last` is a round of which it is open whether it has committed. `now` is of the boot clock. `may_be_stored`: there
    may be spends that are stored and not counted. `is_quiet`: nothing is on its way to be stored, and nothing can be
    taken. Raises JournalLost, LeaseOver.
    """
    journal = allowances.journal
    if not journal.is_begun and not journal.path.exists():  # begun unheard of, and taken over before the next round
        raise JournalLost
    fence, holders = await wire.begin(journal.id, is_new=not journal.is_begun)
    if fence is None:
        raise JournalLost
    if fence.is_expired and not is_quiet:
        raise LeaseOver
    is_due = last is not None or fence.is_expired or allowances.is_due(now)
    stored = await wire.uncounted_of(journal.id) if is_due and may_be_stored else Uncounted()
    # From here on nothing is waited for: what is taken is in the round.
    has_committed = last is not None and fence.round == last.number
    if last is not None and has_committed:
        allowances.note_counted(last.stored.sums)
    if fence.is_expired:  # what is in the pools is forfeited in the database; given back, it is free again
        allowances.note_all_counted()
        allowances.give_back(list(allowances.pools.values()))
    batch = allowances.take_batch(now) if is_due else Batch(fence.position)
    if last is not None and not has_committed:
        last.batch.add(batch)
        batch = last.batch
    return Round(
        number=fence.round + 1,
        batch=batch,
        wanting=allowances.take_wanting(),
        holders=holders,
        # Once unsure, until a round is known to have committed: another may be lost between.
        is_unsure=fence.is_expired or has_committed or (last is not None and last.is_unsure),
        from_forfeited=fence.is_expired,
        is_due=is_due,
        stored=stored,
    )


async def settle(
    wire: RoundConnection, allowances: Allowances, found: Round, watched: Sequence[AccountId], *, now: int
) -> InForce:
    """Writes and commits a round that has begun. Returns what is in force for the watched accounts."""
    batch, journal = found.batch, allowances.journal
    surplus = await _surplus(wire, allowances, found) if found.is_unsure else {}
    changes = _changes(batch, surplus, found.stored.sums)
    keys = sorted({*changes, *(pool.key for pool in found.wanting)})
    openings = [pool.opening for pool in found.wanting if not pool.is_open]
    accounts = {*watched, *(pool.key[0] for pool in found.wanting)}
    counters, in_force = await wire.lock(keys, openings, accounts)
    for key, change in changes.items():
        counters[key] = _after(counters[key], change, from_forfeited=found.from_forfeited)
    found.grant(counters, in_force.versions, now)
    for one in found.filled:
        key = one.pool.key
        changes[key] = replace(changes.get(key) or Change(key), granted=one.given.amount)
    await wire.write(
        journal.id,
        position=batch.position,
        changes=[changes[key] for key in sorted(changes) if changes[key].moves],
        spends=batch.settled(),
        stored_up_to=found.stored.up_to,
        from_forfeited=found.from_forfeited,
        recalls=[pool.key for pool in found.recalling],
    )
    return in_force


async def _surplus(wire: RoundConnection, allowances: Allowances, found: Round) -> dict[CounterKey, int]:
    """What the database knows to be held and nobody here does: the end of the round that set it aside was lost."""
    known: dict[CounterKey, int] = defaultdict(int, found.batch.returns)
    for spent in found.batch.settled():
        known[spent.key] += spent.amount
    for key, amount in found.stored.sums.items():
        pool = allowances.pools.get(key)
        if pool is None or not pool.is_stored:  # else it is part of what the pool has not settled
            known[key] += amount
    held = await wire.held_by(allowances.journal.id)
    for pool in allowances.pools.values():
        known[pool.key] += pool.left + pool.unbatched
    for key, amount in allowances.given_back.items():  # since this round took what is its own
        known[key] += amount
    return {key: amount - known[key] for key, amount in held.items() if amount > known[key]}


def _changes(
    batch: Batch, surplus: dict[CounterKey, int], stored: Mapping[CounterKey, int]
) -> dict[CounterKey, Change]:
    spent: dict[CounterKey, int] = defaultdict(int, stored)
    for one in batch.settled():
        spent[one.key] += one.amount
    returned: dict[CounterKey, int] = defaultdict(int, batch.returns)
    for key, amount in surplus.items():
        returned[key] += amount
    return {key: Change(key, spent[key], returned[key]) for key in {*spent, *returned}}


def _after(counter: Counter, change: Change, *, from_forfeited: bool) -> Counter:
    taken = change.spent + change.returned
    if from_forfeited:
        return replace(counter, used=counter.used + change.spent, forfeited=counter.forfeited - taken)
    return replace(counter, used=counter.used + change.spent, held=counter.held - taken)
