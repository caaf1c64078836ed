"""The SQL of the catalog."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

from feature_platform.core.gcra import RateLimit
from sqlalchemy import Select, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from backend.catalog.definitions import (
    CatalogDocument,
    Durability,
    FeatureDefinition,
    MeterDefinition,
    MeterKind,
    PlanDefinition,
    PriceDefinition,
    PriceInterval,
    QuotaDefinition,
    WindowKind,
    content_hash,
    document_hash,
    rate_limits_json,
)
from backend.catalog.described import described_columns
from backend.core.ids import AccountId, uuid7
from backend.core.money import Money
from backend.db import outbox
from backend.db.models import CatalogState, Meter, PlanPrice, PlanQuota, PlanVersion, SubscriptionPlan
from backend.db.session import ReadSession, SystemSession

# Held by whoever applies plans; any number that nobody else locks.
# Which catalog is in force, in one row; also for those who speak to the driver themselves.
READ_KEY = "SELECT document_hash, applied_at, default_plan_id FROM catalog_state"
_LOCK = text("SELECT pg_advisory_xact_lock(7306110216)")

# A subscription whose time has passed is not live any more, although no sweep has written that down yet.
_FOLLOW_DEFAULT = text("""
    UPDATE accounts a SET version = version + 1, updated_at = now()
    WHERE NOT EXISTS (
        SELECT 1 FROM user_subscriptions s JOIN subscription_schedules d ON d.subscription_id = s.id
        WHERE s.account_id = a.id AND s.status IN ('trial', 'active', 'past_due')
          AND (d.next_due_at IS NULL OR d.next_due_at > CAST(:now AS timestamptz) + a.clock_offset)
    )
    RETURNING a.id, EXISTS (
        SELECT FROM meter_usage u WHERE u.account_id = a.id
            AND (u.window_end IS NULL OR u.window_end > CAST(:now AS timestamptz) + a.clock_offset)
    ) AS is_counting
""")

_PLAN_COLUMNS = (SubscriptionPlan.id.label("plan_id"), SubscriptionPlan.name, SubscriptionPlan.is_active)
_VERSION_COLUMNS = (
    PlanVersion.id.label("version_id"),
    PlanVersion.number,
    PlanVersion.display_name,
    PlanVersion.description,
    PlanVersion.rank,
    PlanVersion.recommended,
    PlanVersion.features,
    PlanVersion.rate_limit_multiplier,
    PlanVersion.rate_limits,
    PlanVersion.max_jobs_in_flight,
)


@dataclass(frozen=True, slots=True)
class StateKey:
    """What tells one applied catalog from every other, in this database and in its copies."""

    document_hash: bytes
    applied_at: datetime
    default_plan_id: UUID


@dataclass(frozen=True, slots=True)
class State:
    """The catalog's own row. `features` are in the order of the file."""

    default_plan_id: UUID
    currency: str
    billing_zone: str
    rate_limits: Mapping[str, RateLimit]
    features: tuple[FeatureDefinition, ...]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of one plan, with the ids under which it is stored."""

    plan_id: UUID
    version_id: UUID
    number: int
    is_active: bool
    definition: PlanDefinition


async def lock(session: SystemSession) -> None:
    """Whoever writes the catalog holds this until the end of the transaction."""
    await session.execute(_LOCK)


async def read_key(session: ReadSession) -> StateKey | None:
    """Which catalog is in force; None when none was ever applied."""
    row = (await session.execute(text(READ_KEY))).one_or_none()
    return None if row is None else StateKey(*row)


async def read_state(session: ReadSession) -> State | None:
    """The catalog's own row; None when none was ever applied."""
    row = (
        await session.execute(
            select(
                CatalogState.default_plan_id,
                CatalogState.currency,
                CatalogState.billing_zone,
                CatalogState.rate_limits,
                CatalogState.features,
            )
        )
    ).one_or_none()
    if row is None:
        return None
    features = sorted(row.features.items(), key=lambda entry: entry[1]["position"])
    return State(
        default_plan_id=row.default_plan_id,
        currency=row.currency,
        billing_zone=row.billing_zone,
        rate_limits=_rate_limits(row.rate_limits),
        features=tuple(FeatureDefinition(key, value["name"], value["description"]) for key, value in features),
    )


