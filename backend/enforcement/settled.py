"""What a round of a journal settles, in the words of counting."""

from dataclasses import dataclass, field

from backend.enforcement.journal import Place
from backend.usage.settlement import CounterKey, Spent


@dataclass(slots=True)
class Batch:
    """What one round settles: all spends up to `position` of the journal, and what is given back."""

    position: int
    spends: dict[tuple[Place, int], int] = field(default_factory=dict)
    returns: dict[CounterKey, int] = field(default_factory=dict)

    def add(self, other: "Batch") -> None:
        """What a later round settles, too."""
        self.position = other.position
        for spend, amount in other.spends.items():
            self.spends[spend] = self.spends.get(spend, 0) + amount
        for key, amount in other.returns.items():
            self.returns[key] = self.returns.get(key, 0) + amount

    def settled(self) -> list[Spent]:
        return [spent_of(place, minute, amount) for (place, minute), amount in self.spends.items()]


def spent_of(place: Place, minute: int, amount: int) -> Spent:
    """A sum of records in the words of counting."""
    key = (place.account_id, place.meter, place.window_start)
    return Spent(key, place.period_start, place.key_id, minute, amount)
