"""Moving an account to another plan."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from backend.auth.errors import AccountUnknown
from backend.catalog.service import Catalogs
from backend.catalog.terms import Catalog, PlanTerms
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, UserId, uuid7
from backend.db import outbox
from backend.db.session import WriteSession
from backend.subscription.entitlements import MONTH, Entitlements, days_from, period_of, resolve
from backend.subscription.errors import PlanUnknown
from backend.subscription.lifecycle import Status, SubscriptionFacts
from backend.subscription.periods import boundary, period_containing
from backend.subscription.repository import (
    SubscriptionRow,
    end_period,
    insert_subscription,
    load_state,
    lock_account,
    raise_version,
    write_facts,
)
from backend.subscription.settle import settle_due

USUAL_DAYS, MAX_DAYS = 30, 3_660


@dataclass(frozen=True, slots=True)
class Assignment:
    """The plan that an account has now. Without a subscription (the default plan) the last two are None."""

    plan_name: str
    status: str
    subscription_id: UUID | None
    expires_at: datetime | None


async def assign_plan(
    session: WriteSession,
    *,
    account_id: AccountId,
    user_id: UserId | None,
    plan_name: str,
    duration_days: int,
    catalogs: Catalogs,
    now: datetime,
) -> Assignment:
    """Puts an account on a plan from now on, for `duration_days`, without a trial and without a charge.

    Another plan ends the present subscription and its period; a new one begins now. The same plan keeps its period
    and ends `duration_days` from now. The default plan needs no subscription: the present one ends. Usage is kept.
    Raises PlanUnknown, AccountUnknown, InvalidInput.
    """
    if not 1 <= duration_days <= MAX_DAYS:
        raise InvalidInput(f"duration_days is {duration_days}; choose from 1 to {MAX_DAYS}.")
    await lock_account(session, account_id=account_id)
    present = await resolve(session, account_id=account_id, catalogs=catalogs, now=now)
    if present is None:
        raise AccountUnknown("No account has this id.")
    terms = plan_on_sale(present.catalog, plan_name)
    await _settle_what_is_due(session, account_id=account_id, present=present, now=now)
    wanted = _assigned(present, user_id, terms, days_from(present.now, duration_days))
    if wanted is not None and present.subscription is not None and wanted.id == present.subscription.id:
        await _prolong(session, present.subscription, wanted.facts)
    else:
        await _end(session, present)
        if wanted is not None:
            await insert_subscription(session, subscription=wanted)
    await raise_version(session, account_id=account_id)
    outbox.publish(
        session,
        topic="subscription.changed",
        account_id=account_id,
        payload={"kind": "assigned", "plan": terms.name, "at": present.now.isoformat()},
    )
    if wanted is None:
        return Assignment(terms.name, Status.ACTIVE.value, None, None)
    return Assignment(terms.name, wanted.facts.status.value, wanted.id, wanted.facts.expires_at)


def as_assigned(present: Entitlements, plan_name: str, duration_days: int = USUAL_DAYS) -> Entitlements:
    """What an account would have if `assign_plan` had just put it on a plan. Pure: nothing is. Raises PlanUnknown."""
    terms = plan_on_sale(present.catalog, plan_name)
    user_id = present.subscription.user_id if present.subscription else None
    wanted = _assigned(present, user_id, terms, days_from(present.now, duration_days))
    if wanted is not None and present.subscription is not None and wanted.id == present.subscription.id:
        terms = present.terms  # of the version that it has
    facts = wanted.facts if wanted is not None else None
    period = period_of(present.account, facts, present.now)
    return replace(present, terms=terms, subscription=wanted, facts=facts, period=period)


def plan_on_sale(catalog: Catalog, name: str) -> PlanTerms:
    """The plan of this name. Raises PlanUnknown."""
    for plan in catalog.plans:
        if plan.name == name:
            return plan
    known = ", ".join(plan.name for plan in catalog.plans)
    raise PlanUnknown(f"No plan on sale is called {name[:80]!r}. There are: {known}.")


async def _settle_what_is_due(
    session: WriteSession, *, account_id: AccountId, present: Entitlements, now: datetime
) -> None:
    """A live row whose time has passed is written down before another takes its place."""
    state = await load_state(session, account_id=account_id, now=now)
    stored = state.subscription if state else None
    if stored is not None:
        await settle_due(session, subscription=stored, now=present.now)


def _assigned(
    present: Entitlements, user_id: UserId | None, terms: PlanTerms, expires_at: datetime
) -> SubscriptionRow | None:
    """The subscription that an account has once it is assigned a plan: its own prolonged, or a new one. None: none."""
    if present.subscription and present.facts and present.subscription.plan_id == terms.plan_id:
        return replace(present.subscription, facts=_prolonged(present.facts, expires_at))
    if terms.plan_id == present.catalog.default.plan_id:
        return None
    now, zone = present.now, present.account.zone
    facts = SubscriptionFacts(
        status=Status.ACTIVE,
        started_at=now,
        expires_at=expires_at,
        cancelled_at=None,
        current_period_start=now,
        current_period_end=min(boundary(now, 1, MONTH, zone), expires_at),
        trial_end=None,
        cancel_at_period_end=False,
        anchor_at=now,
        interval=MONTH,
        zone=zone,
    )
    return SubscriptionRow(uuid7(), user_id, present.account.id, terms.plan_id, terms.version_id, facts)


def _prolonged(facts: SubscriptionFacts, expires_at: datetime) -> SubscriptionFacts:
    # The calendar's end of the current period, which an expiry may have cut short.
    period = period_containing(facts.anchor_at, facts.current_period_start, facts.interval, facts.zone)
    return replace(
        facts,
        status=Status.ACTIVE,
        trial_end=None,
        expires_at=expires_at,
        cancel_at_period_end=False,
        current_period_end=min(period.end, expires_at),
    )


async def _prolong(session: WriteSession, subscription: SubscriptionRow, changed: SubscriptionFacts) -> None:
    await write_facts(session, subscription=subscription, facts=changed)
    await end_period(
        session,
        subscription=subscription,
        period_start=changed.current_period_start,
        period_end=changed.current_period_end,
    )


async def end_subscription(session: WriteSession, *, account_id: AccountId, catalogs: Catalogs, now: datetime) -> None:
    """Ends the live subscription now, if there is one; the account is on the default plan. Raises AccountUnknown."""
    await lock_account(session, account_id=account_id)
    present = await resolve(session, account_id=account_id, catalogs=catalogs, now=now)
    if present is None:
        raise AccountUnknown("No account has this id.")
    await _settle_what_is_due(session, account_id=account_id, present=present, now=now)
    await _end(session, present)
    await raise_version(session, account_id=account_id)


async def _end(session: WriteSession, present: Entitlements) -> None:
    subscription, facts = present.subscription, present.facts
    if subscription is None or facts is None:
        return
    ended = replace(facts, status=Status.CANCELLED, cancelled_at=present.now, cancel_at_period_end=False)
    if present.now > facts.current_period_start:
        ended = replace(ended, current_period_end=present.now)
    await write_facts(session, subscription=subscription, facts=ended)
    await end_period(
        session, subscription=subscription, period_start=facts.current_period_start, period_end=present.now
    )
