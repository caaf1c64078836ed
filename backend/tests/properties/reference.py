"""The rules of plans, windows and quotas in plain Python, for one account in UTC. Imports nothing of the product."""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MINUTE, MEGABYTE = 60, 10**6

# Limits in base units; None is unlimited.
PLANS: dict[str, dict[str, int | None]] = {
    "free": {"api_calls": 100, "jobs": 10, "storage": 100 * MEGABYTE, "compute": 60 * MINUTE, "in_flight": 1},
    "pro": {"api_calls": 10_000, "jobs": 500, "storage": 10_000 * MEGABYTE, "compute": 6_000 * MINUTE, "in_flight": 5},
    "enterprise": {"api_calls": None, "jobs": None, "storage": None, "compute": None, "in_flight": 50},
}


def months_after(anchor: datetime, months: int) -> datetime:
    """The anchor's day so many months later, or the last of that month."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, monthrange(year, month + 1)[1]))


def month_of(anchor: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The month from the anchor that contains `now`."""
    number = 0
    while months_after(anchor, number + 1) <= now:
        number += 1
    return months_after(anchor, number), months_after(anchor, number + 1)


@dataclass
class Subscription:
    """From `started_at` until just before `expires_at`."""

    plan: str
    started_at: datetime
    expires_at: datetime


@dataclass
class Hold:
    """What is set aside."""

    meter: str
    window: datetime
    amount: int


@dataclass
class Reference:
    """One account. Counters are kept by meter and start of window."""

    born_at: datetime
    now: datetime
    subscription: Subscription | None = None
    used: dict[tuple[str, datetime], int] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def plan(self) -> str:
        if self.subscription is None or self.subscription.expires_at <= self.now:
            return "free"
        return self.subscription.plan

    def assign(self, plan: str, days: int) -> None:
        expires_at = self.now + timedelta(days=days)
        if plan == "free":
            self.subscription = None
        elif self.plan == plan and self.subscription is not None:
            self.subscription.expires_at = expires_at
        else:
            self.subscription = Subscription(plan, self.now, expires_at)

    def period_start(self) -> datetime:
        anchor = self.subscription.started_at if self.plan != "free" and self.subscription else self.born_at
        return month_of(anchor, self.now)[0]

    def window(self, meter: str) -> datetime:
        if meter == "storage":
            return datetime(1970, 1, 1, tzinfo=self.now.tzinfo)
        if meter == "api_calls":
            return self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return self.period_start()

    def taken(self, meter: str, window: datetime) -> int:
        held = sum(hold.amount for hold in self.holds.values() if (hold.meter, hold.window) == (meter, window))
        return self.used.get((meter, window), 0) + held

    def fits(self, meter: str, amount: int) -> bool:
        limit = PLANS[self.plan][meter]
        return amount <= 0 or limit is None or self.taken(meter, self.window(meter)) + amount <= limit

    def add(self, meter: str, window: datetime, amount: int) -> None:
        self.used[(meter, window)] = max(0, self.used.get((meter, window), 0) + amount)

    def has_slot(self) -> bool:
        limit = PLANS[self.plan]["in_flight"]
        return limit is None or sum(hold.meter == "jobs" for hold in self.holds.values()) < limit

    def room(self, hold: Hold) -> int | None:
        """What is left in a hold's own window; None is unlimited."""
        limit = PLANS[self.plan][hold.meter]
        return None if limit is None else max(0, limit - self.taken(hold.meter, hold.window))
