"""What a refusal was, in words that last: who asked for what, and what each rule said, in their order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from starlette.types import Scope

from backend.auth.principal import Principal
from backend.core.errors import PlatformError
from backend.core.ids import uuid7
from backend.enforcement.admission import TooMany
from backend.enforcement.denials import Denials
from backend.enforcement.engine import Outcome
from backend.enforcement.errors import AccountSuspended, FeatureNotInPlan
from backend.enforcement.impersonation import SCOPE as OPERATORS_OWN
from backend.enforcement.key_limit import KEY_SCOPE, PER_SECONDS
from backend.ratelimit.model import RateVerdict
from backend.subscription.entitlements import Entitlements
from backend.usage.denials import Denied
from backend.usage.model import JOBS_IN_FLIGHT, Window

RULES = ("credential", "account", "subscription", "rate", "concurrency", "feature", "quota")

Facts = Mapping[str, Mapping[str, Any]]


class Numbers(NamedTuple):
    """By what something was refused."""

    meter: str | None = None
    scope: str | None = None
    used: int | None = None
    held: int | None = None
    limit: int | None = None
    requested: int | None = None
    window: Window | None = None


class Witness:
    """Sees to it that the refusals of one request are written down, and that they bear the id of what was written."""

    def __init__(self, denials: Denials, scope: Scope, request_id: str, now: datetime) -> None:
        self._denials = denials
        self._scope = scope
        self._request_id = request_id
        self._now = now

    def refused(self, outcome: Outcome) -> Outcome:
        """By a counter: a quota, or the jobs in flight. Returns it under the id by which it will be found."""
        decision, wish = outcome.decision, outcome.ask
        assert decision.decision_id is not None
        is_slot = decision.meter == JOBS_IN_FLIGHT
        cost = wish.costs[0] if is_slot else wish.cost
        numbers = Numbers(
            meter=decision.meter,
            used=decision.used,
            held=decision.held,
            limit=decision.limit,
            requested=cost.amount,
            window=cost.window,
        )
        said = {"concurrency": _plain(numbers)} if is_slot else {"quota": _plain(numbers) | _stack(outcome)}
        known_as = self._note(decision.code, UUID(decision.decision_id), outcome.entitlements, numbers, said)
        return replace(outcome, decision=replace(decision, decision_id=str(known_as)))

    def lacks(self, error: FeatureNotInPlan, entitlements: Entitlements, feature: str) -> None:
        """By the plan, which does not include a feature."""
        self._name(error, entitlements, Numbers(), {"feature": {"feature": feature}})

    def too_often(self, error: TooMany) -> None:
        """By the rate limit of an account; the anonymous have none, and an operator's own is no customer's refusal."""
        if error.entitlements is None or (error.rated is not None and error.rated.scope == OPERATORS_OWN):
            return
        if error.rated is None:
            said = {"rate": _NOTHING}
            numbers = Numbers(scope=KEY_SCOPE, limit=0, requested=1)
        else:
            scope, verdict = error.rated.scope, error.rated.verdict
            numbers = Numbers(scope=scope, limit=verdict.limit.requests, requested=1)
            said = {"rate": _rate(scope, verdict)}
        self._name(error, error.entitlements, numbers, said, error.principal)

    def suspended(self, error: AccountSuspended) -> None:
        """Because an operator has suspended the account."""
        self._name(error, error.entitlements, Numbers(), {}, error.principal)

    def _name(
        self,
        error: PlatformError,
        entitlements: Entitlements,
        numbers: Numbers,
        said: Facts,
        principal: Principal | None = None,
    ) -> None:
        """The answer says the decision's id, too."""
        known_as = self._note(error.code, uuid7(), entitlements, numbers, said, principal)
        error.fields["decision_id"] = str(known_as)

    def _note(
        self,
        code: str,
        decision_id: UUID,
        entitlements: Entitlements,
        numbers: Numbers,
        said: Facts,
        principal: Principal | None = None,
    ) -> UUID:
        who = principal or self._scope["state"]["principal"]
        subject = who.recorded_as
        method, path = self._scope["method"], self._scope["app"].state.paths.of(self._scope)
        kind = (entitlements.account.id, code, numbers.meter or numbers.scope, who.key_id, subject, method, path)

        def make() -> Denied:
            terms = entitlements.terms
            return Denied(
                account_id=entitlements.account.id,
                code=code,
                meter=numbers.meter,
                scope=numbers.scope,
                method=method,
                path=path,
                key_id=who.key_id,
                subject=subject,
                plan=terms.name,
                plan_version=terms.version,
                rules=_rules(_FAILS[code], {**self._facts(who, entitlements), **said}),
                used=numbers.used,
                held=numbers.held,
                limit=numbers.limit,
                requested=numbers.requested,
                window=numbers.window,
            )

        return self._denials.note(kind, decision_id, self._request_id, self._now, make)

    def _facts(self, who: Principal, entitlements: Entitlements) -> Facts:
        rates: Mapping[str, RateVerdict] = self._scope["state"]["rates"]
        counted = [_rate(scope, verdict) for scope, verdict in rates.items()]
        subscription, period = entitlements.facts, entitlements.period
        return {
            "credential": {"kind": who.kind, "key_id": who.key_id and str(who.key_id)},
            "account": {"status": entitlements.account.status},
            "subscription": {
                "plan": entitlements.terms.name,
                "version": entitlements.terms.version,
                "status": subscription.status if subscription else None,
                "period_start": period.start.isoformat(),
                "period_end": period.end and period.end.isoformat(),
            },
            **({"rate": counted[0]} if counted else {}),
        }


# What a key's own limit of 0 says.
_NOTHING: Mapping[str, Any] = {
    "scope": KEY_SCOPE,
    "limit": 0,
    "per_seconds": PER_SECONDS,
    "burst": 0,
    "remaining": 0,
}
# Which rule a refusal is by.
_FAILS = {
    "account_suspended": "account",
    "rate_limited": "rate",
    "concurrency_limited": "concurrency",
    "feature_not_in_plan": "feature",
    "quota_exceeded": "quota",
}


def _rules(failed: str, facts: Facts) -> list[dict[str, Any]]:
    """Those before the one that failed, as far as this request was asked by them; it; and what was not reached."""
    at = RULES.index(failed)
    passed = [{"rule": rule, "outcome": "passed", **facts[rule]} for rule in RULES[:at] if rule in facts]
    later = [{"rule": rule, "outcome": "not_reached"} for rule in RULES[at + 1 :]]
    return [*passed, {"rule": failed, "outcome": "failed", **facts[failed]}, *later]


def _rate(scope: str, verdict: RateVerdict) -> dict[str, Any]:
    limit = verdict.limit
    return {
        "scope": scope,
        "limit": limit.requests,
        "per_seconds": limit.per_seconds,
        "burst": limit.burst,
        "remaining": verdict.remaining,
    }


def _plain(numbers: Numbers) -> dict[str, Any]:
    return {
        "meter": numbers.meter,
        "used": numbers.used,
        "held": numbers.held,
        "limit": numbers.limit,
        "requested": numbers.requested,
    }


def _stack(outcome: Outcome) -> dict[str, Any]:
    """How the limit was made, where the account had another one than its plan's."""
    entitlements, meter = outcome.entitlements, outcome.decision.meter
    made_by = [
        {"id": str(one.id), "kind": one.kind, "amount": one.amount, "ends_at": one.ends_at and one.ends_at.isoformat()}
        for one in entitlements.in_force(meter)
    ]
    return {"plan_limit": entitlements.plan_quota(meter).limit, "overrides": made_by} if made_by else {}