async def read_meters(session: ReadSession) -> tuple[MeterDefinition, ...]:
    """All meters, in order of position."""
    rows = await session.execute(
        select(
            Meter.key, Meter.name, Meter.unit, Meter.display_unit, Meter.kind, Meter.position, Meter.durability
        ).order_by(Meter.position, Meter.key)
    )
    return tuple(
        MeterDefinition(
            row.key,
            row.name,
            row.unit,
            row.display_unit,
            cast(MeterKind, row.kind),
            row.position,
            cast(Durability, row.durability),
        )
        for row in rows
    )


async def read_newest_versions(session: ReadSession) -> list[VersionRow]:
    """The newest version of every plan, in order of rank; of withdrawn plans too."""
    other = aliased(PlanVersion)
    newest = select(func.max(other.number)).where(other.plan_id == SubscriptionPlan.id).scalar_subquery()
    return await _versions(session, _select_versions().where(PlanVersion.number == newest))


async def read_version(session: ReadSession, *, version_id: UUID) -> VersionRow:
    """One version, however old. Raises LookupError for an id that none has."""
    found = await _versions(session, _select_versions().where(PlanVersion.id == version_id))
    if not found:
        raise LookupError(f"no plan version {version_id}")
    return found[0]


async def write_meters(session: SystemSession, meters: Iterable[MeterDefinition]) -> None:
    """Makes the meters what they are in the file; a row that is right already is not touched."""
    for meter in meters:
        shown = {
            "name": meter.name,
            "display_unit": meter.display_unit,
            "position": meter.position,
            "durability": meter.durability,
        }
        await session.execute(
            upsert(Meter)
            .values(key=meter.key, unit=meter.unit, kind=meter.kind, **shown)
            .on_conflict_do_update(
                index_elements=[Meter.key],
                set_=shown,
                where=or_(*(getattr(Meter, name).is_distinct_from(value) for name, value in shown.items())),
            )
        )


async def write_plan(session: SystemSession, plan: PlanDefinition, *, document: CatalogDocument, now: datetime) -> None:
    """Makes the row of a plan what its newest version says, and the plan sold; a row that is right is not touched."""
    described = {**described_columns(plan, document), "is_active": True}
    await session.execute(
        upsert(SubscriptionPlan)
        .values(id=uuid7(), **described, created_at=now, updated_at=now)
        .on_conflict_do_update(
            index_elements=[SubscriptionPlan.name],
            set_={**described, "updated_at": now},
            where=or_(*(getattr(SubscriptionPlan, name).is_distinct_from(value) for name, value in described.items())),
        )
    )


async def withdraw_plan(session: SystemSession, *, name: str, now: datetime) -> None:
    """The plan is no longer sold; who has it keeps it."""
    await session.execute(
        update(SubscriptionPlan).where(SubscriptionPlan.name == name).values(is_active=False, updated_at=now)
    )


async def append_version(session: SystemSession, plan: PlanDefinition, *, number: int, now: datetime) -> None:
    """Writes a version of a plan whose row exists, with its quotas and prices: for good."""
    version_id = uuid7()
    await session.execute(
        insert(PlanVersion).values(
            id=version_id,
            plan_id=select(SubscriptionPlan.id).where(SubscriptionPlan.name == plan.name).scalar_subquery(),
            number=number,
            display_name=plan.display_name,
            description=plan.description,
            rank=plan.rank,
            recommended=plan.recommended,
            features=dict(plan.features),
            rate_limit_multiplier=plan.rate_limit_multiplier,
            rate_limits=rate_limits_json(plan.rate_limits),
            max_jobs_in_flight=plan.max_jobs_in_flight,
            content_hash=bytes.fromhex(content_hash(plan)),
            created_at=now,
        )
    )
    for quota in plan.quotas:
        await session.execute(
            insert(PlanQuota).values(
                plan_version_id=version_id,
                meter=quota.meter,
                limit_amount=quota.limit,
                window_kind=quota.window,
                at_limit=quota.at_limit,
                on_downgrade=quota.on_downgrade,
                notify_percent=list(quota.notify),
            )
        )
    for price in plan.prices:
        await session.execute(
            insert(PlanPrice).values(
                id=uuid7(),
                plan_version_id=version_id,
                key=price.key,
                interval=price.every,
                currency=price.amount.currency,
                amount_minor=price.amount.amount_minor,
            )
        )


