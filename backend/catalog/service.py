"""The catalog in the database: applying a document to it, and reading what is in force."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

from backend.catalog import repository
from backend.catalog.definitions import CatalogDocument
from backend.catalog.diff import CatalogDiff, StoredCatalog, StoredPlan, diff
from backend.catalog.document import load
from backend.catalog.errors import CatalogMissing, CatalogRefused
from backend.catalog.repository import StateKey, VersionRow
from backend.catalog.terms import Catalog, PlanTerms, QuotaTerms
from backend.db.audit import SYSTEM, Actor, Target, record
from backend.db.session import Database, ReadSession, SystemSession

_MOST_LINES = 200
_NO_CATALOG = "No plans have been applied to this database; run `feature seed`."


async def apply_file(database: Database, path: Path, *, now: datetime, actor: Actor = SYSTEM) -> CatalogDiff:
    """Applies plans.toml in a transaction of its own. Raises InvalidCatalog, CatalogRefused.

    Where many accounts are on the default plan, `database` should allow a statement more than a web request gets.
    """
    document = load(path)
    async with database.system() as session:
        return await apply(session, document, now=now, actor=actor)


async def apply_file_to(url: str, path: Path, *, now: datetime, actor: Actor = SYSTEM) -> CatalogDiff:
    """The same to the database at an address. Raises InvalidCatalog, CatalogRefused."""
    # A new default plan may concern every account there is, and another start may be applying the same file.
    database = Database(url, pool_size=1, statement_seconds=900, lock_seconds=60)
    try:
        return await apply_file(database, path, now=now, actor=actor)
    finally:
        await database.close()


async def apply(
    session: SystemSession,
    document: CatalogDocument,
    *,
    now: datetime,
    actor: Actor = SYSTEM,
    agreed: Callable[[CatalogDiff], None] | None = None,
) -> CatalogDiff:
    """Makes the database say what the document says, and returns what that changed; safe to repeat and to race.

    A plan that differs gets a new version; what exists keeps the one it has, except accounts without a subscription,
    which follow the default plan at once. A plan that is gone from the document is no longer sold. Rows that
    describe plans are put right even when no version changes. What is changed is in the audit log under `actor`, but
    for the first plans of a database. Raises CatalogRefused, and then nothing is written.

    `agreed` is told what would change when nobody else can change it any more, and before anything is written; what it
    raises ends it.
    """
    await repository.lock(session)
    stored = await load_stored(session)
    changes = diff(document, stored)
    if agreed is not None:
        agreed(changes)
    if changes.refusals:
        raise CatalogRefused("; ".join(changes.refusals) + ".", problems=list(changes.refusals))
    default_before = await repository.default_version(session)
    await repository.write_meters(session, document.meters)
    by_plan = {change.plan: change for change in changes.plans}
    for plan in document.plans:
        await repository.write_plan(session, plan, document=document, now=now)
        change = by_plan.get(plan.name)
        if change is not None and change.kind in {"new", "changed"}:
            await repository.append_version(session, plan, number=change.version, now=now)
    for change in changes.plans:
        if change.kind == "withdrawn":
            await repository.withdraw_plan(session, name=change.plan, now=now)
    if not changes.is_empty:
        await repository.write_state(session, document, now=now)
        if stored is not None:
            lines = changes.lines()[:_MOST_LINES]
            record(session, actor, "plans.apply", Target("plans", "all"), now=now, after={"changes": lines})
    if await repository.default_version(session) != default_before:
        await repository.raise_versions_on_default(session, now=now)
    return changes


async def load_stored(session: ReadSession) -> StoredCatalog | None:
    """What was applied before, as `diff` compares it; None when nothing was."""
    state = await repository.read_state(session)
    if state is None:
        return None
    versions = await repository.read_newest_versions(session)
    return StoredCatalog(
        currency=state.currency,
        billing_zone=state.billing_zone,
        default_plan=next(row.definition.name for row in versions if row.plan_id == state.default_plan_id),
        meters=await repository.read_meters(session),
        features=state.features,
        rate_limits=state.rate_limits,
        plans=tuple(StoredPlan(row.definition, row.number, row.is_active) for row in versions),
    )


async def load_catalog(session: ReadSession) -> Catalog:
    """What is sold now, read from all its rows; `Catalogs.current` remembers it. Raises CatalogMissing."""
    state = await repository.read_state(session)
    if state is None:
        raise missing()
    versions = await repository.read_newest_versions(session)
    return Catalog(
        default=next(_terms(row) for row in versions if row.plan_id == state.default_plan_id),
        plans=tuple(_terms(row) for row in versions if row.is_active),
        meters=await repository.read_meters(session),
        features={feature.key: feature.name for feature in state.features},
        rate_limits=state.rate_limits,
        currency=state.currency,
        billing_zone=state.billing_zone,
    )


async def load_terms(session: ReadSession, version_id: UUID) -> PlanTerms:
    """What one version grants; `Catalogs.terms` remembers it. Raises LookupError for an id that none has."""
    return _terms(await repository.read_version(session, version_id=version_id))


class Catalogs:
    """The catalog and the terms of versions, remembered in this process and never stale.

    One small row says which catalog is in force; it is read every time, all else only when it has changed. Versions
    never change, so their terms are kept until there are too many.
    """

    MAX_TERMS = 1_000

    def __init__(self) -> None:
        self._current: tuple[StateKey, Catalog] | None = None
        self._terms: OrderedDict[UUID, PlanTerms] = OrderedDict()

    async def current(self, session: ReadSession) -> Catalog:
        """What is sold now. Raises CatalogMissing."""
        key = await _key(session)
        if self._current is not None and self._current[0] == key:
            return self._current[1]
        while True:
            catalog = await load_catalog(session)
            before, key = key, await _key(session)
            # Each statement sees what is committed by then: another catalog may have come in between.
            if before == key:
                self._current = (key, catalog)
                return catalog

    def remembered(self, key: StateKey | None) -> Catalog | None:
        """The catalog of a key, if it is the one that was read last."""
        return self._current[1] if self._current is not None and self._current[0] == key else None

    async def terms(self, session: ReadSession, version_id: UUID) -> PlanTerms:
        """What one version grants. Raises LookupError for an id that none has."""
        found = self._terms.get(version_id)
        if found is None:
            found = await load_terms(session, version_id)
            self._terms[version_id] = found
            if len(self._terms) > self.MAX_TERMS:
                self._terms.popitem(last=False)
        else:
            self._terms.move_to_end(version_id)
        return found


def missing() -> CatalogMissing:
    """Nothing was ever applied."""
    return CatalogMissing(_NO_CATALOG)


async def _key(session: ReadSession) -> StateKey:
    key = await repository.read_key(session)
    if key is None:
        raise missing()
    return key


def _terms(row: VersionRow) -> PlanTerms:
    plan = row.definition
    return PlanTerms(
        version_id=row.version_id,
        plan_id=row.plan_id,
        name=plan.name,
        display_name=plan.display_name,
        description=plan.description,
        version=row.number,
        rank=plan.rank,
        recommended=plan.recommended,
        features=plan.features,
        rate_limit_multiplier=plan.rate_limit_multiplier,
        rate_limits=plan.rate_limits,
        max_jobs_in_flight=plan.max_jobs_in_flight,
        quotas={quota.meter: QuotaTerms(quota.meter, quota.limit, quota.window) for quota in plan.quotas},
        prices=plan.prices,
    )
