"""Metered requests: rate and quota in one step, from memory where they are known there.

`quick` is the hot path: no I/O, nothing awaited. What it cannot answer (an unknown or unconfirmed credential, no
allowance left, a refusal) goes the long way: everything is read anew, and the spend is decided where all processes
see it. What the long way has read is remembered for the next request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from feature_platform.core.decision import Decision, remaining_of
from feature_platform.core.gcra import RateLimit, Verdict

from backend.auth.principal import Principal
from backend.enforcement.allowances import BELIEVED, Lot, Pool
from backend.enforcement.decide import Refused, ask, refused
from backend.enforcement.engine import Caller, Engine, Outcome
from backend.enforcement.group import Wish
from backend.enforcement.incoming import MAX_HEADER_BYTES, own_or_new
from backend.enforcement.journal import boot_nanoseconds
from backend.enforcement.key_limit import take_in_turn
from backend.enforcement.passes import Pass, Passes, Strict, pass_name
from backend.enforcement.spend_store import Taken
from backend.enforcement.treasury import Treasury
from backend.ratelimit.model import Bucket, Rated, RateVerdict, rate_verdict
from backend.ratelimit.store import RateStore
from backend.subscription.entitlements import Entitlements
from backend.usage.model import Counter, Source

# How often an allowance is asked for before the spend is decided where all processes see it.
_ATTEMPTS = 2
# How many strict spends are remembered for a pass: amounts are the caller's to choose.
_MOST_STRICT = 16


@dataclass(frozen=True, slots=True)
class Metering:
    """What one request to a metered route costs, and the feature that it needs."""

    meter: str
    amount: int = 1
    feature: str | None = None
    name: str = field(init=False)
    """The same for all that are decided alike, whatever their amount."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.meter} {self.feature or ''}")


class Passage:
    """A metered request that was let through, and what it spent. Built for every one of them, so it is small."""

    __slots__ = ("found", "lot", "metering", "request_id", "seconds", "verdict")

    def __init__(
        self, found: Pass, lot: "Lot | Drawn", metering: Metering, verdict: Verdict | RateVerdict, seconds: int
    ) -> None:
        self.found = found
        self.lot = lot
        self.metering = metering
        self.verdict = verdict
        self.seconds = seconds
        """When, in whole seconds since 1970 by the clock of the system."""
        self.request_id = b""

    @property
    def principal(self) -> Principal:
        return self.found.principal

    @property
    def entitlements(self) -> Entitlements:
        return self.found.seat.entitlements

    @property
    def rate(self) -> RateLimit:
        return self.found.rate


class Drawn:
    """What a strict spend left, for whoever shows it: what a lot and its pool are of a spend from memory."""

    __slots__ = ("event", "is_stored", "now", "pool", "strict", "window_ends_at")

    def __init__(self, strict: Strict, pool: "Pool | Left", event: str, now: datetime, *, is_stored: bool) -> None:
        self.strict = strict
        self.pool = pool
        self.window_ends_at = strict.window_ends_at
        self.event = event
        self.now = now
        self.is_stored = is_stored

    def wish(self) -> Wish:
        """The spend as it was asked for."""
        strict = self.strict
        return Wish(
            strict.entitlements, strict.ask, strict.by, None, self.now, event=self.event, is_stored=self.is_stored
        )


class Left:
    """A counter as a spend under lock has left it."""

    __slots__ = ("counter", "free", "left", "limit")

    def __init__(self, counter: Counter, limit: int | None) -> None:
        self.counter = counter
        self.limit, self.left = limit, 0
        self.free = remaining_of(limit, counter.used, counter.held, counter.forfeited)

    def shown(self) -> Counter:
        return self.counter

    def numbers(self) -> tuple[int, int, int]:
        counter = self.counter
        return counter.used, counter.held, counter.forfeited


class Halt:
    """Who calls is known, and perhaps what the rate limit says; the rest is to be found out the long way.

    `strict`: what is needed to ask for the spend at once, where it is to be durable before the answer.
    """

    __slots__ = ("found", "request_id", "strict", "verdict")

    def __init__(self, found: Pass, verdict: Verdict | RateVerdict | None, strict: Strict | None = None) -> None:
        self.found = found
        self.verdict = verdict
        self.strict = strict
        self.request_id = b""


