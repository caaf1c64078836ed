"""What is asked, and whether it fits. Pure: entitlements and locked counters in, a decision out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_platform.core.decision import Code, Decision, Fix, remaining_of, whole_seconds

from backend.catalog.definitions import MeterDefinition
from backend.catalog.errors import MeterUnknown
from backend.catalog.terms import PlanTerms
from backend.catalog.units import amount_text, units_of
from backend.core.errors import InvalidInput
from backend.core.ids import uuid7
from backend.subscription.entitlements import Entitlements
from backend.usage.model import JOBS, JOBS_IN_FLIGHT, LEVEL, MAX_AMOUNT, Cost, Counter
from backend.usage.repository import CounterKey


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: what it costs, in the order in which the limits are judged; the meter's own cost comes last."""

    meter: MeterDefinition
    costs: tuple[Cost, ...]

    @property
    def cost(self) -> Cost:
        return self.costs[-1]

    @property
    def amount(self) -> int:
        return self.cost.amount


@dataclass(frozen=True, slots=True)
class Refused:
    """The first limit that did not hold, and the counter that it was judged by."""

    code: Code
    cost: Cost
    counter: Counter


def ask(entitlements: Entitlements, *, meter: str, amount: int, takes_slot: bool = False) -> Ask:
    """What `amount` of a meter costs this account now. `takes_slot`: it is a job in flight until it is settled.

    Counters take amounts from 1, levels any but 0. Raises MeterUnknown, InvalidInput.
    """
    definition = find_meter(entitlements, meter)
    lowest = -MAX_AMOUNT if definition.kind == "gauge" and not takes_slot else 1
    if amount == 0 or not lowest <= amount <= MAX_AMOUNT:
        raise InvalidInput(f"amount is {amount}; {meter} takes whole {definition.unit}s from 1 to {MAX_AMOUNT}.")
    own = Cost(meter, entitlements.window(definition), amount, entitlements.quota(meter).limit)
    if takes_slot and meter == JOBS:
        return Ask(definition, (Cost(JOBS_IN_FLIGHT, LEVEL, 1, entitlements.terms.max_jobs_in_flight), own))
    return Ask(definition, (own,))


def find_meter(entitlements: Entitlements, meter: str) -> MeterDefinition:
    """The meter of this name. Raises MeterUnknown."""
    for definition in entitlements.catalog.meters:
        if definition.key == meter:
            return definition
    known = ", ".join(definition.key for definition in entitlements.catalog.meters)
    raise MeterUnknown(f"No meter is called {meter[:80]!r}. There are: {known}.", known=known.split(", "))


def judge(wish: Ask, counters: Mapping[CounterKey, Counter]) -> Refused | None:
    """All limits or none: the first that does not hold, or None when everything fits. An absent counter is zero."""
    for cost in wish.costs:
        counter = counters.get((cost.meter, cost.window.start)) or Counter(cost.meter, cost.window)
        if not cost.fits(counter):
            code: Code = "concurrency_limited" if cost.meter == JOBS_IN_FLIGHT else "quota_exceeded"
            return Refused(code, cost, counter)
    return None


def granted(entitlements: Entitlements, cost: Cost, counter: Counter, *, used: int, held: int) -> Decision:
    """The answer to a spend: the counter as it is after `used` and `held` were added to it."""
    after_used, after_held = counter.used + used, counter.held + held
    return Decision(
        allowed=True,
        code="allowed",
        meter=cost.meter,
        limit=cost.limit,
        used=after_used,
        held=after_held,
        remaining=remaining_of(cost.limit, after_used, after_held, counter.forfeited),
        resets_at=cost.window.end,
        plan=entitlements.terms.name,
    )


def refused(
    entitlements: Entitlements, wish: Ask, found: Refused, *, upgrade_url: str, slot_in: int | None = None
) -> Decision:
    """The answer to what does not fit. `slot_in`: seconds until the first job in flight ends by itself."""
    cost, counter = found.cost, found.counter
    retry_after = slot_in if found.code == "concurrency_limited" else _seconds_to_wait(entitlements, found)
    return Decision(
        allowed=False,
        code=found.code,
        meter=cost.meter,
        limit=cost.limit,
        used=counter.used,
        held=counter.held,
        remaining=remaining_of(cost.limit, counter.used, counter.held, counter.forfeited),
        resets_at=cost.window.end,
        retry_after=retry_after,
        plan=entitlements.terms.name,
        decision_id=str(uuid7()),
        fixes=tuple(_fixes(entitlements, wish, found, upgrade_url=upgrade_url)),
    )


