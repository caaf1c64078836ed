"""A log of reported usage, and what it must come to, worked out in plain Python: no calendar and no rule of ours.

The clock stands at NOW: the log is replayed into an empty database, as a host does that has lost ours. What is claimed
of it: the order does not matter of what is added. A level that is set, or would fall below nothing, depends on what
came before, so such events of one account keep their order; so does a retry with another time, which comes after the
event whose time counts.
"""

import calendar
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.tests.moments import NOW

LANES = 4  # what one lane posts keeps its order
_OLDEST = timedelta(days=35)
_TICK = timedelta(microseconds=1)
_QUARTER = 15 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHARES = (("api_calls", 0.4), ("jobs", 0.25), ("compute", 0.2), ("storage", 0.15))


@dataclass(frozen=True)
class Profile:
    """An account: its plan, the wall time in its zone from which its months run, and what its level goes through."""

    plan: str
    zone: str
    begins: str
    level: str  # "adds": any order; "sets": in order; "none"

    @property
    def anchor(self) -> datetime:
        return datetime.fromisoformat(self.begins).replace(tzinfo=ZoneInfo(self.zone))


# Months of 28 days, clocks that were put forward two days before NOW, quarters of an hour that are none of UTC's,
# and a period that ends three minutes after NOW.
PROFILES = (
    Profile("pro", "UTC", "2026-01-31T00:00", "adds"),
    Profile("free", "America/New_York", "2025-12-15T09:30", "adds"),
    Profile("enterprise", "Asia/Kathmandu", "2026-03-01T00:00", "sets"),
    Profile("free", "Australia/Lord_Howe", "2026-02-10T23:59:59.999999", "sets"),
    Profile("pro", "Europe/Berlin", "2025-11-10T13:03", "none"),
    Profile("pro", "Pacific/Kiritimati", "2026-02-20T00:00:01", "sets"),
    Profile("enterprise", "America/St_Johns", "2025-10-31T23:30", "adds"),
)


@dataclass(frozen=True)
class Period:
    """Months from an anchor by the clocks of a zone."""

    zone: ZoneInfo
    start: datetime
    end: datetime

    @classmethod
    def at(cls, profile: Profile, moment: datetime) -> "Period":
        zone = ZoneInfo(profile.zone)
        starts = [_months_after(profile.anchor, number).astimezone(UTC) for number in range(12)]
        number = max(number for number, start in enumerate(starts) if start <= moment)
        return cls(zone, starts[number], starts[number + 1])


def _months_after(anchor: datetime, months: int) -> datetime:
    month = anchor.month - 1 + months
    year, month = anchor.year + month // 12, month % 12 + 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class Entry:
    """A line of the log: the event as it is posted, without its account."""

    account: int
    id: str
    meter: str
    amount: int
    at: datetime
    operation: str = "add"
    is_ordered: bool = False
    is_deposit: bool = False

    def posted(self, account_ids: list[str], at: datetime | None = None) -> dict[str, Any]:
        body = {
            "id": self.id,
            "meter": self.meter,
            "amount": self.amount,
            "account_id": account_ids[self.account],
            "timestamp": (at or self.at).isoformat(),
        }
        return body if self.operation == "add" else {**body, "operation": self.operation}


def make_log(number: int, source: random.Random) -> list[Entry]:
    """In the order in which they took place; one in twenty up to 35 days ago, also before the period's start."""
    log = [Entry(one, f"deposit {one}", "storage", 10**12, NOW - _OLDEST, is_deposit=True) for one in _with("adds")]
    edges = [_edges(profile) for profile in PROFILES]
    while len(log) < number:
        account = source.randrange(len(PROFILES))
        meter = source.choices([name for name, _ in _SHARES], [share for _, share in _SHARES])[0]
        level = PROFILES[account].level
        if meter == "storage" and level == "none":
            continue
        log.append(_entry(f"event {len(log)}", account, meter, level, _moment(account, edges[account], source), source))
    return sorted(log, key=lambda entry: entry.at)


def _with(level: str) -> list[int]:
    return [number for number, profile in enumerate(PROFILES) if profile.level == level]


def _entry(id_: str, account: int, meter: str, level: str, at: datetime, source: random.Random) -> Entry:
    if meter != "storage":
        return Entry(account, id_, meter, source.choice([1, 1, 2, 7, 61]), at)
    if level == "sets" and source.random() < 0.3:
        return Entry(account, id_, meter, source.randrange(10**9), at, "set", is_ordered=True)
    amount = source.choice([-1, 1]) * source.randrange(1, 10**7)
    return Entry(account, id_, meter, amount, at, is_ordered=level == "sets")