class Gate:
    """One for a process."""

    def __init__(
        self, *, engine: Engine, passes: Passes, rates: RateStore, treasury: Treasury, looks_at_addresses: bool = False
    ) -> None:
        self.engine = engine
        self.passes = passes
        self._rates = rates
        self._treasury = treasury
        self._looks_at_addresses = looks_at_addresses
        """Nobody passes quickly: addresses are to be looked at first."""

    def pass_by(
        self, headers: Iterable[tuple[bytes, bytes]], metering: Metering, now: datetime
    ) -> Passage | Halt | None:
        """`quick`, for whom the header fields name. None also where there is something to be said about them first."""
        if self._looks_at_addresses:
            return None
        authorization, account, given, size = None, b"", None, 0
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"authorization":
                if authorization is not None:
                    return None
                authorization = value
            elif name == b"feature-account":
                account = value
            elif name == b"x-request-id":
                given = value
        if authorization is None or size > MAX_HEADER_BYTES:
            return None
        found = self.quick(pass_name(authorization, account), metering, now, int(now.timestamp()))
        if found is not None:
            found.request_id = own_or_new(given)
        return found

    def quick(self, name: bytes, metering: Metering, now: datetime, seconds: int) -> Passage | Halt | None:
        """The hot path; `seconds` is `now`, since 1970.

        None took nothing. A Halt has taken from the rate limit, or was refused by it, or that is to be asked yet.
        """
        at = boot_nanoseconds()
        found = self.passes.find(name, now, at)
        if found is None:
            return None
        verdict = None if found.is_limited_itself else self._rates.take_now(found.rate_key, found.rate)
        if verdict is None:
            return Halt(found, None)
        return self._spend(found, verdict, metering, at, seconds)

    def _spend(
        self, found: Pass, verdict: Verdict | RateVerdict, metering: Metering, at: int, seconds: int
    ) -> Passage | Halt:
        lot = found.lots.get(metering.name)
        allowances = self._treasury.allowances
        if (
            not verdict.allowed
            or lot is None
            or allowances is None
            or not allowances.spend(lot, metering.amount, at, seconds // 60)
        ):
            can_draw = lot is None and verdict.allowed
            return Halt(found, verdict, found.strict.get((metering.name, metering.amount)) if can_draw else None)
        return Passage(found, lot, metering, verdict, seconds)

    async def rate(self, halt: Halt, metering: Metering, now: datetime) -> Passage | Halt:
        """What `pass_by` found, where only the account's rate limit could not be told at once."""
        found = halt.found
        if halt.verdict is not None or found.is_limited_itself:
            return halt
        verdict = await self._rates.take(found.takes[0].bucket, found.rate)
        if verdict.degraded or not found.is_fresh:  # its limit is another; or it took long, and may hold no more
            after: Passage | Halt = Halt(found, verdict)
        else:
            after = self._spend(found, verdict, metering, boot_nanoseconds(), int(now.timestamp()))
        after.request_id = halt.request_id
        return after

    async def rated(self, halt: Halt) -> Sequence[Rated]:
        """What the rate limits of a pass say, asked for now where they have not been."""
        if halt.verdict is None:
            return await take_in_turn(self._rates, halt.found.takes)
        verdict = halt.verdict
        if not isinstance(verdict, RateVerdict):
            verdict = rate_verdict(halt.found.rate, verdict)
        return (Rated(halt.found.takes[0].bucket.scope, verdict),)

    async def draw(self, halt: Halt, strict: Strict, metering: Metering, now: datetime) -> Passage | None:
        """A spend that is durable when this returns; spends that wait at the same time share a transaction.

        None: nothing was spent. Raises OutcomeUnknown, and what the driver raises where the database does not answer.
        """
        assert halt.verdict is not None
        taken = None if strict.tab is None else self.engine.take_again(strict.tab, now)
        if taken is None or not await taken.is_stored:
            drawn = await self._draw(strict, now)
            if drawn is None:
                return None
        else:
            drawn = Drawn(strict, taken.tab.pool, taken.event, now, is_stored=True)
        passage = Passage(halt.found, drawn, metering, halt.verdict, int(now.timestamp()))
        passage.request_id = halt.request_id
        return passage

    async def _draw(self, strict: Strict, now: datetime) -> Drawn | None:
        wish = Wish(strict.entitlements, strict.ask, strict.by, None, now)
        taken = self.engine.take(wish)
        if isinstance(taken, Taken):
            strict.tab = taken.tab
            if await taken.is_stored:
                return Drawn(strict, taken.tab.pool, wish.event, now, is_stored=True)
        counter = await self.engine.draw(wish)
        left = None if counter is None else Left(counter, strict.ask.cost.limit)
        return None if left is None else Drawn(strict, left, wish.event, now, is_stored=wish.is_stored)

    def take_back(self, passage: Passage) -> None:
        """The call failed: it costs nothing. Recorded like the spend; counted where that was counted."""
        if isinstance(passage.lot, Drawn):
            self.engine.give_back(passage.lot.wish())
        else:
            self._take_back(passage.lot, passage.metering.amount, passage.seconds)

    def _take_back(self, lot: Lot, amount: int, seconds: int) -> None:
        allowances = self._treasury.allowances
        if allowances is not None:
            allowances.take_back(lot, amount, boot_nanoseconds(), seconds // 60)

    def remember(
        self,
        name: bytes,
        principal: Principal,
        entitlements: Entitlements,
        *,
        bucket: Bucket,
        rate: RateLimit,
        asked_at: int,
    ) -> Pass | None:
        """A credential that may spend and was read from the database, if it is of a kind that may be remembered."""
        if principal.kind not in ("user", "personal_key"):
            return None
        return self.passes.remember(name, principal, entitlements, bucket=bucket, rate=rate, asked_at=asked_at)

    async def spend(
        self, caller: Caller, entitlements: Entitlements, metering: Metering, *, known_as: Pass | None
    ) -> Outcome:
        """The long way: from an allowance that is fetched now, or in a transaction shared with others'."""
        wish = ask(entitlements, meter=metering.meter, amount=metering.amount)
        if wish.meter.durability != "allowance":
            if known_as is not None and len(known_as.strict) < _MOST_STRICT:
                ends_at = wish.cost.window.end
                known_as.strict[metering.name, metering.amount] = Strict(
                    entitlements,
                    wish,
                    caller.by,
                    None if ends_at is None else int((ends_at - entitlements.account.clock_offset).timestamp()),
                )
            return await self.engine.spend(caller, meter=metering.meter, amount=metering.amount)
        allowances = self._treasury.allowances
        for _ in range(_ATTEMPTS):
            if allowances is None:
                break
            pool = allowances.pool(entitlements, metering.meter, wish.cost.window)
            if pool.is_stored:
                break
            lot = allowances.lot(pool, caller.by.key_id)
            if known_as is not None:
                known_as.lots[metering.name] = lot
            at = boot_nanoseconds()
            if allowances.spend(lot, metering.amount, at, int(caller.now.timestamp()) // 60):
                give_back = partial(self._take_back, lot, metering.amount, int(caller.now.timestamp()))
                return Outcome(shown(pool, entitlements), entitlements, wish, give_back)
            if at < pool.exhausted_until and pool.is_under(entitlements):
                found = Refused("quota_exceeded", wish.cost, pool.counter)
                decision = refused(entitlements, wish, found, upgrade_url=self.engine.upgrade_url)
                return Outcome(decision, entitlements, wish)
            if at < pool.tail_until:
                break
            allowances.want(pool)
            await self._treasury.round()
            allowances = self._treasury.allowances
        outcome = await self.engine.spend(caller, meter=metering.meter, amount=metering.amount)
        if allowances is not None:
            pool = allowances.pool(entitlements, metering.meter, wish.cost.window)
            if not pool.is_stored and pool.is_under(outcome.entitlements):
                _note_exhaustion(pool, outcome)
        return outcome


def shown(pool: Pool | Left, entitlements: Entitlements) -> Decision:
    """A spend from memory, in words."""
    counter = pool.shown()
    return Decision(
        allowed=True,
        code="allowed",
        meter=counter.meter,
        limit=pool.limit,
        used=counter.used,
        held=counter.held,
        remaining=remaining_of(pool.limit, counter.used, counter.held, counter.forfeited),
        resets_at=counter.window.end,
        plan=entitlements.terms.name,
    )


def _note_exhaustion(pool: Pool, outcome: Outcome) -> None:
    """Nothing is left and nothing that is held could come back: the next ones need not ask, for a second."""
    decision = outcome.decision
    if decision.allowed or decision.limit is None or decision.used < decision.limit:
        return
    counter = pool.counter
    pool.counter = type(counter)(counter.meter, counter.window, decision.used, decision.held, counter.forfeited)
    pool.exhausted_until = boot_nanoseconds() + BELIEVED


def caller_of(principal: Principal, entitlements: Entitlements, now: datetime) -> Caller:
    """A caller who spends for the account that they act for."""
    return Caller(
        account_id=entitlements.account.id,
        by=Source(key_id=principal.key_id, subject=principal.recorded_as),
        user_id=principal.user_id,
        now=now,
        entitlements=entitlements,
    )


METERED: Mapping[tuple[str, str], Metering] = {
    ("GET", "/v1/ping"): Metering("api_calls", 1, "api_access"),
}
