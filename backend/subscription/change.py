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
from backend.subscription.entitlements import MONTH, Entitlements, days_from, resolve
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

MAX_DAYS = 3_660


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
    expires_at = days_from(present.now, duration_days)
    await _settle_what_is_due(session, account_id=account_id, present=present, now=now)
    if present.subscription and present.facts and present.subscription.plan_id == terms.plan_id:
        assignment = await _prolong(session, present.subscription, present.facts, terms, expires_at)
    else:
        await _end(session, present)
        if terms.plan_id == present.catalog.default.plan_id:
            assignment = Assignment(terms.name, Status.ACTIVE.value, None, None)
        else:
            assignment = await _begin(session, present, user_id, terms, expires_at)
    await raise_version(session, account_id=account_id)
    outbox.publish(
        session,
        topic="subscription.changed",
        account_id=account_id,
        payload={"kind": "assigned", "plan": terms.name, "at": present.now.isoformat()},
    )
    return assignment


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


async def _prolong(
    session: WriteSession,
    subscription: SubscriptionRow,
    facts: SubscriptionFacts,
    terms: PlanTerms,
    expires_at: datetime,
) -> Assignment:
    # The calendar's end of the current period, which an expiry may have cut short.
    period = period_containing(facts.anchor_at, facts.current_period_start, facts.interval, facts.zone)
    changed = replace(
        facts,
        status=Status.ACTIVE,
        trial_end=None,
        expires_at=expires_at,
        cancel_at_period_end=False,
        current_period_end=min(period.end, expires_at),
    )
    await write_facts(session, subscription=subscription, facts=changed)
    await end_period(
        session,
        subscription=subscription,
        period_start=facts.current_period_start,
        period_end=changed.current_period_end,
    )
    return Assignment(terms.name, changed.status.value, subscription.id, expires_at)


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


async def _begin(
    session: WriteSession, present: Entitlements, user_id: UserId | None, terms: PlanTerms, expires_at: datetime
) -> Assignment:
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
    subscription = SubscriptionRow(uuid7(), user_id, present.account.id, terms.plan_id, terms.version_id, facts)
    await insert_subscription(session, subscription=subscription)
    return Assignment(terms.name, facts.status.value, subscription.id, expires_at)
