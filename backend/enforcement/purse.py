"""Spends of strict meters from what this process has set aside, where it spends often.

A strict spend is in the database before it is answered. One by one, each locks and moves its counter; an account that
spends many times a second gets an allowance instead, as for calls from memory, and its spends are only written down:
see `spend_store.py`. Rare spends, those close to a limit and those with an identity are decided under lock, as ever.
"""

from datetime import datetime

from backend.core.errors import Unavailable
from backend.core.ids import uuid7_hex
from backend.enforcement.allowances import Allowances, Pool
from backend.enforcement.group import Wish
from backend.enforcement.journal import boot_nanoseconds
from backend.enforcement.spend_store import Tab, Taken
from backend.enforcement.treasury import Treasury
from backend.usage.model import Counter
from backend.usage.settlement import CounterKey
from backend.usage.stored import place_of

# Spends of one counter within a second from which on units are set aside for it.
OFTEN = 8
_SECOND = 1_000_000_000
# How often an allowance is asked for before the spend is decided under lock.
_ATTEMPTS = 2
_MOST_PLACES = 64


class Purse:
    """One for a process."""

    def __init__(self, treasury: Treasury) -> None:
        self._treasury = treasury
        self._counts: dict[CounterKey, int] = {}
        self._counted_until = 0

    async def spend(self, wish: Wish) -> Counter | None:
        """The counter after a spend that is stored when this returns, as far as this process knows it.

        None: nothing was spent, and it is to be decided under lock. Raises OutcomeUnknown, and what the driver raises
        where the database does not answer.
        """
        for _ in range(_ATTEMPTS):
            taken = self.take(wish)
            if isinstance(taken, Taken):
                counter = taken.tab.pool.shown()
                return counter if await taken.is_stored else None
            if not taken:
                return None
            try:
                await self._treasury.round()
            except Unavailable:
                return None
        return None

    def take(self, wish: Wish) -> Taken | bool:
        """A spend that is on its way to be stored; else whether the next round may bring what is needed for it."""
        meter = wish.ask.meter
        if meter.durability != "strict" or meter.kind != "counter" or wish.identity is not None:
            return False
        allowances = self._treasury.allowances
        if allowances is None or wish.corrects is not None or len(wish.ask.costs) > 1:
            return False
        now = boot_nanoseconds()
        pool = self._pool(allowances, wish, now)
        if pool is None:
            return False
        amount = wish.ask.amount
        tab = Tab(allowances, pool, amount, _place(pool, wish))
        if tab.take(now):
            wish.is_stored = True
            return self._treasury.store.add(Taken(tab, wish.event, wish.now))
        if now < pool.tail_until:
            return False
        allowances.want(pool)
        return True

    def take_again(self, tab: Tab, now: datetime) -> Taken | None:
        """Another one like one before, if it can be had from the same pool. `now` is of the system's clock."""
        if tab.allowances is not self._treasury.allowances or not tab.take(boot_nanoseconds()):
            return None
        return self._treasury.store.add(Taken(tab, uuid7_hex(), now))

    def _pool(self, allowances: Allowances, wish: Wish, now: int) -> Pool | None:
        """The one that a wish is to be spent from, if its counter is spent from often and its terms are in force."""
        entitlements, cost = wish.entitlements, wish.ask.cost
        pool = allowances.pools.get(wish.key)
        if pool is not None and pool.is_stored and pool.terms is entitlements:
            return pool
        if pool is None and not self._is_often(wish.key, now):
            return None
        if pool is None or not pool.is_stored or pool.is_older_than(entitlements):
            pool = allowances.pool(entitlements, cost.meter, cost.window, is_stored=True)
        return pool if pool.is_stored and pool.is_under(entitlements) else None

    def _is_often(self, key: CounterKey, now: int) -> bool:
        if now >= self._counted_until:
            self._counts.clear()
            self._counted_until = now + _SECOND
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return count > OFTEN


def _place(pool: Pool, wish: Wish) -> str:
    by = wish.by
    known = None if by.properties else pool.places.get((by.key_id, by.subject))
    if known is not None:
        return known
    place = place_of(pool.key, version=pool.version, period_start=pool.opening.period_start, by=by)
    if not by.properties and len(pool.places) < _MOST_PLACES:
        pool.places[by.key_id, by.subject] = place
    return place
