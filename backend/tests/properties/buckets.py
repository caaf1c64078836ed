"""What PostgreSQL keeps of rate-limit buckets, in plain Python, and processes that lease units of them.

The processes are real but for their connection, which can be lost, and for their clocks.
"""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import psycopg
from feature_platform.core import gcra
from feature_platform.core.gcra import MICROSECONDS, RateLimit, Verdict

from backend.ratelimit.leases import LeasedRateStore, _Want
from backend.ratelimit.model import Bucket, RateVerdict, Subject, Take, key_prefix, rate_verdict
from backend.ratelimit.withdrawals import Shared, WithdrawalConnection

HOUR = 3_600 * MICROSECONDS

Fate = Literal["done", "lost at lock", "lost at write", "not heard of"]


async def nothing() -> None:
    """Happens meanwhile."""


@dataclass
class Table:
    """`now` is the database's clock, in microseconds; `used_at` says when each bucket was written last."""

    now: int = 1_000_000 * MICROSECONDS
    rows: dict[str, Shared] = field(default_factory=dict)
    used_at: dict[str, int] = field(default_factory=dict)
    turn: int = 0
    """Counts what is decided, in its order."""
    passed: list[tuple[int, int, str, int]] = field(default_factory=list)
    """Turn, time, bucket and how many units; none where the bucket was cleared."""
    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How far what was withdrawn, less what was given back, has moved each bucket on."""

    def next_turn(self) -> int:
        self.turn += 1
        return self.turn

    def note(self, key: str, units: int, *, turn: int | None = None, now: int | None = None) -> None:
        self.passed.append((turn or self.next_turn(), now or self.now, key, units))

    def row(self, key: str) -> Shared:
        return self.rows.setdefault(key, Shared(key, 0, 0, 0))

    def write(self, after: Shared, now: int) -> None:
        self.taken[after.key] += after.tat - max(now, self.row(after.key).tat)
        self.rows[after.key], self.used_at[after.key] = after, self.now

    def prune(self) -> None:
        for key, row in list(self.rows.items()):
            if self.used_at.get(key, 0) < self.now - HOUR and row.tat <= self.now:
                del self.rows[key]


class Direct:
    """The store that leases leave everything else to."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take_now(self, key: str, limit: RateLimit) -> None:
        """It would ask."""

    async def take(self, bucket: Bucket, limit: RateLimit, cost: int = 1) -> RateVerdict:
        table, row = self._table, self._table.row(bucket.key)
        verdict = gcra.check(row.tat, table.now, limit, cost)
        if verdict.allowed and cost:
            table.write(row._replace(tat=verdict.tat), table.now)
            table.note(bucket.key, cost)
        return rate_verdict(limit, verdict)

    async def take_all(self, takes: Sequence[Take]) -> tuple[RateVerdict, ...]:
        raise AssertionError("a lease asks for one bucket at a time")

    async def clear(self, subject: Subject) -> int:
        keys = [key for key in self._table.rows if key.startswith(key_prefix(subject))]
        for key in keys:
            self._table.rows[key] = self._table.rows[key]._replace(tat=0)
            self._table.note(key, 0)
        return len(keys)

    async def close(self) -> None:
        """It holds nothing."""


@dataclass
class Question:
    """What happens to the next one, and in the meantime."""

    fate: Fate = "done"
    before_lock: Callable[[], Awaitable[None]] = nothing
    before_write: Callable[[], Awaitable[None]] = nothing
    before_answer: Callable[[], Awaitable[None]] = nothing


class TableConnection(WithdrawalConnection):
    """Of one process. Nobody else acts while it has locked: before it writes, time may pass, and its process spend."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._question = Question()
        self.next = Question()
        self.lost = False
        self.turn = self.now = 0

    @property
    def is_broken(self) -> bool:
        return self.lost

    async def close(self) -> None:
        self.lost = True

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def lock(self, keys: Sequence[str]) -> tuple[dict[str, Shared], int]:
        self._question, self.next = self.next, Question()
        await self._question.before_lock()
        self._break("lost at lock")
        self.turn, self.now = self._table.next_turn(), self._table.now
        return {key: self._table.row(key) for key in keys}, self.now

    async def write(self, buckets: Sequence[Shared]) -> None:
        await self._question.before_write()
        self._break("lost at write")
        for after in buckets:
            self._table.write(after, self.now)
        await self._question.before_answer()
        self._break("not heard of")

    def _break(self, fate: Fate) -> None:
        if self._question.fate == fate:
            self.lost = True
            raise psycopg.OperationalError(fate)


class SimulatedStore(LeasedRateStore):
    """A process, whose clock is so far from the database's. Says to the table what passes."""

    def __init__(self, table: Table, offset: int = 0) -> None:
        super().__init__(Direct(table), "", clock=lambda: table.now + offset)
        self.table = table
        self.wire = TableConnection(table)
        self._by_hand: set[int] = set()

    def take_now(self, key: str, limit: RateLimit) -> Verdict | None:
        found = super().take_now(key, limit)
        if found is not None:
            self.table.note(key, 1)
            self._by_hand.add(id(found))
        return found

    async def _ready(self) -> WithdrawalConnection:
        self._connection, self.wire.lost = self.wire, False
        return self.wire

    async def _write(self, wants: list[_Want]) -> None:
        self._by_hand.clear()
        await super()._write(wants)
        for want in wants:
            if want.cost and want.answer.done() and not want.answer.cancelled():
                verdict = want.answer.result()
                if verdict.allowed and id(verdict) not in self._by_hand:
                    self.table.note(want.key, 1, turn=self.wire.turn, now=self.wire.now)

    def in_hand(self, key: str, *, live_only: bool) -> int:
        """Units; `live_only`: that could be spent now."""
        lease = self._leases.get(key)
        if lease is None or (live_only and lease.until <= self._clock()):
            return 0
        return lease.left
