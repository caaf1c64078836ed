"""Where reported facts are counted: in the window and the period in which they took place, or in the present ones."""

from datetime import UTC, datetime
from typing import NamedTuple

from backend.catalog.definitions import MeterDefinition
from backend.core.errors import InvalidInput, PlatformError
from backend.enforcement.decide import find_meter
from backend.subscription.entitlements import Entitlements
from backend.subscription.periods import day_window
from backend.usage.batch import CounterOf
from backend.usage.errors import TimestampTooNew, TimestampTooOld
from backend.usage.facts import NEWEST, OLDEST, Fact
from backend.usage.model import LEVEL, Scope, Window


class Place(NamedTuple):
    """Where facts of an account and a meter are counted that took place from `begins` to before `ends`."""

    terms: Entitlements
    scope: Scope
    window: Window
    key: CounterOf
    begins: datetime
    ends: datetime


class Places:
    """The places of one request, whose terms are read once: facts of one account and meter mostly share one."""

    def __init__(self) -> None:
        self._last: dict[tuple[str | None, str], tuple[MeterDefinition, Place]] = {}
        self.ahead: dict[str | None, Entitlements] = {}
        """Of accounts by their names: what holds in their next periods."""

    def of(self, fact: Fact, terms: Entitlements | PlatformError, now: datetime) -> tuple[Place | None, datetime]:
        """The place of a fact, or None for one of the next period; and its moment. Raises what stands against it."""
        if isinstance(terms, PlatformError):
            raise terms
        its_now = now + terms.account.clock_offset
        last = self._last.get((fact.account, fact.meter))
        meter = last[0] if last else find_meter(terms, fact.meter)
        ensure_fits(fact, meter)
        occurred_at = _moment(fact, its_now)
        if last and last[1].begins <= occurred_at < last[1].ends:
            return last[1], occurred_at
        if terms.period.end is not None and occurred_at >= terms.period.end:
            ahead = self.ahead.get(fact.account)
            return (None if ahead is None else self.make(fact, ahead, occurred_at, now)), occurred_at
        return self.make(fact, terms, occurred_at, now), occurred_at

    def make(self, fact: Fact, terms: Entitlements, occurred_at: datetime, now: datetime) -> Place:
        """By these terms."""
        meter, scope = find_meter(terms, fact.meter), terms.scope
        window = window_at(terms, meter, occurred_at, now + terms.account.clock_offset)
        # Of an earlier period all belong to the present window; of this one, those within both.
        begins, ends = scope.period_start, scope.period_end
        if occurred_at < begins:
            begins, ends = datetime.min.replace(tzinfo=UTC), begins
        elif window.end is not None:
            begins, ends = max(begins, window.start), min(ends, window.end)
        key = (terms.account.id, meter.key, window.start)
        place = Place(terms, scope, window, key, begins, ends)
        self._last[fact.account, fact.meter] = meter, place
        return place


def window_at(entitlements: Entitlements, meter: MeterDefinition, occurred_at: datetime, now: datetime) -> Window:
    """The window of a fact: its own within the open period; of an earlier period, the present one."""
    if meter.kind == "gauge":
        return LEVEL
    if entitlements.quota(meter.key).window != "day":
        return entitlements.period
    moment = occurred_at if occurred_at >= entitlements.period.start else now
    return day_window(moment, entitlements.zone)


def ensure_fits(fact: Fact, meter: MeterDefinition) -> None:
    """Raises InvalidInput for an amount that means nothing for the meter."""
    if meter.kind == "counter" and fact.operation == "set":
        raise InvalidInput(f"operation: {meter.key} counts, and only a level can be set.")
    if fact.operation == "set" and fact.amount < 0:
        raise InvalidInput("amount: a level is 0 or more.")
    if meter.kind == "counter" and fact.amount < 1:
        raise InvalidInput(f"amount: {meter.key} counts from 1; to take something back, retract its event.")
    if fact.operation == "add" and fact.amount == 0:
        raise InvalidInput("amount: 0 changes nothing.")


def _moment(fact: Fact, now: datetime) -> datetime:
    """When it took place, by the account's clock. Raises TimestampTooOld, TimestampTooNew."""
    if fact.timestamp is None:
        return now
    if fact.timestamp < now - OLDEST:
        raise TimestampTooOld(f"timestamp: {OLDEST.days} days ago at most.")
    if fact.timestamp > now + NEWEST:
        raise TimestampTooNew("timestamp: 5 minutes ahead at most.")
    return fact.timestamp
