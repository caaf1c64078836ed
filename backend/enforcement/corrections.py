"""Taking a reported event back, or saying what it really was: the difference is appended, the quota follows at once."""

from dataclasses import dataclass, replace

from backend.core.errors import InvalidInput
from backend.enforcement.decide import find_meter
from backend.enforcement.engine import Caller, Engine
from backend.subscription.entitlements import Entitlements
from backend.usage.corrections import Reported, find_event
from backend.usage.errors import EventUnknown
from backend.usage.model import LEVEL, MAX_COUNTER, Cost, Window
from backend.usage.repository import lock_counters, spend, uncounted_event


@dataclass(frozen=True, slots=True)
class Corrected:
    """An event before and after. `counted` is what the counter moved by: it never falls below nothing."""

    meter: str
    amount_before: int
    amount: int
    counted: int


async def correct(engine: Engine, caller: Caller, *, event_id: str, amount: int, reason: str) -> Corrected:
    """The event of this id was `amount` and not what was said; 0 takes it back. Repeating it changes nothing.

    Counted in the window of the event as long as its period is open, in the present one after that. Raises
    EventUnknown, InvalidInput.
    """
    account_id = caller.account_id
    async with engine.transaction(account_id) as session:
        event = await find_event(session, account_id=account_id, external_id=event_id)
        if event is None:
            raise EventUnknown("No event with this id was reported for this account in the last 400 days.")
        entitlements = await engine.entitlements(session, replace(caller, entitlements=None))
        window = _window(entitlements, event)
        counters = await lock_counters(session, account_id=account_id, wanted=[(event.meter, window)])
        used = counters[(event.meter, window.start)].used
        difference = amount - event.amount
        counted = max(difference, -used)
        if used + counted > MAX_COUNTER:
            raise InvalidInput("amount: the counter would leave its range.")
        by = replace(caller.by, key_id=event.key_id, properties={"reason": reason, "by": _name(caller)})
        if counted:
            await spend(
                session,
                scope=entitlements.scope,
                version=None,
                costs=[Cost(event.meter, window, counted, None)],
                source="retraction",
                by=by,
                occurred_at=event.occurred_at,
                now=caller.now,
                corrects=event.id,
            )
        if difference != counted:
            await uncounted_event(
                session,
                account_id=account_id,
                meter=event.meter,
                window=window,
                amount=difference - counted,
                source="retraction",
                by=by,
                corrects=event.id,
                occurred_at=event.occurred_at,
                now=caller.now,
            )
    return Corrected(event.meter, event.amount, amount, counted)


def _window(entitlements: Entitlements, event: Reported) -> Window:
    """The event's own window while its period is open, else the present one."""
    meter = find_meter(entitlements, event.meter)
    if meter.kind == "gauge":
        return LEVEL
    if event.window_start >= entitlements.period.start:
        return Window(event.window_start, None)  # it is there, so its end is not asked for
    return entitlements.window(meter)


def _name(caller: Caller) -> str | None:
    return str(caller.by.key_id) if caller.by.key_id else caller.by.subject
