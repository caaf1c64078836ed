"""Taking a reported event back, or saying what it really was: the difference is appended, the quota follows at once."""

from dataclasses import dataclass, replace

from backend.auth.errors import AccountUnknown
from backend.catalog.definitions import MeterDefinition
from backend.core.errors import InvalidInput
from backend.db.session import ReadSession
from backend.enforcement.decide import find_meter
from backend.enforcement.engine import Caller, Engine
from backend.subscription.entitlements import Entitlements, resolve
from backend.subscription.periods import day_window
from backend.usage.corrections import Reported, find_event
from backend.usage.errors import AmountUnknown, EventUnknown
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

    Counted in the window of the event as long as its period is open, in the present one after that; what could not be
    taken back there is what comes back first, uncounted again. As reports are, it is accepted whatever the status of
    the account. Raises EventUnknown, AmountUnknown, InvalidInput, MeterUnknown, AccountUnknown.
    """
    account_id = caller.account_id
    async with engine.transaction(account_id) as session:
        event = await find_event(session, account_id=account_id, external_id=event_id)
        if event is None:
            raise EventUnknown("No event with this id was reported for this account in the last 400 days.")
        entitlements = await _entitlements(engine, session, caller, event)
        meter = find_meter(entitlements, event.meter)
        _ensure_means_something(amount, event, meter)
        window = _window(entitlements, event, meter)
        counters = await lock_counters(session, account_id=account_id, wanted=[(event.meter, window)])
        used = counters[(event.meter, window.start)].used
        difference = amount - event.amount
        counted = _counted(difference, uncounted=event.uncounted, used=used)
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


async def _entitlements(engine: Engine, session: ReadSession, caller: Caller, event: Reported) -> Entitlements:
    """Those of now; for an event that was counted ahead, in the next period, those of then. Raises AccountUnknown."""
    found = await resolve(session, account_id=caller.account_id, catalogs=engine.catalogs, now=caller.now)
    if found is not None and found.period.end is not None and event.occurred_at >= found.period.end:
        then = event.occurred_at - found.account.clock_offset
        found = await resolve(session, account_id=caller.account_id, catalogs=engine.catalogs, now=then)
    if found is None:
        raise AccountUnknown("No account of yours has this id.")
    return found


def _ensure_means_something(amount: int, event: Reported, meter: MeterDefinition) -> None:
    """Raises InvalidInput, AmountUnknown. 0 takes back what the event changed, whatever it was."""
    if meter.kind == "counter" and amount < 0:
        raise InvalidInput(f"amount: {meter.key} counts, so an event of it was 0 or more; 0 takes it back.")
    if meter.kind == "gauge" and amount != 0 and not event.is_amount_said:
        raise AmountUnknown(
            "This event set the level, or was cut off at nothing, so only what it changed is known. Report a new level"
            ' ("operation": "set"), or retract the event, which takes that change back.'
        )


def _counted(difference: int, *, uncounted: int, used: int) -> int:
    """How much of a difference the counter moves by. What an earlier one did not count is settled first, uncounted;
    the counter never falls below nothing."""
    if difference > 0:
        return difference - min(difference, max(0, -uncounted))
    return max(difference, -used)


def _window(entitlements: Entitlements, event: Reported, meter: MeterDefinition) -> Window:
    """The window that the event was counted in while it was counted in the open period, else the present one.

    A day in which a period begins is of two: there it depends on when the event took place, or was reported late.
    """
    if meter.kind == "gauge":
        return LEVEL
    begins = entitlements.period.start
    own = Window(event.window_start, None)  # it is there, so its end is not asked for
    if own.start >= begins:
        return own
    if entitlements.quota(meter.key).window == "day":
        ends = day_window(own.start, entitlements.zone).end
        counted_at = max(event.occurred_at, event.recorded_at + entitlements.account.clock_offset)
        if ends is not None and ends > begins and counted_at >= begins:
            return own
    return entitlements.window(meter)


def _name(caller: Caller) -> str | None:
    return str(caller.by.key_id) if caller.by.key_id else caller.by.subject