async def write_state(session: SystemSession, document: CatalogDocument, *, now: datetime) -> None:
    """The catalog's own row, from which every process sees that something has changed: no two states look alike."""
    values = {
        "default_plan_id": select(SubscriptionPlan.id)
        .where(SubscriptionPlan.name == document.default_plan)
        .scalar_subquery(),
        "currency": document.currency,
        "billing_zone": document.billing_zone,
        "rate_limits": rate_limits_json(document.rate_limits),
        "features": {
            feature.key: {"name": feature.name, "description": feature.description, "position": position}
            for position, feature in enumerate(document.features)
        },
        "document_hash": bytes.fromhex(document_hash(document)),
        "applied_at": now,
    }
    later = func.greatest(now, CatalogState.applied_at + timedelta(microseconds=1))
    await session.execute(
        upsert(CatalogState)
        .values(id=1, **values)
        .on_conflict_do_update(index_elements=[CatalogState.id], set_={**values, "applied_at": later})
    )


async def default_version(session: ReadSession) -> UUID | None:
    """The version that accounts without a subscription have; None before anything was applied."""
    found: UUID | None = await session.scalar(
        select(PlanVersion.id)
        .join(CatalogState, CatalogState.default_plan_id == PlanVersion.plan_id)
        .order_by(PlanVersion.number.desc())
        .limit(1)
    )
    return found


async def raise_versions_on_default(session: SystemSession, *, now: datetime) -> None:
    """Tells every cache that the default plan has changed for the accounts that are on it; of those that are counting
    also whoever listens."""
    for row in (await session.execute(_FOLLOW_DEFAULT, {"now": now})).all():
        if row.is_counting:
            payload = {"at": now.isoformat()}
            outbox.publish(session, topic="default_plan.changed", account_id=AccountId(row.id), payload=payload)


def _select_versions() -> Select[Any]:
    return (
        select(*_PLAN_COLUMNS, *_VERSION_COLUMNS)
        .join(PlanVersion, PlanVersion.plan_id == SubscriptionPlan.id)
        .order_by(PlanVersion.rank, SubscriptionPlan.name)
    )


async def _versions(session: ReadSession, wanted: Select[Any]) -> list[VersionRow]:
    rows = (await session.execute(wanted)).all()
    ids = [row.version_id for row in rows]
    quotas: dict[UUID, list[QuotaDefinition]] = {}
    for quota in await session.execute(
        select(
            PlanQuota.plan_version_id,
            PlanQuota.meter,
            PlanQuota.limit_amount,
            PlanQuota.window_kind,
            PlanQuota.on_downgrade,
            PlanQuota.notify_percent,
        )
        .join(Meter, Meter.key == PlanQuota.meter)
        .where(PlanQuota.plan_version_id.in_(ids))
        .order_by(Meter.position, Meter.key)
    ):
        quotas.setdefault(quota.plan_version_id, []).append(_quota(quota))
    prices: dict[UUID, list[PriceDefinition]] = {}
    for price in await session.execute(
        select(PlanPrice.plan_version_id, PlanPrice.key, PlanPrice.interval, PlanPrice.currency, PlanPrice.amount_minor)
        .where(PlanPrice.plan_version_id.in_(ids))
        .order_by(PlanPrice.interval)
    ):
        prices.setdefault(price.plan_version_id, []).append(_price(price))
    return [_version(row, quotas.get(row.version_id, []), prices.get(row.version_id, [])) for row in rows]


def _version(row: Any, quotas: list[QuotaDefinition], prices: list[PriceDefinition]) -> VersionRow:
    definition = PlanDefinition(
        name=row.name,
        display_name=row.display_name,
        description=row.description,
        rank=row.rank,
        recommended=row.recommended,
        features=row.features,
        rate_limit_multiplier=row.rate_limit_multiplier,
        rate_limits=_rate_limits(row.rate_limits),
        max_jobs_in_flight=row.max_jobs_in_flight,
        quotas=tuple(quotas),
        prices=tuple(prices),
    )
    return VersionRow(row.plan_id, row.version_id, row.number, row.is_active, definition)


def _quota(row: Any) -> QuotaDefinition:
    return QuotaDefinition(
        meter=row.meter,
        limit=row.limit_amount,
        window=cast(WindowKind, row.window_kind),
        at_limit="block",
        on_downgrade=cast(Literal["read_only"] | None, row.on_downgrade),
        notify=tuple(row.notify_percent),
    )


def _price(row: Any) -> PriceDefinition:
    return PriceDefinition(row.key, cast(PriceInterval, row.interval), Money(row.amount_minor, row.currency))


def _rate_limits(stored: Mapping[str, Mapping[str, int]]) -> dict[str, RateLimit]:
    return {
        scope: RateLimit(limit["requests"], limit["per_seconds"], limit["burst"]) for scope, limit in stored.items()
    }
