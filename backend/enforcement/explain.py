"""Why something was refused: as it was then, and what the same question would be answered now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from feature_platform.core.decision import Fix, remaining_of
from sqlalchemy import Text, cast, or_, select

from backend.auth.errors import AccountUnknown
from backend.catalog.errors import MeterUnknown
from backend.core.ids import AccountId
from backend.db.models.account_member import AccountMember
from backend.db.models.api_key import ApiKey
from backend.db.models.denial import Denial
from backend.db.session import ReadSession
from backend.enforcement.decide import Ask, ask, find_meter, judge
from backend.enforcement.engine import Caller, Engine
from backend.enforcement.errors import DecisionUnknown
from backend.ratelimit.model import RateVerdict
from backend.subscription.entitlements import Entitlements, resolve
from backend.usage import denial_log
from backend.usage.model import JOBS, JOBS_IN_FLIGHT, LEVEL, Cost, Counter, Source
from backend.usage.repository import read_counters


@dataclass(frozen=True, slots=True)
class KeyNamed:
    """The account's own key that was used. `state` is as of now."""

    id: UUID
    name: str
    prefix: str
    state: Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Now:
    """What the same question is answered now, without spending.

    `allowed` is None where it cannot be told from here: a rate limit says so only to who calls. `rule` is the one
    that refuses. Amounts are in base units, of `window`'s end `resets_at`; `grant` is what is missing.
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


@dataclass(frozen=True, slots=True)
class Explained:
    """A refusal with what only its account may see: `subject` is None of who is no member of it."""

    denial: Denial
    rules: Sequence[Mapping[str, Any]]
    key: KeyNamed | None
    subject: str | None
    zone: str
    now: Now


async def explain(
    engine: Engine, account_id: AccountId, name: str, *, now: datetime, rates: Mapping[str, RateVerdict]
) -> Explained:
    """The refusal that a decision's or a request's id names. `rates` are what the account's rate limits said of the
    request that asks, where it is the account's own.

    Raises DecisionUnknown: of another account, never refused, not written yet or no longer kept.
    """
    async with engine.database.read(account_id) as session:
        denial = await denial_log.find(session, account_id, name)
        if denial is None:
            raise DecisionUnknown("No refusal of this account has this id, or it is no longer kept.")
        entitlements = await resolve(session, account_id=account_id, catalogs=engine.catalogs, now=now)
        if entitlements is None:
            raise AccountUnknown("No account of yours has this id.")
        key = await _key(session, denial, now)
        subject = await _subject(session, denial)
    return Explained(
        denial=denial,
        rules=[_own(rule, key) for rule in denial.rules],
        key=key,
        subject=subject,
        zone=entitlements.zone.key,
        now=await _ask_again(engine, denial, entitlements, key, now=now, rates=rates),
    )


async def _ask_again(
    engine: Engine,
    denial: Denial,
    entitlements: Entitlements,
    key: KeyNamed | None,
    *,
    now: datetime,
    rates: Mapping[str, RateVerdict],
) -> Now:
    """The rules in their order, until one fails."""
    if key is not None and key.state != "active":
        text = f"The key {key.prefix}... is {key.state}: use another one."
        return _now(entitlements, allowed=False, rule="credential", fixes=(Fix("contact", text),))
    if entitlements.account.status != "active":
        text = "An operator has suspended this account; ask them why."
        return _now(entitlements, allowed=False, rule="account", fixes=(Fix("contact", text),))
    if denial.code == "rate_limited":
        return _rate_now(denial, entitlements, rates)
    if denial.code == "feature_not_in_plan":
        return _feature_now(engine, denial, entitlements)
    if denial.meter is None or denial.requested is None:
        return _now(entitlements, allowed=True)
    return await _counted_now(engine, denial, now=now)


async def _counted_now(engine: Engine, denial: Denial, *, now: datetime) -> Now:
    assert denial.meter is not None
    assert denial.requested is not None
    meter, amount = denial.meter, denial.requested
    caller = Caller(AccountId(denial.account_id), Source(denial.key_id, denial.subject), None, now)
    rule = "concurrency" if meter == JOBS_IN_FLIGHT else "quota"

    async def attempt(known: Entitlements | None) -> Now:
        async with engine.database.read(caller.account_id) as session:
            entitlements = known or await engine.entitlements(session, caller)
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
                grant=missing if refused is not None else None,
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


async def _key(session: ReadSession, denial: Denial, now: datetime) -> KeyNamed | None:
    """Only the account's own: a host application's is none of its business."""
    if denial.key_id is None:
        return None
    mine = (ApiKey.id == denial.key_id, ApiKey.account_id == denial.account_id)
    wanted = select(ApiKey.id, ApiKey.name, ApiKey.prefix, ApiKey.revoked_at, ApiKey.expires_at).where(*mine)
    row = (await session.execute(wanted)).one_or_none()
    if row is None:
        return None
    state: Literal["active", "expired", "revoked"] = "active"
    if row.revoked_at is not None:
        state = "revoked"
    elif row.expires_at is not None and row.expires_at <= now:
        state = "expired"
    return KeyNamed(row.id, row.name, row.prefix, state)


async def _subject(session: ReadSession, denial: Denial) -> str | None:
    """Who asked, if they are or were a member: an operator who acted for the account is not named."""
    if denial.subject is None:
        return None
    is_them = or_(
        cast(AccountMember.user_id, Text) == denial.subject,
        AccountMember.foreign_subject == denial.subject,
    )
    found = await session.scalar(
        select(AccountMember.id).where(AccountMember.account_id == denial.account_id, is_them).limit(1)
    )
    return denial.subject if found is not None else None


def _own(rule: Mapping[str, Any], key: KeyNamed | None) -> Mapping[str, Any]:
    """As written down, without the id of a key that is not the account's."""
    return rule if key is not None else {name: value for name, value in rule.items() if name != "key_id"}
