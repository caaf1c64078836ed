"""Where a request meets the engine: every decision is noted for the header fields, a refusal becomes its error."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from feature_platform.core.decision import Decision, whole_seconds

from backend.core.metrics import DECISIONS
from backend.core.settings import Settings
from backend.db.idempotency import RequestKey, StoredAnswer, claim, keep
from backend.enforcement import reservations
from backend.enforcement.decide import words
from backend.enforcement.engine import Caller, Engine, Outcome, Repeated
from backend.enforcement.errors import AccountSuspended, FeatureNotInPlan, refusal
from backend.enforcement.headers import Metered
from backend.enforcement.reservations import Reserved, Settled
from backend.enforcement.witness import Witness
from backend.subscription.entitlements import Entitlements
from backend.usage.model import Window

log = structlog.get_logger("decisions")

_MICROSECOND = timedelta(microseconds=1)


class Desk:
    """The engine for one request. `metered` collects what its answer's header fields show."""

    def __init__(self, engine: Engine, settings: Settings, metered: list[Metered], witness: Witness) -> None:
        self._engine = engine
        self._settings = settings
        self._metered = metered
        self._witness = witness

    async def check(self, caller: Caller, *, meter: str, amount: int) -> Mapping[str, Any]:
        """The decision, refused or not."""
        with self._noting():
            outcome = await self._engine.check(caller, meter=meter, amount=amount)
        return self._noted(outcome).decision.to_json()

    async def consume(
        self, caller: Caller, *, meter: str, amount: int, idempotency_key: str | None = None
    ) -> tuple[Mapping[str, Any], bool]:
        """The decision, and whether it is the first answer to a repeated request. Raises the refusal."""
        with self._noting():
            outcome = await self._engine.consume(caller, meter=meter, amount=amount, idempotency_key=idempotency_key)
        if isinstance(outcome, Repeated):
            return outcome.result, True
        return self.settle(outcome).to_json(), False

    def settle(self, outcome: Outcome) -> Decision:
        """The decision of a spend, noted. Raises the refusal."""
        outcome = self._noted(outcome)
        decision = outcome.decision
        if decision.allowed:
            return decision
        log.info(
            "refused",
            account_id=str(outcome.entitlements.account.id),
            decision_id=decision.decision_id,
            code=decision.code,
            meter=decision.meter,
            used=decision.used,
            held=decision.held,
            limit=decision.limit,
            requested=outcome.ask.amount,
        )
        raise refusal(
            decision,
            requested=1 if decision.code == "concurrency_limited" else outcome.ask.amount,
            detail=words(outcome.entitlements, outcome.ask, decision),
            upgrade_url=self._engine.upgrade_url,
            quota_status=self._settings.quota_status,
        )

    async def reserve(
        self, caller: Caller, *, meter: str, amount: int, ttl: int, request: RequestKey | None
    ) -> tuple[Mapping[str, Any], bool]:
        """As `consume`, for an open reservation. With `request`, the first answer is kept with it for a day."""

        async def attempt(known: Entitlements | None) -> Reserved | Outcome | StoredAnswer:
            async with self._engine.transaction(caller.account_id) as session:
                first = await claim(session, request) if request else None
                if first is not None:
                    return first
                found = await reservations.reserve(
                    self._engine, session, caller, known, meter=meter, amount=amount, ttl=ttl
                )
                if request is not None and isinstance(found, Reserved):
                    await keep(session, request, StoredAnswer(200, json.dumps(_reserved(found)).encode()))
                return found

        with self._noting():
            found = await self._engine.persist(caller, attempt)
        if isinstance(found, StoredAnswer):
            answer: Mapping[str, Any] = json.loads(found.body)
            return answer, True
        if isinstance(found, Outcome):
            self.settle(found)
            raise AssertionError("a reservation is granted or refused")
        return _reserved(found), False

    async def commit(self, caller: Caller, *, reservation_id: UUID, amount: int | None) -> Settled:
        with self._noting():
            return await reservations.commit(self._engine, caller, reservation_id=reservation_id, amount=amount)

    async def release(self, caller: Caller, *, reservation_id: UUID) -> Settled:
        with self._noting():
            return await reservations.release(self._engine, caller, reservation_id=reservation_id)

    async def extend(self, caller: Caller, *, reservation_id: UUID, ttl: int) -> Mapping[str, Any]:
        expires_at = await reservations.extend(self._engine, caller, reservation_id=reservation_id, ttl=ttl)
        return {"reservation_id": reservation_id, "expires_at": expires_at}

    def require(self, entitlements: Entitlements, feature: str) -> None:
        """Raises FeatureNotInPlan where the catalog knows the feature and the plan lacks it."""
        if feature not in entitlements.catalog.features or entitlements.has_feature(feature):
            return
        present = entitlements.terms
        better = next(
            (plan for plan in entitlements.catalog.plans if plan.rank > present.rank and plan.features.get(feature)),
            None,
        )
        name = entitlements.catalog.features[feature]
        fixes: list[dict[str, Any]] = [{"kind": "contact", "text": "Ask the operator."}]
        if better is not None:
            fixes = [
                {
                    "kind": "upgrade",
                    "text": f"Move to {better.display_name}.",
                    "plan": better.name,
                    "url": self._engine.upgrade_url,
                }
            ]
        error = FeatureNotInPlan(
            f"{present.display_name} does not include {name}.",
            feature=feature,
            plan=present.name,
            retryable=False,
            fixes=fixes,
            upgrade_url=self._engine.upgrade_url,
        )
        self._witness.lacks(error, entitlements, feature)
        raise error

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """For accounts that somebody else than their members acts for: those are refused before they come here."""
        try:
            yield
        except AccountSuspended as error:
            self._witness.suspended(error)
            raise

    def _noted(self, outcome: Outcome) -> Outcome:
        """The same; a refusal under the id by which it will be found."""
        DECISIONS.labels(outcome.decision.code, outcome.decision.meter).inc()
        if not outcome.decision.allowed:
            outcome = self._witness.refused(outcome)
        window = outcome.ask.cost.window
        self._metered.append(
            Metered(outcome.decision, _length(window), _left(outcome.decision, outcome.entitlements, window))
        )
        return outcome


def _reserved(found: Reserved) -> dict[str, Any]:
    return {
        "reservation_id": str(found.reservation_id),
        "expires_at": found.expires_at.isoformat(),
        "decision": found.decision.to_json(),
    }


def _length(window: Window) -> int | None:
    return None if window.end is None else whole_seconds((window.end - window.start) // _MICROSECOND)


def _left(decision: Decision, entitlements: Entitlements, window: Window) -> int | None:
    if window.end is None or decision.meter == "jobs_in_flight":
        return None
    return whole_seconds(max(timedelta(0), window.end - entitlements.now) // _MICROSECOND)
