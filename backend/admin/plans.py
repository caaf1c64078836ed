"""Plans as operators see and change them: who is on which version, and what a new document would do."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select, text

from backend.admin.errors import PlansChanged, PlansInvalid
from backend.admin.operator import Operator
from backend.catalog import service
from backend.catalog.diff import CatalogDiff, StoredCatalog, diff
from backend.catalog.document import CatalogDocument, load
from backend.catalog.problems import InvalidCatalog
from backend.catalog.render import render
from backend.db.models import PlanVersion, SubscriptionPlan, UserSubscription
from backend.db.session import ReadSession, SystemSession

# A new default plan concerns every account without a subscription.
_PATIENCE = text("SELECT set_config('statement_timeout', '60s', true), set_config('lock_timeout', '10s', true)")
_LIVE = ("trial", "active", "past_due")


@dataclass(frozen=True, slots=True)
class VersionInUse:
    """A version of a plan and how many live subscriptions are on it."""

    number: int
    created_at: datetime
    subscriptions: int


@dataclass(frozen=True, slots=True)
class PlanInUse:
    """A plan with its versions, the newest first. Who has no subscription is on the newest of the default plan."""

    id: UUID
    name: str
    display_name: str
    is_active: bool
    is_default: bool
    versions: Sequence[VersionInUse]


@dataclass(frozen=True, slots=True)
class PlansInUse:
    """All plans there ever were, what is stored as a file of plans, and whether the server's own file says the same.

    `file_agrees` is None where that file cannot be read. Each start of the platform applies the file.
    """

    plans: Sequence[PlanInUse]
    document: str
    file_agrees: bool | None


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a document would change, or has changed. `ticket` stands for exactly this change."""

    found: CatalogDiff

    @property
    def ticket(self) -> str:
        return hashlib.sha256("\n".join(self.found.lines()).encode()).hexdigest()[:32]


async def plans_in_use(session: ReadSession, *, file: Path) -> PlansInUse:
    """Reads everything about plans. Raises CatalogMissing."""
    stored = await service.load_stored(session)
    if stored is None:
        raise service.missing()
    counted = (
        select(UserSubscription.plan_version_id, func.count().label("number"))
        .where(UserSubscription.status.in_(_LIVE))
        .group_by(UserSubscription.plan_version_id)
        .subquery()
    )
    rows = await session.execute(
        select(SubscriptionPlan, PlanVersion.number, PlanVersion.created_at, func.coalesce(counted.c.number, 0))
        .join(PlanVersion, PlanVersion.plan_id == SubscriptionPlan.id)
        .outerjoin(counted, counted.c.plan_version_id == PlanVersion.id)
        .order_by(PlanVersion.number.desc())
    )
    plans: dict[UUID, SubscriptionPlan] = {}
    versions: dict[UUID, list[VersionInUse]] = {}
    for plan, number, created_at, subscriptions in rows:
        plans[plan.id] = plan
        versions.setdefault(plan.id, []).append(VersionInUse(number, created_at, subscriptions))
    order = {plan.definition.name: plan.definition.rank for plan in stored.plans}
    found = [
        PlanInUse(
            plan.id, plan.name, plan.display_name, plan.is_active, plan.name == stored.default_plan, versions[plan.id]
        )
        for plan in sorted(plans.values(), key=lambda plan: (order[plan.name], plan.name))
    ]
    return PlansInUse(found, render(stored), await asyncio.to_thread(_agrees, file, stored))


async def read(document: str) -> CatalogDocument:
    """A file of plans. Raises PlansInvalid. Others are served meanwhile, whatever it says."""
    try:
        return await asyncio.to_thread(load, document)
    except InvalidCatalog as error:
        raise PlansInvalid(
            "The file of plans has mistakes; nothing was changed.",
            problems=[str(problem) for problem in error.problems],
        ) from error


async def preview(session: ReadSession, document: CatalogDocument) -> Change:
    """What applying this file of plans would change, with what stands against it."""
    return Change(diff(document, await service.load_stored(session)))


async def apply(session: SystemSession, operator: Operator, document: str, *, ticket: str, now: datetime) -> Change:
    """Makes this file of plans the one in force, if it still changes what its preview showed.

    What was sold stays as it was sold. Raises PlansInvalid, PlansChanged, CatalogRefused.
    """

    def agreed(found: CatalogDiff) -> None:
        if Change(found).ticket != ticket:
            raise PlansChanged("The plans were changed meanwhile: preview it again.")

    catalog = await read(document)
    await session.execute(_PATIENCE)
    return Change(await service.apply(session, catalog, now=now, actor=operator.actor, agreed=agreed))


def _agrees(file: Path, stored: StoredCatalog) -> bool | None:
    try:
        return diff(load(file), stored).is_empty
    except InvalidCatalog:
        return None
