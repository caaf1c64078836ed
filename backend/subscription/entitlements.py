"""What an account may do now: its plan's terms, its period, its limits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from feature_platform.core.gcra import RateLimit

from backend.catalog.definitions import MeterDefinition
from backend.catalog.service import Catalogs
from backend.catalog.terms import Catalog, PlanTerms, QuotaTerms
from backend.core.ids import AccountId
from backend.db.session import ReadSession
from backend.subscription import lifecycle, stacking
from backend.subscription.lifecycle import SubscriptionFacts
from backend.subscription.periods import Interval, day_window, period_window
from backend.subscription.repository import AccountRow, State, SubscriptionRow, load_state, load_states
from backend.subscription.stacking import Override
from backend.usage.model import LEVEL, Scope, Window

MONTH = Interval("month")


@dataclass(frozen=True, slots=True)
class Entitlements:
    """The answer to "what may this account do?" at one moment of the account's clock.

    `subscription` with `facts` is the live one as of `now`; both None means the default plan. `overrides` are those
    that are not over, in the order in which they were made, also those that have not begun. `version` is the
    account's when this was read: who spends on these terms checks that it still is.
    """

    account: AccountRow
    now: datetime
    catalog: Catalog
    terms: PlanTerms
    subscription: SubscriptionRow | None
    facts: SubscriptionFacts | None
    period: Window
    overrides: tuple[Override, ...] = ()

    def seen_at(self, now: datetime) -> "Entitlements":
        """The same, looked at at another moment of the system's clock before anything of it ends."""
        return replace(self, now=now + self.account.clock_offset)

    @property
    def zone(self) -> ZoneInfo:
        """The billing zone in which days and periods begin."""
        return self.facts.zone if self.facts else self.account.zone

    @property
    def scope(self) -> Scope:
        """Whose usage it is, and the period whose record it enters."""
        assert self.period.end is not None
        return Scope(self.account.id, self.account.owner_user_id, self.period.start, self.period.end)

    def quota(self, meter: str) -> QuotaTerms:
        """What the account may use of a meter now: the plan's quota, with the overrides in force."""
        quota = self.plan_quota(meter)
        return replace(quota, limit=self.with_overrides(meter, quota.limit)) if self.overrides else quota

    def plan_quota(self, meter: str) -> QuotaTerms:
        """What the plan says of a meter. A meter younger than the plan's version is not part of it: nothing."""
        return self.terms.quotas.get(meter) or QuotaTerms(meter, 0, "period")

    def in_force(self, meter: str) -> tuple[Override, ...]:
        """The overrides that make the limit of a meter now, in the order in which they are applied."""
        return stacking.in_force(self.overrides, meter, self.now)

    def with_overrides(self, meter: str, limit: int | None, *, at: datetime | None = None) -> int | None:
        """What the overrides in force, now or at another moment, make of a plan's limit, of this or another plan."""
        return stacking.stacked(limit, stacking.in_force(self.overrides, meter, at or self.now))

    def limits_ahead(self, meter: str) -> list[tuple[datetime, int | None]]:
        """The moments at which overrides of a meter begin or end by themselves, each with the limit from then on."""
        own = [one for one in self.overrides if one.meter == meter]
        return [(at, self.limit_at(meter, at)) for at in stacking.boundaries(own, self.now)]

    def limit_at(self, meter: str, at: datetime) -> int | None:
        """The limit at a later moment, by the plan of now and the overrides that are known."""
        return self.with_overrides(meter, self.plan_quota(meter).limit, at=at)

    @property
    def limits_until(self) -> datetime | None:
        """When the next override begins or ends by itself, by the account's clock; None: none does."""
        return min(stacking.boundaries(self.overrides, self.now), default=None)

    @property
    def good_until(self) -> datetime:
        """When these entitlements are others if nobody changes anything, by the clock of the system."""
        assert self.period.end is not None
        ends = [self.period.end, self.limits_until, lifecycle.next_due_at(self.facts) if self.facts else None]
        ends += [self.window(meter).end for meter in self.catalog.meters]
        return min(end for end in ends if end is not None) - self.account.clock_offset

    def window(self, meter: MeterDefinition) -> Window:
        """The window that a spend of now falls into."""
        if meter.kind == "gauge":
            return LEVEL
        return day_window(self.now, self.zone) if self.quota(meter.key).window == "day" else self.period

    def has_feature(self, feature: str) -> bool:
        """Whether the plan contains it; False for one that nobody has heard of."""
        return self.terms.features.get(feature, False)

    def rate_limit(self, scope: str) -> RateLimit | None:
        """The plan's own limit of a scope, or the base limit times the plan's multiplier; None is unlimited."""
        own = self.terms.rate_limits.get(scope)
        if own is not None:
            return own
        base = self.catalog.rate_limits.get(scope)
        return base.times(self.terms.rate_limit_multiplier) if base else None

    @property
    def multiplier(self) -> Decimal:
        return self.terms.rate_limit_multiplier


def period_of(account: AccountRow, facts: SubscriptionFacts | None, now: datetime) -> Window:
    """The period that contains `now`: the subscription's, or monthly from the account's anchor without one."""
    if facts is not None:
        return Window(facts.current_period_start, facts.current_period_end)
    return period_window(account.usage_anchor, now, MONTH, account.zone)


async def resolve(
    session: ReadSession, *, account_id: AccountId, catalogs: Catalogs, now: datetime
) -> Entitlements | None:
    """Entitlements at `now` (the system's clock; a test-mode account adds its offset). None: no such account."""
    state = await load_state(session, account_id=account_id, now=now)
    return None if state is None else await _entitle(session, state, catalogs, now)


async def resolve_many(
    session: ReadSession, *, account_ids: Sequence[AccountId], catalogs: Catalogs, now: datetime
) -> dict[AccountId, Entitlements]:
    """The same of many accounts, read at once; those that do not exist are missing."""
    states = await load_states(session, account_ids=account_ids, now=now)
    catalog = await catalogs.current(session)
    return {account_id: await _entitle(session, state, catalogs, now, catalog) for account_id, state in states.items()}


async def _entitle(
    session: ReadSession, state: State, catalogs: Catalogs, now: datetime, catalog: Catalog | None = None
) -> Entitlements:
    account, subscription, overrides = state
    catalog = catalog or await catalogs.current(session)
    its_now = now + account.clock_offset
    facts = lifecycle.at(subscription.facts, its_now) if subscription else None
    terms = catalog.default
    if subscription is None or facts is None or facts.status not in lifecycle.GRANTS_PLAN:
        subscription = facts = None
    else:
        terms = await catalogs.terms(session, subscription.plan_version_id)
    period = period_of(account, facts, its_now)
    return Entitlements(account, its_now, catalog, terms, subscription, facts, period, overrides)


def days_from(now: datetime, days: int) -> datetime:
    """`days` times 24 hours later."""
    return now + timedelta(days=days)
