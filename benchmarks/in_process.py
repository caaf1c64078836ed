"""What one decision costs inside a process, beside a dict lookup, and how much memory an account takes.

The ledger that is measured is handed in: `measure(make_ledger)` with a function that makes one for some accounts and
returns how a unit is spent in it. It must be able to spend without I/O for as long as the measurement takes.
"""

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from benchmarks.figures import Figure

Key = TypeVar("Key")
Spend = Callable[[Key], object]
"""Spends one unit of an account: a whole decision, as the hot path takes it."""
MakeLedger = Callable[[Sequence[Key]], Spend[Key]]
MakeKeys = Callable[[int], Sequence[Key]]

HOT = 1_000
MANY = 1_000_000
WEIGHED = 100_000

_CALLS = 1_000_000
_ROUNDS = 5
_NANO = 1e9


@dataclass(frozen=True)
class Cost:
    """Nanoseconds: the median of the rounds, and the extremes."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class InProcess:
    """Costs of a dict lookup and of a decision with 1,000 and with a million accounts; bytes an account."""

    lookup: Cost
    lookup_many: Cost
    decision: Cost
    decision_many: Cost
    account_bytes: float

    def figures(self) -> list[Figure]:
        """As rows of the table."""
        hot = self.decision.median
        return [
            Figure("decision", hot / self.lookup.median, note=_costs(self.decision, self.lookup)),
            Figure("decision_many", self.decision_many.median / hot, note=_costs(self.decision_many, self.decision)),
            Figure("account_bytes", self.account_bytes),
        ]


def account_keys(number: int) -> list[UUID]:
    """Ids of accounts, as random as real ones; the same in every run."""
    source = random.Random(number)
    return [UUID(int=source.getrandbits(128)) for _ in range(number)]


def text_keys(number: int) -> list[str]:
    """Ids as text, whose hash is kept once it is known."""
    return [str(key) for key in account_keys(number)]


def measure(make_ledger: MakeLedger[Key], make_keys: MakeKeys[Key], *, many: int = MANY) -> InProcess:
    """All of it; takes about a minute and, with a million accounts, some memory."""
    decision, decision_many = (time_spends(make_ledger(keys), keys) for keys in (make_keys(HOT), make_keys(many)))
    lookup, lookup_many = (time_lookups(make_keys(number)) for number in (HOT, many))
    return InProcess(lookup, lookup_many, decision, decision_many, bytes_each(make_ledger, make_keys(WEIGHED)))


def time_lookups(keys: Sequence[Key], *, calls: int = _CALLS, rounds: int = _ROUNDS) -> Cost:
    """Reading one entry of a dict, the loop around it included; accounts in random order."""
    table = dict.fromkeys(keys, 0)
    order = _order(keys, calls)

    def once() -> None:
        for key in order:
            table[key]

    return timed(once, calls=calls, rounds=rounds)


def time_spends(spend: Spend[Key], keys: Sequence[Key], *, calls: int = _CALLS, rounds: int = _ROUNDS) -> Cost:
    """Spending one unit, the loop around it included; accounts in random order."""
    order = _order(keys, calls)

    def once() -> None:
        for key in order:
            spend(key)

    return timed(once, calls=calls, rounds=rounds)


def timed(once: Callable[[], object], *, calls: int, rounds: int = _ROUNDS) -> Cost:
    """What each of `calls` in `once` takes. One round before goes uncounted; the collector of cycles rests."""
    once()
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        costs = []
        for _ in range(rounds):
            began = time.perf_counter()
            once()
            costs.append((time.perf_counter() - began) / calls * _NANO)
    finally:
        if collects:
            gc.enable()
    return Cost(statistics.median(costs), min(costs), max(costs))


def bytes_each(make_ledger: MakeLedger[Key], keys: Sequence[Key]) -> float:
    """Memory that a ledger of these accounts keeps after one spend of each, for each. Maps of files do not count."""
    gc.collect()
    tracemalloc.start(1)
    try:
        before, _ = tracemalloc.get_traced_memory()
        spend = make_ledger(keys)
        for key in keys:
            spend(key)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / len(keys)


def _order(keys: Sequence[Key], calls: int) -> list[Key]:
    source = random.Random(calls)
    order = [key for _ in range(-(-calls // len(keys))) for key in source.sample(keys, len(keys))]
    return order[:calls]


def _costs(one: Cost, other: Cost) -> str:
    return f"{one.median:.0f} ns against {other.median:.0f} ns"
