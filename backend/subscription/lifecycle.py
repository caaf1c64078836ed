"""The states of a subscription and what time does to them. Pure: rows and `now` in, what is true at `now` out.

Every reader asks `at`, so that a sweep that has not run for 40 days changes nothing that anyone sees; the sweep asks
`transitions` and writes the same steps down, one after the other. Only what is live changes by itself: a subscription
that is incomplete or paused waits for somebody, and one that is cancelled or expired is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from backend.subscription.periods import Interval, period_containing

_MICROSECOND = timedelta(microseconds=1)


class Status(StrEnum):
    """What `user_subscriptions.status` may hold."""

    TRIAL = "trial"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INCOMPLETE = "incomplete"
    PAUSED = "paused"


# At most one subscription of an account is in one of these.
LIVE = frozenset({Status.TRIAL, Status.ACTIVE, Status.PAST_DUE})

# In any other status the account has the default plan.
GRANTS_PLAN = LIVE

_OVER = frozenset({Status.CANCELLED, Status.EXPIRED})

# What may follow what. A subscription that is over stays so: whoever comes back gets a new one.
ALLOWED: Mapping[Status, frozenset[Status]] = {
    Status.INCOMPLETE: _OVER | {Status.TRIAL, Status.ACTIVE},
    Status.TRIAL: _OVER | {Status.ACTIVE, Status.PAST_DUE, Status.PAUSED},
    Status.ACTIVE: _OVER | {Status.PAST_DUE, Status.PAUSED},
    Status.PAST_DUE: _OVER | {Status.ACTIVE, Status.PAUSED},
    Status.PAUSED: _OVER | {Status.ACTIVE, Status.PAST_DUE},
    Status.CANCELLED: frozenset(),
    Status.EXPIRED: frozenset(),
}


def may_become(present: Status, wanted: Status) -> bool:
    """Whether a subscription may go from one status to another; staying as it is always may."""
    return present == wanted or wanted in ALLOWED[present]


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """What is stored of a subscription, as far as time matters. Moments are aware; None is never.

    The current period starts before it ends. `anchor_at`, `interval` and `zone` give the periods that follow it.
    """

    status: Status
    started_at: datetime
    expires_at: datetime | None
    cancelled_at: datetime | None
    current_period_start: datetime
    current_period_end: datetime
    trial_end: datetime | None
    cancel_at_period_end: bool
    anchor_at: datetime
    interval: Interval
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Step:
    """One change, the moment at which it took place, and the facts from then on."""

    at: datetime
    kind: Literal["renewed", "cancelled", "expired"]
    facts: SubscriptionFacts


def at(facts: SubscriptionFacts, now: datetime) -> SubscriptionFacts:
    """What is true at `now`; never goes back before what is stored.

    A trial whose end has passed is expired; so is anything live whose `expires_at` has passed. With
    `cancel_at_period_end` the end of the period cancels, and wins over an expiry at the same moment. Otherwise the
    current period becomes the one that contains `now`: it starts where the last one ended, and never ends after the
    subscription. Raises CalendarOutOfRange for a period that would end outside the calendar.
    """
    if facts.status not in LIVE:
        return facts
    ends_at = _ends_at(facts)
    period_end = facts.current_period_end
    if facts.cancel_at_period_end and period_end <= now and (ends_at is None or period_end <= ends_at):
        return replace(facts, status=Status.CANCELLED, cancelled_at=period_end)
    if ends_at is not None and ends_at <= now:
        return _expired(facts, ends_at)
    return _renewed(facts, now)


def next_due_at(facts: SubscriptionFacts) -> datetime | None:
    """The earliest moment at which `at` changes anything; None when time changes nothing any more."""
    if facts.status not in LIVE:
        return None
    ends_at = _ends_at(facts)
    return facts.current_period_end if ends_at is None else min(facts.current_period_end, ends_at)


def transitions(facts: SubscriptionFacts, now: datetime) -> list[Step]:
    """Every step up to `now`, in order; the facts of the last one are `at(facts, now)`. One row for each period."""
    steps: list[Step] = []
    due = next_due_at(facts)
    while due is not None and due <= now:
        facts = at(facts, due)
        steps.append(Step(due, _kind(facts.status), facts))
        due = next_due_at(facts)
    return steps


def _kind(status: Status) -> Literal["renewed", "cancelled", "expired"]:
    if status is Status.CANCELLED:
        return "cancelled"
    return "expired" if status is Status.EXPIRED else "renewed"


def _ends_at(facts: SubscriptionFacts) -> datetime | None:
    """When a live subscription is over whatever happens: its expiry or, in a trial, the trial's end."""
    if facts.status is not Status.TRIAL or facts.trial_end is None:
        return facts.expires_at
    return facts.trial_end if facts.expires_at is None else min(facts.trial_end, facts.expires_at)


def _expired(facts: SubscriptionFacts, ends_at: datetime) -> SubscriptionFacts:
    """Expired at that moment, in the period that was current just before it, which it cuts short."""
    last = _renewed(facts, ends_at - _MICROSECOND)
    # Stored rows may say that it ended before its period began; a period is not turned around for that.
    period_end = min(last.current_period_end, ends_at) if ends_at > last.current_period_start else None
    return replace(
        last, status=Status.EXPIRED, current_period_end=last.current_period_end if period_end is None else period_end
    )


def _renewed(facts: SubscriptionFacts, now: datetime) -> SubscriptionFacts:
    if now < facts.current_period_end:
        return facts
    period = period_containing(facts.anchor_at, now, facts.interval, facts.zone)
    ends_at = _ends_at(facts)
    return replace(
        facts,
        current_period_start=max(period.start, facts.current_period_end),
        current_period_end=period.end if ends_at is None else min(period.end, ends_at),
    )
