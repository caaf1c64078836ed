"""The same question again: what a refusal would be answered now, as the account is or as it might be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from feature_platform.core.decision import Fix, remaining_of

from backend.catalog.errors import MeterUnknown
from backend.core.ids import AccountId
from backend.db.models.denial import Denial
from backend.enforcement.decide import Ask, ask, find_meter, judge
from backend.enforcement.engine import Caller, Engine
from backend.ratelimit.model import RateVerdict
from backend.subscription.entitlements import Entitlements
from backend.usage.model import JOBS, JOBS_IN_FLIGHT, LEVEL, Cost, Counter, Source
from backend.usage.repository import read_counters

# What an account may do becomes what it might do: another plan, another limit.
Change = Callable[[Entitlements], Entitlements]


@dataclass(frozen=True, slots=True)
class KeyNamed:
    """The key that was used. `state` is as of now; a `service` key is a host application's."""

    id: UUID
    kind: Literal["personal", "service"]
    name: str
    prefix: str
    state: Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Now:
    """What the same question is answered now, without spending.

    `allowed` is None where it cannot be told from here: a rate limit says so only to who calls. `rule` is the one
    that refuses. Amounts are in base units, of a window that ends at `resets_at`; `grant` is what an operator would
    have to give, where a quota refuses.
    """

    as_of: datetime
    allowed: bool | None
    rule: str | None
    plan: str
    plan_version: int
    used: int | None = None
    held: int | None = None
    limit: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    grant: int | None = None
    fixes: tuple[Fix, ...] = ()


async def ask_again(
    engine: Engine,
    denial: Denial,
    entitlements: Entitlements,
    *,
    barred: str | None,
    now: datetime,
    rates: Mapping[str, RateVerdict],
    change: Change,
) -> Now:
    """The rules in their order, until one fails. `entitlements` are the account's, `change` what is asked about;
    `barred` is what stands against the credential now, in words."""
    entitlements = change(entitlements)
    if barred is not None:
        return _now(entitlements, allowed=False, rule="credential", fixes=(Fix("contact", barred),))
    if entitlements.account.status != "active":
        is_gone = entitlements.account.status == "deleted"
        text = "This account is deleted." if is_gone else "An operator has suspended this account; ask them why."
        return _now(entitlements, allowed=False, rule="account", fixes=(Fix("contact", text),))
    if denial.code == "rate_limited":
        return _rate_now(denial, entitlements, rates)
    if denial.code == "feature_not_in_plan":
        return _feature_now(engine, denial, entitlements)
    if denial.meter is None or denial.requested is None:
        return _now(entitlements, allowed=True)
    return await _counted_now(engine, denial, now=now, change=change)


async def _counted_now(engine: Engine, denial: Denial, *, now: datetime, change: Change) -> Now:
    assert denial.meter is not None
    assert denial.requested is not None
    meter, amount = denial.meter, denial.requested
    caller = Caller(AccountId(denial.account_id), Source(denial.key_id, denial.subject), None, now)
    rule = "concurrency" if meter == JOBS_IN_FLIGHT else "quota"

    async def attempt(known: Entitlements | None) -> Now:
        async with engine.database.read(caller.account_id) as session:
            entitlements = change(known or await engine.entitlements(session, caller))
            try:
                wish = _wish(entitlements, meter, amount)
            except MeterUnknown:
                text = "This is not counted any more."
                return _now(entitlements, allowed=False, rule=rule, fixes=(Fix("contact", text),))
            cost = wish.cost
            wanted = [(cost.meter, cost.window)]
            counters = await read_counters(session, account_id=caller.account_id, wanted=wanted)
            refused = judge(wish, counters)
            counter = counters.get((cost.meter, cost.window.start)) or Counter(cost.meter, cost.window)
            fixes: tuple[Fix, ...] = ()
            if refused is not None:
                fixes = (await engine.refuse(session, entitlements, wish, refused)).decision.fixes
            missing = None if cost.limit is None else counter.taken + cost.amount - cost.limit
            return _now(
                entitlements,
                allowed=refused is None,
                rule=None if refused is None else rule,
                used=counter.used,
                held=counter.held,
                limit=cost.limit,
                remaining=remaining_of(cost.limit, counter.used, counter.held, counter.forfeited),
                resets_at=cost.window.end,
                grant=missing if refused is not None and rule == "quota" else None,
                fixes=fixes,
            )

    await engine.settled(caller.account_id, JOBS if meter == JOBS_IN_FLIGHT else meter)
    return await engine.persist(caller, attempt)


def _wish(entitlements: Entitlements, meter: str, amount: int) -> Ask:
    """Of a job in flight only the slot is asked for: how much of the meter it would take was not reached then."""
    if meter == JOBS_IN_FLIGHT:
        limit = entitlements.terms.max_jobs_in_flight
        return Ask(find_meter(entitlements, JOBS), (Cost(JOBS_IN_FLIGHT, LEVEL, amount, limit),))
    return ask(entitlements, meter=meter, amount=amount)


def _rate_now(denial: Denial, entitlements: Entitlements, rates: Mapping[str, RateVerdict]) -> Now:
    verdict = rates.get(denial.scope or "")
    if verdict is None:
        limit = entitlements.rate_limit(denial.scope or "")
        return _now(entitlements, allowed=None, rule=None, limit=limit.requests if limit else None)
    is_free = verdict.remaining > 0
    fixes = () if is_free else (Fix("wait", "Wait: room comes back within seconds."),)
    return _now(
        entitlements,
        allowed=is_free,
        rule=None if is_free else "rate",
        limit=verdict.limit.requests,
        remaining=verdict.remaining,
        fixes=fixes,
    )


def _feature_now(engine: Engine, denial: Denial, entitlements: Entitlements) -> Now:
    (feature,) = [str(rule["feature"]) for rule in denial.rules if rule["rule"] == "feature"]
    if entitlements.has_feature(feature):
        return _now(entitlements, allowed=True)
    better = [
        Fix("upgrade", f"Move to {plan.display_name}.", plan=plan.name, url=engine.upgrade_url)
        for plan in entitlements.catalog.plans
        if plan.features.get(feature, False)
    ]
    nothing = Fix("contact", "No plan on sale allows this; ask the operator.")
    return _now(entitlements, allowed=False, rule="feature", fixes=tuple(better) or (nothing,))


def _now(entitlements: Entitlements, *, allowed: bool | None, rule: str | None = None, **numbers: Any) -> Now:
    terms = entitlements.terms
    return Now(entitlements.now, allowed, rule, terms.name, terms.version, **numbers)
