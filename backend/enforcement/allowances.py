"""What this process may spend from memory: pools that are filled from the database, and what went out of them.

The hot path is `Allowances.spend`: one comparison, one record in the journal, a few additions. It does no I/O, waits
for nothing and grants nothing that was not set aside before. `treasury.py` fills the pools and settles the spends.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from feature_platform.core.allowance import FIRST_WISH, Grant, next_wish

from backend.core.ids import uuid7
from backend.enforcement.journal import Journal, JournalFull, Place, Stamp
from backend.enforcement.settled import Batch
from backend.subscription.entitlements import Entitlements
from backend.usage.model import Counter, Window
from backend.usage.settlement import CounterKey, Opening

SECOND = 1_000_000_000
# A pool that was not spent from for so long gives back what it has; who needs it before recalls it.
IDLE = 5 * SECOND
# One that nobody has asked for so long is forgotten.
FORGOTTEN = 60 * SECOND
# How long "there is no allowance to be had" and "it is used up" are believed.
BELIEVED = SECOND
# Spends are settled so often, if nobody waits for it: a little less than a second, so that every fourth round is due.
_SETTLES_EVERY = SECOND - SECOND // 8


class Pool:
    """One counter, as far as this process may spend of it. Moments are nanoseconds of the boot clock.

    `spent` only grows (but for spends that are taken back): what was settled or filled since when is a difference.
    `is_stored`: its spends are rows in the database before they are answered, instead of records of the journal.
    """

    __slots__ = (
        "clock_offset",
        "counter",
        "exhausted_until",
        "filled_at",
        "free",
        "has_recalled",
        "is_open",
        "is_stored",
        "is_wanted",
        "key",
        "left",
        "limit",
        "limits_until",
        "lots",
        "low",
        "opening",
        "places",
        "quiet_since",
        "spent",
        "spent_when_batched",
        "spent_when_filled",
        "spent_when_seen",
        "tail_until",
        "terms",
        "version",
        "wish",
    )

    def __init__(self, entitlements: Entitlements, meter: str, window: Window, *, is_stored: bool = False) -> None:
        self.counter = Counter(meter, window)
        self.is_stored = is_stored
        self.key: CounterKey = (entitlements.account.id, meter, window.start)
        self.lots: dict[UUID | None, Lot] = {}
        """By the key that spends; those of the present terms."""
        self.left = self.low = 0
        self.free: int | None = 0
        self.wish = FIRST_WISH
        self.spent = self.spent_when_batched = self.spent_when_filled = self.spent_when_seen = 0
        self.filled_at = self.quiet_since = self.tail_until = self.exhausted_until = 0
        self.is_wanted = False
        self.under(entitlements)

    def under(self, entitlements: Entitlements) -> None:
        """From now on under these terms. What was spent before belongs to lots of its own, see `take_back`."""
        scope = entitlements.scope
        self.lots = {}
        self.places: dict[tuple[UUID | None, str | None], str] = {}
        """The fixed part of stored spends, by who spends; of the present terms."""
        self.terms = entitlements
        self.opening = Opening(
            self.key, self.counter.window, scope.owner_user_id, scope.period_start, scope.period_end, record_id=uuid7()
        )
        self.version = entitlements.account.version
        self.clock_offset = entitlements.account.clock_offset
        self.limit = entitlements.quota(self.counter.meter).limit
        self.limits_until = entitlements.limits_until
        self.tail_until = self.exhausted_until = 0
        self.has_recalled = self.is_open = False

    def is_older_than(self, entitlements: Entitlements) -> bool:
        """Whether these are later terms, or the same in another period, or after an override has begun or ended."""
        version = entitlements.account.version
        if self.version != version:
            return self.version < version
        has_changed = self.limits_until is not None and self.limits_until <= entitlements.now
        return has_changed or self.opening.period_start < entitlements.period.start

    def is_under(self, entitlements: Entitlements) -> bool:
        """Whether its limit is the one of these terms."""
        return self.version == entitlements.account.version and self.limits_until == entitlements.limits_until

    def fill(self, grant: Grant, counter: Counter, now: int) -> None:
        """Takes what was set aside. `counter` is as it is stored now, with all that was settled in this round."""
        self.counter = replace(counter, used=counter.used + self.unbatched, held=counter.held - self.unbatched)
        self.left += grant.amount
        self.low = self.left // 2
        self.free = grant.free
        self.spent_when_filled = self.spent
        self.filled_at = self.quiet_since = now
        self.tail_until = now + BELIEVED if grant.is_tail else 0
        self.is_wanted = False
        self.is_open = True

    @property
    def unbatched(self) -> int:
        """What went out since spends were last taken to be settled."""
        return self.spent - self.spent_when_batched

    def next_wish(self, now: int) -> int:
        """A second of the present rate."""
        if self.filled_at:
            self.wish = next_wish(self.wish, self.spent - self.spent_when_filled, now - self.filled_at)
        return self.wish

    def shown(self) -> Counter:
        """The counter as it is for whoever looks: what went out of memory is used, what is left in memory is free."""
        counter = self.counter
        return Counter(counter.meter, counter.window, *self.numbers())

    def numbers(self) -> tuple[int, int, int]:
        """Used, held and forfeited, as `shown` says them."""
        counter, spent = self.counter, self.spent - self.spent_when_filled
        return counter.used + spent, max(0, counter.held - self.left - spent), counter.forfeited


class Lot:
    """What one key spends of one pool: the fixed part of its records, and what is not settled yet."""

    __slots__ = ("minute", "place", "pool", "spent", "stamp", "window_ends_at")

    def __init__(self, pool: Pool, key_id: UUID | None) -> None:
        self.pool = pool
        account_id, meter, window_start = pool.key
        self.place = Place(account_id, meter, window_start, pool.opening.period_start, key_id)
        self.stamp = Stamp(self.place)
        self.window_ends_at = _system_seconds(pool)
        self.spent = 0
        self.minute = 0


class Allowances:
    """The pools of one process, and its journal. `wake` is called when something wants to be settled soon."""

    def __init__(self, journal: Journal, wake: Callable[[], None]) -> None:
        self.journal = journal
        self.lease_until = 0
        self.pools: dict[CounterKey, Pool] = {}
        self._of_account: dict[UUID, dict[CounterKey, Pool]] = {}
        self._wanting: dict[CounterKey, Pool] = {}
        self._dirty: list[Lot] = []
        self._closed: list[tuple[Lot, int, int]] = []
        self._returns: dict[CounterKey, int] = {}
        self._wake = wake
        self._tended_at = self._settles_at = 0

    def pool(self, entitlements: Entitlements, meter: str, window: Window, *, is_stored: bool = False) -> Pool:
        """The pool of a counter, under these terms or later ones.

        Of the other kind where the meter's durability has changed and what was spent before is not settled yet.
        """
        key = (entitlements.account.id, meter, window.start)
        pool = self.pools.get(key)
        if pool is not None and pool.is_stored != is_stored:
            self.give_back([pool])
            if pool.unbatched:
                return pool
            self._forget(key)
            pool = None
        if pool is None:
            pool = self.pools[key] = Pool(entitlements, meter, window, is_stored=is_stored)
            self._of_account.setdefault(key[0], {})[key] = pool
        elif pool.is_older_than(entitlements):
            self._give_back(pool)  # it was granted under the former terms
            pool.under(entitlements)
        return pool

    def lot(self, pool: Pool, key_id: UUID | None) -> Lot:
        """Where the spends of a key are added up."""
        found = pool.lots.get(key_id)
        if found is None:
            found = pool.lots[key_id] = Lot(pool, key_id)
        return found

    def spend(self, lot: Lot, amount: int, now: int, minute: int) -> bool:
        """Spends from memory if it is there; recorded before this returns.

        `now` is of the boot clock. False changes nothing: ask for more, or spend where all processes see it.
        """
        pool = lot.pool
        left = pool.left - amount
        if left < 0 or now >= self.lease_until:
            return False
        try:
            self.journal.append(lot.stamp, amount, minute)
        except JournalFull:
            return False
        pool.left = left
        pool.spent += amount
        if lot.minute != minute:
            self._turn(lot, minute)
        lot.spent += amount
        if left < pool.low and not pool.is_wanted:
            self.want(pool)
        return True

    def take(self, pool: Pool, amount: int, now: int) -> bool:
        """As `spend`, for what is to be stored: see `put_back`."""
        left = pool.left - amount
        if left < 0 or now >= self.lease_until:
            return False
        pool.left = left
        pool.spent += amount
        if left < pool.low and not pool.is_wanted:
            self.want(pool)
        return True

    def put_back(self, pool: Pool, under: Opening, amount: int) -> None:
        """What was taken `under` some terms was not stored. Under other ones by now it is given back unspent."""
        pool.spent -= amount
        if pool.opening is under and self.pools.get(pool.key) is pool:
            pool.left += amount
        else:
            self._returns[pool.key] = self._returns.get(pool.key, 0) + amount

    def take_back(self, lot: Lot, amount: int, now: int, minute: int) -> bool:
        """The opposite of `spend`, recorded like it; also of a pool that has been forgotten in the meantime.

        What was granted under former terms is not spent again under the present ones, whose limit may be lower.
        """
        is_done = self.spend(lot, -amount, now, minute)
        is_former = lot.pool.lots.get(lot.place.key_id) is not lot
        if is_done and (is_former or self.pools.get(lot.pool.key) is not lot.pool):
            self._give_back(lot.pool)
        return is_done

    def fill(self, pool: Pool, under: Opening, grant: Grant, counter: Counter, now: int) -> None:
        """What was set aside for a pool `under` some terms. Under other ones, which came while it was, it is given
        back unspent, for their limit may be lower, and asked for anew."""
        is_known = self.pools.get(pool.key) is pool
        if is_known and pool.opening is under:
            pool.fill(grant, counter, now)
            return
        if grant.amount:
            self._returns[pool.key] = self._returns.get(pool.key, 0) + grant.amount
        if is_known:
            self.want(pool)

    def want(self, pool: Pool) -> None:
        """Asks for more, in the next round: half of it is left, so nobody waits yet."""
        pool.is_wanted = True
        self._wanting[pool.key] = pool

    def give_back(self, pools: Iterable[Pool]) -> None:
        """What is left of them is given back in the next round, which does not fill them again."""
        for pool in pools:
            self._give_back(pool)
            pool.is_wanted = False
            self._wanting.pop(pool.key, None)
        self.hurry()

    def hurry(self) -> None:
        """Somebody waits: the next round is at once, and settles."""
        self._settles_at = 0
        self._wake()

    def is_due(self, now: int) -> bool:
        """Whether the next round is to settle what was spent, and not only to fill pools."""
        return now >= self._settles_at or self.journal.is_filling

    def end(self) -> None:
        """Nothing is asked for any more, and everything is given back in the next round, which is the last."""
        self._wanting = {}
        self.give_back(list(self.pools.values()))

    @property
    def given_back(self) -> Mapping[CounterKey, int]:
        """What goes back with the next round that settles."""
        return self._returns

    def of_account(self, account_id: UUID) -> list[Pool]:
        return list(self._of_account.get(account_id, {}).values())

    def take_batch(self, now: int) -> Batch:
        """All that is to be settled now: every spend, and what was given back or lies idle."""
        self._settles_at = now + _SETTLES_EVERY
        if now - self._tended_at >= IDLE // 2:
            self._tended_at = now
            for pool in list(self.pools.values()):
                self._tend(pool, now)
        batch = Batch(self.journal.position)
        for lot in self._dirty:
            self._close(lot)
        for lot, minute, amount in self._closed:
            batch.spends[(lot.place, minute)] = batch.spends.get((lot.place, minute), 0) + amount
            lot.pool.spent_when_batched = lot.pool.spent
        self._dirty, self._closed = [], []
        batch.returns, self._returns = self._returns, {}
        return batch

    def note_counted(self, stored: Mapping[CounterKey, int]) -> None:
        """So much of what was stored is counted."""
        for key, amount in stored.items():
            pool = self.pools.get(key)
            if pool is not None and pool.is_stored:
                pool.spent_when_batched += amount

    def note_all_counted(self) -> None:
        """All that was stored is counted, by whoever believed this process to be dead."""
        for pool in self.pools.values():
            if pool.is_stored:
                pool.spent_when_batched = pool.spent

    def take_wanting(self) -> list[Pool]:
        """The pools that want more, each once; none that has been forgotten."""
        wanting, self._wanting = self._wanting.values(), {}
        return [pool for pool in wanting if self.pools.get(pool.key) is pool]

    def drop(self) -> None:
        """Forgets everything: what was held is held no more, and what was spent is for the journal's heir to count.

        Lots live on in passes and with calls under way, whose spends other allowances may take back.
        """
        for pool in self.pools.values():
            pool.left = 0
        for lot in self._dirty:
            lot.spent = lot.minute = 0
        self.pools, self._of_account, self._wanting, self._returns = {}, {}, {}, {}
        self._dirty, self._closed = [], []
        self.lease_until = 0

    def _tend(self, pool: Pool, now: int) -> None:
        if pool.spent != pool.spent_when_seen or pool.is_wanted:
            pool.spent_when_seen, pool.quiet_since = pool.spent, now
        elif now - pool.quiet_since > FORGOTTEN and not (pool.is_stored and pool.unbatched):
            self._give_back(pool)
            self._forget(pool.key)
        elif now - pool.quiet_since > IDLE:
            self._give_back(pool)

    def _forget(self, key: CounterKey) -> None:
        del self.pools[key]
        of_account = self._of_account[key[0]]
        del of_account[key]
        if not of_account:
            del self._of_account[key[0]]

    def _give_back(self, pool: Pool) -> None:
        if pool.left:
            self._returns[pool.key] = self._returns.get(pool.key, 0) + pool.left
            pool.left = 0

    def _turn(self, lot: Lot, minute: int) -> None:
        if lot.minute == 0:
            self._dirty.append(lot)
        else:
            self._closed.append((lot, lot.minute, lot.spent))
            lot.spent = 0
        lot.minute = minute

    def _close(self, lot: Lot) -> None:
        self._closed.append((lot, lot.minute, lot.spent))
        lot.spent = 0
        lot.minute = 0


def _system_seconds(pool: Pool) -> int | None:
    """When the window ends, in seconds since 1970 by the clock of the system."""
    end = pool.counter.window.end
    return None if end is None else int((end - pool.clock_offset).timestamp())
