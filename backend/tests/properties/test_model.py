"""Any sequence of spending, reserving, changing plans and passing time agrees with the reference, step by step."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.enforcement import reservations
from backend.enforcement.engine import Caller, Engine, Outcome, Repeated
from backend.enforcement.reservations import Reserved
from backend.subscription.entitlements import Entitlements
from backend.subscription.service import get_user_plan, upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.tests.properties.reference import Hold, Reference
from backend.tests.properties.sizes import size
from backend.usage.errors import IdempotencyConflict
from backend.usage.model import Source

T = TypeVar("T")

_METERS = st.sampled_from(["jobs", "api_calls", "storage", "compute"])
_AMOUNTS = st.one_of(st.integers(1, 12), st.integers(1, 200), st.sampled_from([3_600, 10**8, 10**15]))
_KEYS = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
_SPANS = st.sampled_from(
    [timedelta(0), timedelta(hours=7), timedelta(hours=13), timedelta(days=1), timedelta(days=17), timedelta(days=40)]
)

_STORED = text("""
    SELECT meter, window_start, used, held FROM meter_usage
    WHERE account_id = :account_id AND meter <> 'jobs_in_flight'
""")


class Model(RuleBasedStateMachine):
    """The product on the left, the reference on the right."""

    engine: Engine
    loop: asyncio.AbstractEventLoop

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.user: Person = self.run(self._person())
        self.model = Reference(born_at=NOW, now=NOW)
        self.reservations: dict[int, UUID] = {}

    async def _person(self) -> Person:
        async with self.engine.database.system() as session:
            return await person(session)

    def caller(self) -> Caller:
        return Caller(self.user.account_id, Source(), self.user.user_id, self.model.now)

    @rule(span=_SPANS)
    def pass_time(self, span: timedelta) -> None:
        self.model.now += span

    @rule(plan=st.sampled_from(["free", "pro", "enterprise"]), days=st.sampled_from([1, 30, 31, 90]))
    def assign(self, plan: str, days: int) -> None:
        async def work() -> None:
            async with self.engine.database.system() as session:
                await upgrade_user_plan(session, self.user.user_id, plan, days, now=self.model.now)

        self.run(work())
        self.model.assign(plan, days)

    @rule(meter=_METERS, amount=_AMOUNTS, key=_KEYS)
    def consume(self, meter: str, amount: int, key: str | None) -> None:
        model = self.model
        work = self.engine.consume(self.caller(), meter=meter, amount=amount, idempotency_key=key)
        if key in model.keys:
            if model.keys[key] != (meter, amount):
                with pytest.raises(IdempotencyConflict):
                    self.run(work)
            else:
                assert isinstance(self.run(work), Repeated)
            return
        fits = model.fits(meter, amount)
        outcome = self.run(work)
        assert isinstance(outcome, Outcome)
        assert outcome.decision.allowed == fits
        if fits:
            model.add(meter, model.window(meter), amount)
            if key is not None:
                model.keys[key] = (meter, amount)
        assert outcome.decision.used == model.used.get((meter, model.window(meter)), 0)

    @rule(amount=st.integers(-300, -1))
    def lower_storage(self, amount: int) -> None:
        self.run(self.engine.consume(self.caller(), meter="storage", amount=amount))
        self.model.add("storage", self.model.window("storage"), amount)

    @rule(meter=_METERS, amount=st.integers(1, 30))
    def reserve(self, meter: str, amount: int) -> None:
        model = self.model

        async def attempt(known: Entitlements | None) -> Reserved | Outcome:
            async with self.engine.transaction(self.user.account_id) as session:
                return await reservations.reserve(
                    self.engine, session, self.caller(), known, meter=meter, amount=amount, ttl=86_400
                )

        fits = model.fits(meter, amount) and (meter != "jobs" or model.has_slot())
        found = self.run(self.engine.persist(self.caller(), attempt))
        assert isinstance(found, Reserved) == fits
        if isinstance(found, Reserved):
            number = len(self.reservations)
            self.reservations[number] = found.reservation_id
            model.holds[number] = Hold(meter, model.window(meter), amount)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), amount=st.integers(0, 60))
    def commit(self, data: Any, amount: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.holds)))
        hold = self.model.holds[number]
        room = self.model.room(hold)
        counted = amount if room is None else min(amount, hold.amount + room)
        settled = self.run(
            reservations.commit(self.engine, self.caller(), reservation_id=self.reservations[number], amount=amount)
        )
        assert (settled.state, settled.counted, settled.uncounted) == ("committed", counted, amount - counted)
        del self.model.holds[number]
        self.model.add(hold.meter, hold.window, counted)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.holds)))
        self.run(reservations.release(self.engine, self.caller(), reservation_id=self.reservations[number]))
        del self.model.holds[number]

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def expire(self, data: Any) -> None:
        """The time of one reservation passes; it comes back when somebody needs the room."""
        number = data.draw(st.sampled_from(sorted(self.model.holds)))

        async def work() -> None:
            async with self.engine.database.system() as session:
                await session.execute(
                    text("UPDATE usage_holds SET expires_at = clock_timestamp() - interval '1 s' WHERE id = :id"),
                    {"id": self.reservations[number]},
                )
                await session.execute(text("SELECT 1"))
            settled = await reservations.release(self.engine, self.caller(), reservation_id=self.reservations[number])
            assert settled.state == "expired"

        self.run(work())
        del self.model.holds[number]

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "user"):
            return
        stored, plan = self.run(self._stored())
        assert plan == self.model.plan
        expected = {key: (amount, 0) for key, amount in self.model.used.items()}
        for hold in self.model.holds.values():
            key = (hold.meter, hold.window)
            used, held = expected.get(key, (0, 0))
            expected[key] = (used, held + hold.amount)
        assert {key: pair for key, pair in stored.items() if pair != (0, 0)} == {
            key: pair for key, pair in expected.items() if pair != (0, 0)
        }

    async def _stored(self) -> tuple[dict[tuple[str, Any], tuple[int, int]], str]:
        async with self.engine.database.read() as session:
            rows = await session.execute(_STORED, {"account_id": self.user.account_id})
            stored = {(row.meter, row.window_start): (row.used, row.held) for row in rows}
            plan = await get_user_plan(session, self.user.user_id, now=self.model.now)
        return stored, plan.name


def _prove(url: str, *, examples: int, steps: int) -> None:
    loop = asyncio.new_event_loop()
    database = Database(url)
    try:
        Model.loop = loop
        Model.engine = Engine(database, Catalogs(), upgrade_url="http://localhost:5173/app/plans")
        run_state_machine_as_test(
            Model,
            settings=size(examples=examples, steps=steps),
        )
    finally:
        loop.run_until_complete(Model.engine.close())
        loop.run_until_complete(database.close())
        loop.close()


def test_the_product_agrees_with_the_reference(database_url: str) -> None:
    _prove(database_url, examples=200, steps=50)


@pytest.mark.prove
def test_the_product_agrees_with_the_reference_at_length(database_url: str) -> None:
    _prove(database_url, examples=20_000, steps=100)