def _moment(account: int, edges: list[datetime], source: random.Random) -> datetime:
    kind, start = source.random(), Period.at(PROFILES[account], NOW).start
    if kind < 0.05:
        return NOW - source.random() * _OLDEST
    if kind < 0.10:
        return source.choice(edges)
    if kind < 0.12:
        return NOW + source.random() * timedelta(minutes=4)
    return NOW - source.random() * (NOW - max(start, NOW - _OLDEST))


def _edges(profile: Profile) -> list[datetime]:
    """Beginnings of the period, of days, of a month and of quarters of an hour, and a microsecond to either side."""
    zone = ZoneInfo(profile.zone)
    today = NOW.astimezone(zone).date()
    moments = [
        Period.at(profile, NOW).start,
        Period.at(profile, NOW).end,
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=zone),
        datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York's clocks
        NOW - timedelta(minutes=15),
        *(datetime.combine(today - timedelta(days=days), time(), zone) for days in range(12)),
    ]
    near = [moment + tick for moment in moments for tick in (-_TICK, timedelta(), _TICK)]
    return [moment for moment in near if NOW - _OLDEST <= moment <= NOW + timedelta(minutes=4)]


def shuffled(log: list[Entry], source: random.Random) -> list[list[tuple[Entry, datetime]]]:
    """What each lane posts after the deposits, with one in twenty twice: the same again anywhere, or with another time
    after the first."""
    keyed: list[list[tuple[float, Entry, datetime]]] = [[] for _ in range(LANES)]
    ordered = iter(sorted(source.random() for entry in log if entry.is_ordered))
    for entry in log:
        if entry.is_deposit:
            continue
        key, lane = (next(ordered), 0) if entry.is_ordered else (source.random(), source.randrange(LANES))
        keyed[lane].append((key, entry, entry.at))
        chance = source.random()
        if chance < 0.025 and not entry.is_ordered:
            keyed[source.randrange(LANES)].append((source.random(), entry, entry.at))
        elif chance < 0.05:
            keyed[lane].append((key + source.random() * (1 - key), entry, NOW - source.random() * _OLDEST))
    return [[(entry, at) for _, entry, at in sorted(lane, key=lambda each: each[0])] for lane in keyed]


@dataclass
class Model:
    """What the log comes to. Keys are numbers of accounts, never ids."""

    counters: dict[tuple[int, str, datetime], int] = field(default_factory=lambda: defaultdict(int))
    buckets: dict[tuple[int, str, datetime], int] = field(default_factory=lambda: defaultdict(int))
    records: dict[tuple[int, datetime], dict[str, int]] = field(default_factory=dict)
    events: dict[tuple[int, str], tuple[str, int, datetime, datetime]] = field(default_factory=dict)

    def read(self, log: list[Entry]) -> None:
        opens = [Period.at(profile, NOW) for profile in PROFILES]
        nexts = [Period.at(profile, period.end) for profile, period in zip(PROFILES, opens, strict=True)]
        for entry in log:
            period = nexts[entry.account] if entry.at >= opens[entry.account].end else opens[entry.account]
            self._count(entry, period)

    def _count(self, entry: Entry, period: Period) -> None:
        window = _EPOCH if entry.meter == "storage" else period.start
        if entry.meter == "api_calls":
            moment = entry.at if entry.at >= period.start else NOW
            day = moment.astimezone(period.zone).date()
            window = datetime.combine(day, time(), period.zone).astimezone(UTC)
        counter = (entry.account, entry.meter, window)
        before = self.counters[counter]
        after = entry.amount if entry.operation == "set" else max(before + entry.amount, 0)
        self.counters[counter] = after
        quarter = datetime.fromtimestamp(entry.at.timestamp() // _QUARTER * _QUARTER, UTC)
        self.buckets[entry.account, entry.meter, quarter] += after - before
        self.events[entry.account, entry.id] = (entry.meter, after - before, entry.at, window)
        record = self.records.setdefault((entry.account, period.start), defaultdict(int))
        record[entry.meter] += after - before

    def rows(self) -> Iterator[tuple[int, datetime, int, int, int, int]]:
        """The records of periods: calls, jobs, megabytes and minutes, rounded up."""
        for (account, start), sums in self.records.items():
            megabytes, minutes = -(-sums["storage"] // 10**6), -(-sums["compute"] // 60)
            yield account, start, sums["api_calls"], sums["jobs"], megabytes, minutes
