"""Reservations: an amount set aside for a long job, settled by what it really took."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from feature_platform.core.decision import Decision, remaining_of

from backend.core.errors import InvalidInput
from backend.core.ids import uuid7
from backend.db.session import AccountSession
from backend.enforcement.decide import ask, find_meter, granted, judge
from backend.enforcement.engine import Caller, Engine, Outcome, Stale
from backend.subscription.entitlements import Entitlements
from backend.usage.errors import ReservationSettled, ReservationUnknown
from backend.usage.holds import Hold, extend_hold, get_hold, lock_hold, open_hold, settle_hold
from backend.usage.model import MAX_AMOUNT, Cost, Counter, Scope
from backend.usage.repository import spend, uncounted_event

MAX_TTL_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Reserved:
    """An open reservation and the decision that granted it."""

    reservation_id: UUID
    expires_at: datetime
    decision: Decision


@dataclass(frozen=True, slots=True)
class Settled:
    """How a reservation ended. `uncounted` was used beyond what there was room for: shown, never billed."""

    reservation_id: UUID
    state: str
    counted: int
    uncounted: int
    decision: Decision


async def reserve(
    engine: Engine,
    session: AccountSession,
    caller: Caller,
    known: Entitlements | None,
    *,
    meter: str,
    amount: int,
    ttl: int,
) -> Reserved | Outcome:
    """Sets `amount` aside for `ttl` seconds; a reservation of jobs is also one job in flight. All or nothing.

    Runs in the caller's transaction, within `Engine.persist`. Raises Stale, HoldsAreDue, MeterUnknown, InvalidInput.
    """
    if not 1 <= ttl <= MAX_TTL_SECONDS:
        raise InvalidInput(f"ttl is {ttl}; choose from 1 to {MAX_TTL_SECONDS} seconds, and extend what takes longer.")
    entitlements = known or await engine.entitlements(session, caller)
    wish = ask(entitlements, meter=meter, amount=amount, takes_slot=True)
    counters = await engine.lock(session, entitlements, wish)
    found = judge(wish, counters)
    if found is not None:
        return await engine.refuse(session, entitlements, wish, found)
    reservation_id = uuid7()
    expires_at = await open_hold(
        session,
        hold_id=reservation_id,
        scope=entitlements.scope,
        version=entitlements.account.version,
        meter=meter,
        window=wish.cost.window,
        amount=amount,
        takes_slot=len(wish.costs) > 1,
        ttl_seconds=ttl,
        by=caller.by,
        user_id=caller.user_id,
    )
    if expires_at is None:
        raise Stale
    counter = counters[(meter, wish.cost.window.start)]
    return Reserved(reservation_id, expires_at, granted(entitlements, wish.cost, counter, used=0, held=amount))


async def commit(engine: Engine, caller: Caller, *, reservation_id: UUID, amount: int | None) -> Settled:
    """Counts what the job really took: None is all that was set aside, 0 is nothing.

    In time, the amount set aside always counts, and more as far as the limit has room. After the reservation has
    expired, what still fits its own window counts. The excess is stored uncounted. Repeating the same commit gives
    the same answer. Raises ReservationUnknown, ReservationSettled, InvalidInput.
    """
    if amount is not None and not 0 <= amount <= MAX_AMOUNT:
        raise InvalidInput(f"amount is {amount}; commit from 0 to {MAX_AMOUNT}.")

    async def attempt(known: Entitlements | None) -> Settled:
        async with engine.transaction(caller.account_id) as session:
            entitlements = known or await engine.entitlements(session, caller)
            hold, counter = await _locked(session, caller, reservation_id)
            actual = hold.amount if amount is None else amount
            if hold.counted_amount is not None and hold.uncounted_amount is not None:
                _ensure_same(hold, actual)
                return _settled(entitlements, hold, counter, hold.counted_amount, hold.uncounted_amount)
            if hold.state == "released":
                raise ReservationSettled("This reservation was released; reserve again.", state=hold.state)
            return await _count(session, caller, entitlements, hold, counter, actual)

    return await engine.persist(caller, attempt)


async def release(engine: Engine, caller: Caller, *, reservation_id: UUID) -> Settled:
    """Gives back all that was set aside. One that has expired has come back already; repeating changes nothing.

    Raises ReservationUnknown, ReservationSettled.
    """

    async def attempt(known: Entitlements | None) -> Settled:
        async with engine.transaction(caller.account_id) as session:
            entitlements = known or await engine.entitlements(session, caller)
            hold, counter = await _locked(session, caller, reservation_id)
            if hold.counted_amount is not None:
                raise ReservationSettled("This reservation was committed; what it took is counted.", state=hold.state)
            if hold.state != "open":
                return _settled(entitlements, hold, counter, 0, 0)
            await settle_hold(session, hold=hold, state="released", counted=None, uncounted=None)
            held = counter.held - hold.amount
            after = Counter(counter.meter, counter.window, counter.used, held, counter.forfeited)
            return _settled(entitlements, hold, after, 0, 0, state="released")

    return await engine.persist(caller, attempt)


async def extend(engine: Engine, caller: Caller, *, reservation_id: UUID, ttl: int) -> datetime:
    """Moves the end of an open reservation to `ttl` seconds from now; returns it.

    Raises ReservationUnknown, and ReservationSettled for one that is settled or expired.
    """
    if not 1 <= ttl <= MAX_TTL_SECONDS:
        raise InvalidInput(f"ttl is {ttl}; choose from 1 to {MAX_TTL_SECONDS} seconds.")
    async with engine.transaction(caller.account_id) as session:
        hold = await _known(session, caller, reservation_id)
        expires_at = await extend_hold(session, account_id=caller.account_id, hold_id=reservation_id, ttl_seconds=ttl)
        if expires_at is None:
            state = "expired" if hold.state == "open" else hold.state
            raise ReservationSettled(f"This reservation is {state}; reserve again.", state=state)
        return expires_at


async def _count(
    session: AccountSession,
    caller: Caller,
    entitlements: Entitlements,
    hold: Hold,
    counter: Counter,
    actual: int,
) -> Settled:
    limit = entitlements.quota(hold.meter).limit
    free = actual if limit is None else max(0, limit - counter.taken)
    counted = min(actual, hold.amount + free if hold.state == "open" else free)
    state = "committed" if hold.state == "open" else hold.state
    await settle_hold(session, hold=hold, state=state, counted=counted, uncounted=actual - counted)
    if counted:
        await _write(session, caller, entitlements, hold, counted)
    if actual > counted:
        await uncounted_event(
            session,
            account_id=caller.account_id,
            meter=hold.meter,
            window=hold.window,
            source="reservation",
            amount=actual - counted,
            by=caller.by,
            corrects=None,
            occurred_at=entitlements.now,
            now=caller.now,
        )
    held = counter.held - hold.amount if hold.state == "open" else counter.held
    after = Counter(counter.meter, counter.window, counter.used + counted, held, counter.forfeited)
    return _settled(entitlements, hold, after, counted, actual - counted, state=state)


async def _write(session: AccountSession, caller: Caller, entitlements: Entitlements, hold: Hold, counted: int) -> None:
    is_current = await spend(
        session,
        scope=Scope(hold.account_id, entitlements.account.owner_user_id, hold.period_start, hold.period_end),
        version=entitlements.account.version,
        costs=[Cost(hold.meter, hold.window, counted, None)],
        source="reservation",
        by=caller.by,
        occurred_at=entitlements.now,
        now=caller.now,
    )
    if not is_current:
        raise Stale


async def _known(session: AccountSession, caller: Caller, reservation_id: UUID) -> Hold:
    hold = await get_hold(session, account_id=caller.account_id, hold_id=reservation_id)
    if hold is None:
        raise ReservationUnknown("No reservation of yours has this id.")
    return hold


async def _locked(session: AccountSession, caller: Caller, reservation_id: UUID) -> tuple[Hold, Counter]:
    return await lock_hold(session, hold=await _known(session, caller, reservation_id))


def _ensure_same(hold: Hold, actual: int) -> None:
    first = (hold.counted_amount or 0) + (hold.uncounted_amount or 0)
    if first != actual:
        raise ReservationSettled(f"This reservation was committed with {first}, not {actual}.", state=hold.state)


def _settled(
    entitlements: Entitlements, hold: Hold, counter: Counter, counted: int, uncounted: int, state: str | None = None
) -> Settled:
    meter = find_meter(entitlements, hold.meter)
    limit = entitlements.quota(meter.key).limit
    decision = Decision(
        allowed=True,
        code="allowed",
        meter=hold.meter,
        limit=limit,
        used=counter.used,
        held=counter.held,
        remaining=remaining_of(limit, counter.used, counter.held, counter.forfeited),
        resets_at=hold.window.end,
        plan=entitlements.terms.name,
    )
    return Settled(hold.id, state or hold.state, counted, uncounted, decision)
