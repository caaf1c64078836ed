"""Whether a key that a host application was shown is good, whose it is, and whether its request may pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from backend.auth.errors import RoleMissing, ScopeMissing
from backend.auth.service.key_holders import Fault
from backend.core.errors import PlatformError
from backend.enforcement.acting import USAGE_WRITE, ensure_may
from backend.enforcement.admission import Admission, Holder, TooMany
from backend.enforcement.denials import Denials
from backend.enforcement.desk import Desk
from backend.enforcement.engine import Repeated
from backend.enforcement.errors import AccountSuspended
from backend.enforcement.gate import Gate, Metering, caller_of
from backend.enforcement.witness import Witness
from backend.ratelimit.model import Rated


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """`holder` is None for a key that is nobody's now. `decision` is that of the spend, where one was asked for."""

    allowed: bool
    code: str
    holder: Holder | None = None
    decision: Mapping[str, Any] | None = None
    retry_after: int | None = None
    detail: str = ""


_FAULTS: Mapping[Fault, str] = {
    "key_malformed": "This is no key of ours: look whether it was copied whole.",
    "key_unknown": "No key of a customer is this one.",
    "key_replaced": "This key was rotated, and its old secret works no more.",
    "key_revoked": "This key was revoked.",
    "key_expired": "This key has expired.",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification by a host application; `scope` is that of its request."""

    admission: Admission
    gate: Gate
    denials: Denials
    scope: Mapping[str, Any]
    now: datetime
    rated: list[Rated] = field(default_factory=list)

    async def verify(
        self, key: str, *, metering: Metering | None = None, idempotency_key: str | None = None
    ) -> KeyVerdict:
        """Counts one request of the key and spends what it costs; a refusal by either is a verdict, too.

        With `idempotency_key` a repetition spends nothing and gets the first decision. Raises MeterUnknown,
        IdempotencyConflict, OutcomeUnknown.
        """
        holder = await self.admission.find_key(key, now=self.now)
        if not isinstance(holder, Holder):
            return KeyVerdict(allowed=False, code=holder, detail=_FAULTS[holder])
        try:
            self.rated.extend(await self.admission.let_in(holder, now=self.now))
            if metering is None:
                return KeyVerdict(allowed=True, code="allowed", holder=holder)
            ensure_may(holder.principal, USAGE_WRITE)
            return await self._spend(holder, metering, idempotency_key)
        except TooMany as error:
            self._witness(holder).too_often(error)
            return _refused(holder, error)
        except AccountSuspended as error:
            self._witness(holder).suspended(error)
            return _refused(holder, error)
        except (RoleMissing, ScopeMissing) as error:
            return _refused(holder, error)

    async def _spend(self, holder: Holder, metering: Metering, idempotency_key: str | None) -> KeyVerdict:
        entitlements, engine = holder.entitlements, self.gate.engine
        caller = caller_of(holder.principal, entitlements, self.now)
        if idempotency_key is None:
            found = await self.gate.spend(caller, entitlements, metering, known_as=None)
        else:
            repeated = await engine.consume(
                caller, meter=metering.meter, amount=metering.amount, idempotency_key=idempotency_key
            )
            if isinstance(repeated, Repeated):
                return KeyVerdict(allowed=True, code="allowed", holder=holder, decision=repeated.result)
            found = repeated
        desk = Desk(engine, self.scope["app"].state.settings, [], self._witness(holder))
        decision, detail = found.decision, ""
        try:
            desk.settle(found)
        except PlatformError as error:
            decision, detail = replace(decision, decision_id=error.fields["decision_id"]), error.detail
        return KeyVerdict(decision.allowed, decision.code, holder, decision.to_json(), decision.retry_after, detail)

    def _witness(self, holder: Holder) -> Witness:
        """What is refused here is refused to the holder of the key, and is found among their refusals."""
        state = {
            **self.scope["state"],
            "principal": holder.principal,
            "rates": {rate.scope: rate.verdict for rate in self.rated},
        }
        return Witness(self.denials, {**self.scope, "state": state}, state["request_id"], self.now)


def _refused(holder: Holder, error: PlatformError) -> KeyVerdict:
    return KeyVerdict(
        allowed=False,
        code=error.code,
        holder=holder,
        retry_after=error.fields.get("retry_after"),
        detail=error.detail,
    )