def words(entitlements: Entitlements, wish: Ask, decision: Decision) -> str:
    """A refusal in a sentence: what was used, what was asked, when it goes on."""
    plan = entitlements.terms.display_name
    if decision.code == "concurrency_limited":
        return f"{decision.used} of {decision.limit} jobs are in flight, as many as {plan} allows at once."
    meter = wish.meter
    parts = [f"{meter.name}: {_shown(meter, decision.used)} of {_shown(meter, decision.limit)} are used on {plan}"]
    if entitlements.in_force(meter.key):
        parts.append(", with what was changed for this account")
    if decision.held:
        parts.append(f", {_shown(meter, decision.held)} are set aside by open reservations")
    parts.append(f"; there is no room for {_shown(meter, wish.amount)} more.")
    if decision.retry_after is not None:
        at, what = entitlements.now + timedelta(seconds=decision.retry_after), "There is more room from"
        if decision.resets_at is not None and decision.resets_at <= at:
            at, what = decision.resets_at, "The count starts again on"
        parts.append(f" {what} {at.astimezone(entitlements.zone):%Y-%m-%d at %H:%M} ({entitlements.zone.key}).")
    return "".join(parts)


def _shown(meter: MeterDefinition, amount: int | None) -> str:
    """With its unit where there are several; things that are counted one by one speak for themselves."""
    if len(units_of(meter.unit)) == 1 and amount is not None:
        return f"{amount:,}"
    return amount_text(amount, meter.unit, meter.display_unit)


def _seconds_to_wait(entitlements: Entitlements, found: Refused) -> int | None:
    """Whole seconds, rounded up; None where waiting does not help."""
    at = _fits_at(entitlements, found)
    return None if at is None else whole_seconds((at - entitlements.now) // timedelta(microseconds=1))


def _fits_at(entitlements: Entitlements, found: Refused) -> datetime | None:
    """When this will fit if nothing else is spent: the window ends, or an override begins or does."""
    cost, end = found.cost, found.cost.window.end
    moments = dict(entitlements.limits_ahead(cost.meter))
    if end is not None:
        moments[end] = entitlements.limit_at(cost.meter, end)
    for at in sorted(moments):
        limit, taken = moments[at], 0 if end is not None and at >= end else found.counter.taken
        if limit is None or taken + cost.amount <= limit:
            return at
    return None


def _fixes(entitlements: Entitlements, wish: Ask, found: Refused, *, upgrade_url: str) -> list[Fix]:
    cost, counter = found.cost, found.counter
    fixes = []
    if counter.held and cost.limit is not None and counter.used + cost.amount <= cost.limit:
        fixes.append(Fix("release", "Commit or release an open reservation; what it does not use comes back."))
    if found.code == "concurrency_limited":
        fixes.append(Fix("wait", "Wait until one of the jobs in flight is finished."))
    elif (at := _fits_at(entitlements, found)) is not None:
        its_at = at.astimezone(entitlements.zone)
        fixes.append(Fix("wait", f"Wait until {its_at:%Y-%m-%d, %H:%M} ({entitlements.zone.key}).", at=at))
    better = _plan_that_fits(entitlements, wish, found)
    if better is not None:
        fixes.append(Fix("upgrade", f"Move to {better.display_name}.", plan=better.name, url=upgrade_url))
    return fixes or [Fix("contact", "No plan on sale allows this; ask the operator.")]


def _plan_that_fits(entitlements: Entitlements, wish: Ask, found: Refused) -> PlanTerms | None:
    """The next plan under which this request would pass now, with the overrides, which stay. A period begins anew
    with a plan, a day does not."""
    present = entitlements.terms
    for plan in entitlements.catalog.plans:
        if plan.rank <= present.rank:
            continue
        if found.code == "concurrency_limited":
            limit, taken = plan.max_jobs_in_flight, found.counter.taken
        else:
            quota = plan.quotas.get(wish.meter.key)
            limit = entitlements.with_overrides(wish.meter.key, quota.limit if quota else 0)
            taken = 0 if quota and quota.window == "period" else found.counter.taken
        if limit is None or taken + found.cost.amount <= limit:
            return plan
    return None
