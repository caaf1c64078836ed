"""What PostgreSQL keeps of allowances, in plain Python: counters, journals, and who holds how much of what.

Written from the words of the rules, not from the statements: it stands in for the database where processes are put
through rounds by the thousand. Every grant is checked against the limit in force.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from backend.core.ids import AccountId
from backend.usage.model import Counter, Window
from backend.usage.rounds import InForce
from backend.usage.settlement import Change, CounterKey, Fence, Opening, Spent

SECOND = 1_000_000_000
LEASE = 10 * SECOND

Fate = Literal["done", "lost at begin", "lost at lock", "lost at write", "not heard of"]


class Lost(ConnectionError):
    """The connection broke."""


@dataclass
class Row:
    """A counter."""

    window: Window
    used: int = 0
    held: int = 0
    forfeited: int = 0

    @property
    def taken(self) -> int:
        return self.used + self.held + self.forfeited


@dataclass
class JournalRow:
    """How far a journal is settled, and until when its process may spend."""

    expires_at: int
    position: int = 0
    round: int = 0
    is_expired: bool = False


@dataclass
class Ledger:
    """`now` is the database's clock, in nanoseconds."""

    now: int = 1_000 * SECOND
    limits: dict[AccountId, int | None] = field(default_factory=dict)
    versions: dict[AccountId, int] = field(default_factory=dict)
    counters: dict[CounterKey, Row] = field(default_factory=dict)
    journals: dict[UUID, JournalRow] = field(default_factory=dict)
    holds: dict[UUID, dict[CounterKey, int]] = field(default_factory=lambda: defaultdict(dict))
    gone: dict[CounterKey, int] = field(default_factory=lambda: defaultdict(int))
    """Forfeited for good: held by what is gone with its machine."""

    def spend(self, key: CounterKey, window: Window, amount: int) -> bool:
        """Where all processes see it."""
        row = self.counters.setdefault(key, Row(window))
        limit = self.limits[key[0]]
        if limit is not None and row.taken + amount > limit:
            return False
        row.used += amount
        return True

    def forfeit_due(self) -> None:
        """Of all who were not heard of in time."""
        for journal_id, journal in self.journals.items():
            if not journal.is_expired and journal.expires_at <= self.now:
                self._forfeit(journal_id)

    def is_lease_over(self, journal_id: UUID) -> bool:
        journal = self.journals.get(journal_id)
        return journal is None or journal.expires_at <= self.now

    def settle_left(self, journal_id: UUID, spends: Sequence[Spent], *, gives_back: bool) -> None:
        """The journal is read to its end, by another than its process; then it is forgotten."""
        if not gives_back and not self.journals[journal_id].is_expired:
            self._forfeit(journal_id)
        is_expired = self.journals[journal_id].is_expired
        held = self.holds[journal_id]
        for spent in spends:
            row = self.counters[spent.key]
            row.used += spent.amount
            self._release(row, spent.amount, is_expired=is_expired)
            held[spent.key] = held.get(spent.key, 0) - spent.amount
        for key, amount in held.items():
            assert amount >= 0, "more was spent than was set aside"
            if gives_back:
                self._release(self.counters[key], amount, is_expired=is_expired)
            else:
                self.gone[key] += amount
        self.forget(journal_id)

    def forget(self, journal_id: UUID) -> None:
        self.holds.pop(journal_id, None)
        self.journals.pop(journal_id, None)

    def write(
        self,
        journal_id: UUID,
        fence: Fence,
        *,
        position: int,
        changes: Sequence[Change],
        spends: Sequence[Spent],
        openings: Sequence[Opening],
    ) -> None:
        """All of a round at once."""
        journal = self.journals.setdefault(journal_id, JournalRow(0))
        assert (journal.position, journal.round) == (fence.position, fence.round), "two have settled the same records"
        for opening in openings:
            self.counters.setdefault(opening.key, Row(opening.window))
        held = self.holds[journal_id]
        said: dict[CounterKey, int] = defaultdict(int)
        for spent in spends:
            said[spent.key] += spent.amount
        assert {key: amount for key, amount in said.items() if amount} == {
            change.key: change.spent for change in changes if change.spent
        }, "events and counters differ"
        for change in changes:
            row = self.counters[change.key]
            row.used += change.spent
            self._release(row, change.spent + change.returned, is_expired=fence.is_expired)
            row.held += change.granted
            held[change.key] = held.get(change.key, 0) + change.granted - change.spent - change.returned
            assert held[change.key] >= 0, "more was given back or spent than was set aside"
            limit = self.limits[change.key[0]]
            assert not change.granted or limit is None or row.taken <= limit, "granted beyond the limit in force"
        if fence.is_expired:
            kept = {change.key: change.granted for change in changes}
            assert all(amount == kept.get(key, 0) for key, amount in held.items()), "something stays forfeited"
        journal.position, journal.round, journal.is_expired = position, fence.round + 1, False
        journal.expires_at = self.now + LEASE

    def _forfeit(self, journal_id: UUID) -> None:
        for key, amount in self.holds[journal_id].items():
            self.counters[key].held -= amount
            self.counters[key].forfeited += amount
        self.journals[journal_id].is_expired = True

    def _release(self, row: Row, amount: int, *, is_expired: bool) -> None:
        if is_expired:
            row.forfeited -= amount
        else:
            row.held -= amount


class LedgerConnection:
    """As `RoundConnection` speaks to PostgreSQL. `before_lock` and `before_write`: what happens in the meantime."""

    def __init__(self, ledger: Ledger, fate: Fate, before_lock: Callable[[], None], before_write: Callable[[], None]):
        self._ledger = ledger
        self._fate = fate
        self._before_lock = before_lock
        self._before_write = before_write
        self._fence = Fence(0, 0, is_expired=False)
        self._openings: Sequence[Opening] = ()

    async def begin(self, journal_id: UUID, *, is_new: bool) -> tuple[Fence | None, int]:
        self._break("lost at begin")
        holders = sum(not journal.is_expired for journal in self._ledger.journals.values())
        journal = self._ledger.journals.get(journal_id)
        if journal is not None:
            self._fence = Fence(journal.position, journal.round, journal.is_expired)
        elif is_new:
            holders += 1
        else:
            return None, holders
        return self._fence, holders

    async def held_by(self, journal_id: UUID) -> dict[CounterKey, int]:
        return {key: amount for key, amount in self._ledger.holds[journal_id].items() if amount > 0}

    async def lock(
        self, keys: Sequence[CounterKey], openings: Sequence[Opening], accounts: Collection[AccountId]
    ) -> tuple[dict[CounterKey, Counter], InForce]:
        self._before_lock()
        self._break("lost at lock")
        self._openings = openings
        rows = {opening.key: Row(opening.window) for opening in openings} | self._ledger.counters
        counters = {
            key: Counter(key[1], row.window, row.used, row.held, row.forfeited)
            for key, row in rows.items()
            if key in set(keys)
        }
        return counters, InForce({account: self._ledger.versions[account] for account in accounts}, None)

    async def write(
        self,
        journal_id: UUID,
        *,
        position: int,
        changes: Sequence[Change],
        spends: Sequence[Spent],
        stored_up_to: int,
        from_forfeited: bool,
        recalls: Sequence[CounterKey],
    ) -> None:
        self._before_write()
        self._break("lost at write")
        assert from_forfeited == self._fence.is_expired
        assert not stored_up_to
        self._ledger.write(
            journal_id, self._fence, position=position, changes=changes, spends=spends, openings=self._openings
        )
        self._break("not heard of")

    def _break(self, fate: Fate) -> None:
        if self._fate == fate:
            raise Lost(fate)
