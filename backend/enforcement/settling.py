"""One round of a journal: what it spent is counted, what it gives back is free, what it wants is set aside."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from feature_platform.core.allowance import Grant, grant

from backend.db.session import SystemSession
from backend.enforcement.allowances import Allowances, Batch, Pool
from backend.usage import settlement
from backend.usage.model import Counter
from backend.usage.settlement import Change, CounterKey


class JournalLost(Exception):
    """Another process has taken the journal over, believing this one to be dead."""


@dataclass(slots=True)
class Round:
    """What is settled in one transaction, and what the pools get once it has committed."""

    number: int
    batch: Batch
    wanting: list[Pool]
    is_unsure: bool
    """The database may hold more for this process than the process knows of."""
    from_forfeited: bool
    filled: list[tuple[Pool, Grant, Counter]] = field(default_factory=list)

    def finish(self, allowances: Allowances, now: int) -> None:
        """It has committed."""
        allowances.journal.is_begun = True
        allowances.journal.settled = self.batch.position
        for pool, amount, counter in self.filled:
            pool.fill(amount, counter, now)

    def fail(self, allowances: Allowances) -> None:
        """It may have committed or not; the wishes are asked for again."""
        for pool in self.wanting:
            allowances.want(pool)


async def begin(session: SystemSession, allowances: Allowances, last: Round | None, *, now: int) -> Round:
    """Locks the journal and takes what is to be settled: from here on it is this round's, whatever becomes of it.

    `last` is a round of which it is open whether it has committed. `now` is of the boot clock. Raises JournalLost.
    """
    journal = allowances.journal
    if not journal.is_begun:
        await settlement.begin_journal(session, journal.id)
    fence = await settlement.lock_journal(session, journal.id)
    if fence is None:
        raise JournalLost
    if fence.is_expired:  # what is in the pools is forfeited in the database; given back, it is free again
        allowances.give_back(list(allowances.pools.values()))
    batch = allowances.take_batch(now)
    has_committed = last is not None and fence.round == last.number
    if last is not None and not has_committed:
        last.batch.add(batch)
        batch = last.batch
    is_unsure = has_committed or fence.is_expired
    return Round(fence.round + 1, batch, allowances.take_wanting(), is_unsure, fence.is_expired)


async def settle(session: SystemSession, allowances: Allowances, found: Round, *, now: int) -> None:
    """Writes a round that has begun, in the same transaction."""
    batch, journal = found.batch, allowances.journal
    await settlement.open_counters(session, [pool.opening for pool in found.wanting])
    surplus = await _surplus(session, allowances, batch) if found.is_unsure else {}
    changes = _changes(batch, surplus)
    keys = sorted({*changes, *(pool.key for pool in found.wanting)})
    counters = await settlement.lock_counters_of_all(session, keys)
    for key, change in changes.items():
        counters[key] = _after(counters[key], change, from_forfeited=found.from_forfeited)
    found.filled = await _grants(session, found.wanting, counters, now)
    for pool, given, _ in found.filled:
        change = changes.get(pool.key) or Change(pool.key)
        changes[pool.key] = replace(change, granted=given.amount)
    moved = [changes[key] for key in sorted(changes) if changes[key].moves]
    await settlement.apply(
        session, journal.id, changes=moved, spends=batch.settled(), from_forfeited=found.from_forfeited
    )
    await settlement.advance_journal(session, journal.id, position=batch.position)


async def _surplus(session: SystemSession, allowances: Allowances, batch: Batch) -> dict[CounterKey, int]:
    """What the database knows to be held and nobody here does: the end of the round that set it aside was lost."""
    known: dict[CounterKey, int] = defaultdict(int, batch.returns)
    for spent in batch.settled():
        known[spent.key] += spent.amount
    for pool in allowances.pools.values():
        known[pool.key] += pool.left + pool.unbatched
    held = await settlement.held_by(session, allowances.journal.id)
    return {key: amount - known[key] for key, amount in held.items() if amount > known[key]}


def _changes(batch: Batch, surplus: dict[CounterKey, int]) -> dict[CounterKey, Change]:
    spent: dict[CounterKey, int] = defaultdict(int)
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


async def _grants(
    session: SystemSession, wanting: Sequence[Pool], counters: dict[CounterKey, Counter], now: int
) -> list[tuple[Pool, Grant, Counter]]:
    """What each pool gets under the limit in force, and its counter with that. Terms that have changed get nothing."""
    if not wanting:
        return []
    holders = await settlement.count_holders(session)
    versions = await settlement.read_versions(session, sorted({pool.key[0] for pool in wanting}))
    found = []
    for pool in wanting:
        counter = counters[pool.key]
        given = Grant(0, 0, is_tail=False)
        if versions.get(pool.key[0]) == pool.version:
            given = grant(limit=pool.limit, taken=counter.taken, wish=pool.next_wish(now), holders=holders)
        found.append((pool, given, replace(counter, held=counter.held + given.amount)))
        if given.is_tail:
            await _recall(session, pool, counter)
    return found


async def _recall(session: SystemSession, pool: Pool, counter: Counter) -> None:
    """The tail begins: whoever holds something of this counter gives it back. Asked for once by each process."""
    if counter.held and not pool.has_recalled:
        pool.has_recalled = True
        await settlement.recall(session, pool.key)
