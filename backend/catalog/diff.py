"""What applying a catalog document would change, in words, without changing anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from feature_platform.core.gcra import RateLimit

from backend.catalog.definitions import (
    CatalogDocument,
    FeatureDefinition,
    MeterDefinition,
    PlanDefinition,
    QuotaDefinition,
    content_hash,
)
from backend.catalog.units import amount_text


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """The newest version of a plan as it is stored; `is_active` is whether it is still sold."""

    definition: PlanDefinition
    version: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class StoredCatalog:
    """All that was applied before."""

    currency: str
    billing_zone: str
    default_plan: str
    meters: tuple[MeterDefinition, ...]
    features: tuple[FeatureDefinition, ...]
    rate_limits: Mapping[str, RateLimit]
    plans: tuple[StoredPlan, ...]


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What becomes of one plan: `version` is the number of the version it then has.

    `new` and `changed` make that version; `withdrawn` is no longer sold, and who has it keeps it; `restored` is sold
    again as it was.
    """

    plan: str
    kind: Literal["new", "changed", "withdrawn", "restored"]
    version: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogDiff:
    """All changes. With `refusals` the document cannot be applied: what was counted would change its meaning."""

    refusals: tuple[str, ...]
    catalog: tuple[str, ...]
    plans: tuple[PlanChange, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.refusals or self.catalog or self.plans)

    def lines(self) -> list[str]:
        """For people, one fact a line; empty when nothing would change."""
        shown = [f"refused: {line}" for line in self.refusals]
        shown += self.catalog
        for change in self.plans:
            shown.append(_heading(change))
            shown += [f"  {line}" for line in change.lines]
        return shown


def diff(document: CatalogDocument, stored: StoredCatalog | None) -> CatalogDiff:
    """Compares a document with what is stored; None is an empty database."""
    if stored is None:
        plans = tuple(PlanChange(plan.name, "new", 1, _described(plan, document)) for plan in document.plans)
        return CatalogDiff((), (f'default plan: "{document.default_plan}"',), plans)
    return CatalogDiff(
        refusals=tuple(_refusals(document, stored)),
        catalog=tuple(_catalog_lines(document, stored)),
        plans=tuple(_plan_changes(document, stored)),
    )


def _heading(change: PlanChange) -> str:
    match change.kind:
        case "new":
            return f"plan {change.plan}: new, version {change.version}"
        case "changed":
            return f"plan {change.plan}: version {change.version - 1} -> {change.version}"
        case "withdrawn":
            return f"plan {change.plan}: no longer sold; who has it keeps version {change.version}"
        case "restored":
            return f"plan {change.plan}: sold again, as version {change.version}"


def _refusals(document: CatalogDocument, stored: StoredCatalog) -> Iterator[str]:
    meters = {meter.key: meter for meter in document.meters}
    for old in stored.meters:
        new = meters.get(old.key)
        if new is None:
            yield f"the meter {old.key} has been counted and cannot be removed"
        elif (new.unit, new.kind) != (old.unit, old.kind):
            yield (
                f"the meter {old.key} counts {old.unit} as a {old.kind} and cannot become {new.unit} as a {new.kind}; "
                "give the new meaning a new name"
            )


def _catalog_lines(document: CatalogDocument, stored: StoredCatalog) -> Iterator[str]:
    yield from _changed("default plan", stored.default_plan, document.default_plan)
    yield from _changed("currency", stored.currency, document.currency)
    yield from _changed("billing time zone", stored.billing_zone, document.billing_zone)
    old_meters = {meter.key: meter for meter in stored.meters}
    for meter in document.meters:
        old_meter = old_meters.get(meter.key)
        if old_meter is None:
            yield f"meter {meter.key}: new, a {meter.kind} of {meter.unit}"
            continue
        yield from _changed(f"meter {meter.key}: name", old_meter.name, meter.name)
        yield from _changed(f"meter {meter.key}: shown in", old_meter.display_unit, meter.display_unit)
        yield from _changed(f"meter {meter.key}: place in lists", old_meter.position, meter.position)
        yield from _changed(f"meter {meter.key}: durability", old_meter.durability, meter.durability)
    old_features = {feature.key: feature for feature in stored.features}
    for feature in document.features:
        old_feature = old_features.pop(feature.key, None)
        if old_feature is None:
            yield f"feature {feature.key}: new"
        else:
            yield from _changed(f"feature {feature.key}: name", old_feature.name, feature.name)
            yield from _changed(f"feature {feature.key}: description", old_feature.description, feature.description)
    for key in old_features:
        yield f"feature {key}: removed"
    yield from _rate_limit_lines("base rate limit", stored.rate_limits, document.rate_limits)


