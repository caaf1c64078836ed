"""A stored catalog as plans.toml. Pure."""

import json
from collections.abc import Iterator, Mapping

from feature_platform.core.gcra import RateLimit

from backend.catalog.definitions import (
    STRICT_METERS,
    MeterDefinition,
    PlanDefinition,
    PriceDefinition,
    QuotaDefinition,
)
from backend.catalog.diff import StoredCatalog
from backend.catalog.document import SCHEMA
from backend.catalog.units import SPANS, units_of


def render(stored: StoredCatalog) -> str:
    """The text that says what is stored: applying it changes nothing. Withdrawn plans are not in it."""
    lines = [
        f"schema = {SCHEMA}",
        f"currency = {_text(stored.currency)}",
        f"timezone = {_text(stored.billing_zone)}",
        f"default_plan = {_text(stored.default_plan)}",
    ]
    for meter in stored.meters:
        lines += ["", f"[meters.{meter.key}]", *_meter(meter)]
    for feature in stored.features:
        lines += ["", f"[features.{feature.key}]", f"name = {_text(feature.name)}"]
        lines += [f"description = {_text(feature.description)}"] if feature.description else []
    if stored.rate_limits:
        lines += ["", "[rate_limits]", *_rate_limits(stored.rate_limits)]
    meters = {meter.key: meter for meter in stored.meters}
    order = [feature.key for feature in stored.features]
    for plan in stored.plans:
        if plan.is_active:
            lines += ["", *_plan(plan.definition, meters, order)]
    return "\n".join(lines) + "\n"


def _meter(meter: MeterDefinition) -> Iterator[str]:
    yield f"name = {_text(meter.name)}"
    yield f"unit = {_text(meter.unit)}"
    if meter.display_unit is not None:
        yield f"display_unit = {_text(meter.display_unit)}"
    yield f"kind = {_text(meter.kind)}"
    if meter.kind == "counter" and meter.key not in STRICT_METERS:
        yield f"durability = {_text(meter.durability)}"


def _plan(plan: PlanDefinition, meters: Mapping[str, MeterDefinition], features: list[str]) -> Iterator[str]:
    yield f"[plans.{plan.name}]"
    yield f"name = {_text(plan.display_name)}"
    if plan.description:
        yield f"description = {_text(plan.description)}"
    yield f"rank = {plan.rank}"
    if plan.recommended:
        yield "recommended = true"
    contained = [_text(feature) for feature in features if plan.features.get(feature)]
    yield f"features = [{', '.join(contained)}]"
    yield f"rate_limit_multiplier = {_text(f'{plan.rate_limit_multiplier:.2f}')}"
    jobs = '"unlimited"' if plan.max_jobs_in_flight is None else plan.max_jobs_in_flight
    yield f"max_jobs_in_flight = {jobs}"
    if plan.prices:
        yield f"prices = [{', '.join(_price(price) for price in plan.prices)}]"
    yield f"[plans.{plan.name}.quotas]"
    for quota in plan.quotas:
        yield f"{quota.meter} = {_quota(quota, meters[quota.meter])}"
    if plan.rate_limits:
        yield f"[plans.{plan.name}.rate_limits]"
        yield from _rate_limits(plan.rate_limits)


def _price(price: PriceDefinition) -> str:
    return f"{{ id = {_text(price.key)}, every = {_text(price.every)}, amount = {_text(price.amount.major())} }}"


def _quota(quota: QuotaDefinition, meter: MeterDefinition) -> str:
    parts = [f"limit = {_limit(quota.limit, meter)}"]
    if quota.window != "none":
        parts.append(f"window = {_text(quota.window)}")
    parts.append(f"at_limit = {_text(quota.at_limit)}")
    if quota.on_downgrade is not None:
        parts.append(f"on_downgrade = {_text(quota.on_downgrade)}")
    if quota.notify:
        parts.append(f"notify = [{', '.join(str(percent) for percent in quota.notify)}]")
    return f"{{ {', '.join(parts)} }}"


def _limit(limit: int | None, meter: MeterDefinition) -> str:
    if limit is None:
        return '"unlimited"'
    size = units_of(meter.unit).get(meter.display_unit or meter.unit, 1)
    if size == 1 or limit % size:
        return str(limit)
    return _text(f"{limit // size} {meter.display_unit}")


def _rate_limits(limits: Mapping[str, RateLimit]) -> Iterator[str]:
    for scope, limit in limits.items():
        burst = "" if limit.burst == limit.requests else f", burst = {limit.burst}"
        yield f"{scope} = {{ requests = {limit.requests}, per = {_text(_span(limit.per_seconds))}{burst} }}"


def _span(seconds: int) -> str:
    unit, size = max(((unit, size) for unit, size in SPANS.items() if seconds % size == 0), key=lambda span: span[1])
    return f"{seconds // size}{unit}"


def _text(value: str) -> str:
    """A TOML basic string (TOML 1.0): JSON's escapes are among its own, and nothing unprintable is stored."""
    return json.dumps(value, ensure_ascii=False)