def _plan_changes(document: CatalogDocument, stored: StoredCatalog) -> Iterator[PlanChange]:
    old_plans = {plan.definition.name: plan for plan in stored.plans}
    for plan in document.plans:
        old = old_plans.pop(plan.name, None)
        if old is None:
            yield PlanChange(plan.name, "new", 1, _described(plan, document))
        elif content_hash(old.definition) != content_hash(plan):
            lines = tuple(_plan_lines(old.definition, plan, document, stored))
            if not old.is_active:
                lines = ("sold again", *lines)
            yield PlanChange(plan.name, "changed", old.version + 1, lines)
        elif not old.is_active:
            yield PlanChange(plan.name, "restored", old.version, ())
    for name, old in old_plans.items():
        if old.is_active:
            yield PlanChange(name, "withdrawn", old.version, ())


def _plan_lines(
    old: PlanDefinition, new: PlanDefinition, document: CatalogDocument, stored: StoredCatalog
) -> Iterator[str]:
    yield from _changed("name", old.display_name, new.display_name)
    yield from _changed("description", old.description, new.description)
    yield from _changed("rank", old.rank, new.rank)
    yield from _changed("recommended", _yes(old.recommended), _yes(new.recommended))
    for key in sorted(old.features.keys() | new.features.keys()):
        yield from _changed(f"feature {key}", _contained(old, key), _contained(new, key))
    meters = {meter.key: meter for meter in (*stored.meters, *document.meters)}
    old_quotas = {quota.meter: quota for quota in old.quotas}
    new_quotas = {quota.meter: quota for quota in new.quotas}
    for key in dict.fromkeys([*new_quotas, *old_quotas]):
        yield from _changed(
            f"quota {key}", _quota_text(old_quotas.get(key), meters), _quota_text(new_quotas.get(key), meters)
        )
    yield from _changed("rate limit multiplier", f"{old.rate_limit_multiplier:.2f}", f"{new.rate_limit_multiplier:.2f}")
    yield from _rate_limit_lines("own rate limit", old.rate_limits, new.rate_limits)
    yield from _changed("jobs in flight", _count(old.max_jobs_in_flight), _count(new.max_jobs_in_flight))
    old_prices, new_prices = _price_texts(old), _price_texts(new)
    for key in sorted(old_prices.keys() | new_prices.keys()):
        yield from _changed(f"price {key}", old_prices.get(key), new_prices.get(key))


def _described(plan: PlanDefinition, document: CatalogDocument) -> tuple[str, ...]:
    meters = {meter.key: meter for meter in document.meters}
    lines = [f"quota {quota.meter}: {_quota_text(quota, meters)}" for quota in plan.quotas]
    lines += [f"price {key}: {text}" for key, text in _price_texts(plan).items()]
    contained = ", ".join(key for key in plan.features if plan.features[key])
    return (*lines, f"features: {contained or 'none'}")


def _rate_limit_lines(what: str, old: Mapping[str, RateLimit], new: Mapping[str, RateLimit]) -> Iterator[str]:
    for scope in sorted(old.keys() | new.keys()):
        yield from _changed(f"{what} {scope}", _rate_text(old.get(scope)), _rate_text(new.get(scope)))


def _changed(what: str, old: object, new: object) -> Iterator[str]:
    if old != new:
        yield f"{what}: {'none' if old is None else old} -> {'none' if new is None else new}"


def _quota_text(quota: QuotaDefinition | None, meters: Mapping[str, MeterDefinition]) -> str | None:
    if quota is None:
        return None
    meter = meters[quota.meter]
    text = amount_text(quota.limit, meter.unit, meter.display_unit)
    if quota.window != "none":
        text += f" a {quota.window}"
    if quota.on_downgrade is not None:
        text += ", read-only after a downgrade"
    if quota.notify:
        text += f", notice at {', '.join(f'{percent} %' for percent in quota.notify)}"
    return text


def _price_texts(plan: PlanDefinition) -> dict[str, str]:
    return {price.key: f"{price.amount} a {price.every}" for price in plan.prices}


def _rate_text(limit: RateLimit | None) -> str | None:
    return None if limit is None else f"{limit.requests:,} in {limit.per_seconds:,} s, burst {limit.burst:,}"


def _contained(plan: PlanDefinition, feature: str) -> str | None:
    return _yes(plan.features[feature]) if feature in plan.features else None


def _count(number: int | None) -> str:
    return "unlimited" if number is None else f"{number:,}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
