"""plans.toml: read strictly, and refused as a whole with the mistakes in it, each with its line."""

import re
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

from feature_platform.core.gcra import RateLimit

from backend.catalog.definitions import (
    STRICT_METERS,
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
)
from backend.catalog.problems import InvalidCatalog, Problem, nearest
from backend.catalog.reader import Float, Source, Table
from backend.catalog.units import InvalidAmount, parse_amount, parse_span, units_of
from backend.core.money import InvalidMoney, Money, parse_major

__all__ = ["CatalogDocument", "InvalidCatalog", "Problem", "content_hash", "document_hash", "load"]

SCHEMA = 1
MAX_LIMIT = 10**18
MAX_REQUESTS = 10**9
MAX_JOBS = 10**6
MAX_RANK = 10**6
# What the described table can hold: `price_cents` is a 32-bit integer.
MAX_PRICE_MINOR = 2**31 - 1

# The platform itself counts open reservations under this name.
RESERVED_METERS = frozenset({"jobs_in_flight"})
# The one meter that is spent in memory unless the file says otherwise: it is counted with every request.
ALLOWANCE_METER = "api_calls"

_MULTIPLIER = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,2})?", re.ASCII)
_UNIT = re.compile(r"[A-Za-z_]{1,32}", re.ASCII)


def load(source: Path | str) -> CatalogDocument:
    """The catalog in a file (a Path) or a text (a str). Raises InvalidCatalog with its mistakes, 100 at most.

    A hostile text takes no longer than a second for each 60,000 characters.
    """
    if isinstance(source, Path):
        try:
            source = source.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidCatalog([Problem(None, "", f"the file cannot be read: {error}")]) from error
    text = Source(source)
    document = _Reading(text.root).document()
    if text.problems:
        raise InvalidCatalog(text.problems)
    return document


class _Reading:
    """One pass over the file. What cannot be read is reported and left out, or replaced by any value of its type."""

    def __init__(self, root: Table) -> None:
        self._root = root
        self._price_keys: dict[str, str] = {}
        self._ranks: dict[int, str] = {}

    def document(self) -> CatalogDocument:
        root = self._root
        root.integer("schema", SCHEMA, SCHEMA)
        self._currency = self._read_currency()
        zone = self._zone()
        self._meters = self._read_meters()
        self._features = self._read_features()
        self._rate_limits = self._limits(root.table("rate_limits"))
        # A plan may name a meter or a feature that has a mistake of its own: it is known, and reported once.
        self._meter_names = root.table("meters").names()
        self._feature_names = root.table("features").names()
        plans = [self._plan(name, table) for name, table in root.table("plans", required=True).named("a plan")]
        default = root.text("default_plan")
        names = root.table("plans").names()
        if default is not None and default not in names:
            root.report("default_plan", f'there is no plan "{default}"', nearest(default, names))
        root.finish()
        return CatalogDocument(
            currency=self._currency or "",
            billing_zone=zone,
            default_plan=default or "",
            meters=tuple(self._meters.values()),
            features=tuple(self._features),
            rate_limits=self._rate_limits,
            plans=tuple(sorted(plans, key=lambda plan: plan.rank)),
        )

    def _read_currency(self) -> str | None:
        currency = self._root.text("currency")
        try:
            return None if currency is None else Money(0, currency).currency
        except InvalidMoney as error:
            self._root.report("currency", str(error))
            return None

    def _zone(self) -> str:
        name = self._root.text("timezone")
        if name is not None and name not in available_timezones():
            self._root.report("timezone", f'"{name}" is not a time zone', nearest(name, available_timezones()))
            return "UTC"
        return ZoneInfo(name or "UTC").key

    def _read_meters(self) -> dict[str, MeterDefinition]:
        meters: dict[str, MeterDefinition] = {}
        for key, table in self._root.table("meters", required=True).named("a meter"):
            if key in RESERVED_METERS:
                table.report(None, "this name is the platform's own; choose another")
            name, unit = table.text("name"), table.text("unit")
            kind = table.choice("kind", ("counter", "gauge"))
            display_unit = table.text("display_unit", required=False)
            durability = _durability(key, kind, table)
            if unit is not None and not _UNIT.fullmatch(unit):
                table.report("unit", f'a unit is one word of letters, not "{unit}"')
                unit = None
            if unit is not None and display_unit is not None:
                table.one_of("display_unit", display_unit, units_of(unit))
            table.finish()
            if name and unit and kind:
                meters[key] = MeterDefinition(
                    key, name, unit, display_unit, cast(MeterKind, kind), len(meters), durability
                )
        return meters

    def _read_features(self) -> list[FeatureDefinition]:
        features = []
        for key, table in self._root.table("features").named("a feature"):
            name = table.text("name")
            description = table.text("description", required=False)
            table.finish()
            features.append(FeatureDefinition(key, name or "", description or ""))
        return features

    def _limits(self, table: Table, known: Collection[str] | None = None) -> dict[str, RateLimit]:
        """Rate limits by scope; `known` are the scopes that may be named, any where it is None."""
        limits = {}
        for scope, entry in table.named("a scope"):
            if known is not None and scope not in known:
                table.report(scope, "there is no base rate limit for this scope", nearest(scope, known))
            limit = _rate_limit(entry)
            if limit is not None:
                limits[scope] = limit
        return limits

    def _plan(self, name: str, table: Table) -> PlanDefinition:
        display_name = table.text("name")
        description = table.text("description", required=False)
        multiplier = self._multiplier(table)
        plan = PlanDefinition(
            name=name,
            display_name=display_name or "",
            description=description or "",
            rank=self._rank(name, table),
            recommended=table.flag("recommended"),
            features=self._plan_features(table),
            rate_limit_multiplier=multiplier,
            rate_limits=self._limits(table.table("rate_limits"), self._root.table("rate_limits").names()),
            max_jobs_in_flight=_count_or_unlimited(table, "max_jobs_in_flight"),
            quotas=self._quotas(table.table("quotas", required=True)),
            prices=self._prices(name, table),
        )
        table.finish()
        return plan

    def _rank(self, name: str, table: Table) -> int:
        rank = table.integer("rank", 0, MAX_RANK)
        if rank is None:
            return 0
        if rank in self._ranks:
            table.report("rank", f'{rank} is the rank of the plan "{self._ranks[rank]}", too; ranks put plans in order')
        self._ranks.setdefault(rank, name)
        return rank

    def _multiplier(self, table: Table) -> Decimal:
        value = table.raw("rate_limit_multiplier")
        if value is None:
            return Decimal(1)
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not _MULTIPLIER.fullmatch(text) or not Decimal(text):
            hint = f'"{value}"' if isinstance(value, Float) else None
            message = f'must be text from "0.01" to "99.99" with at most two decimals, not {_quoted(value)}'
            table.report("rate_limit_multiplier", message, hint)
            return Decimal(1)
        multiplier = Decimal(text)
        for scope, limit in self._rate_limits.items():
            try:
                limit.times(multiplier)
            except ValueError as error:
                table.report("rate_limit_multiplier", f'makes no rate limit of the scope "{scope}": {error}')
        return multiplier

    def _plan_features(self, table: Table) -> dict[str, bool]:
        contained: set[str] = set()
        for feature in table.items("features"):
            if not isinstance(feature, str) or feature not in self._feature_names:
                hint = nearest(feature, self._feature_names) if isinstance(feature, str) else None
                table.report("features", f"there is no feature {_quoted(feature)}", hint)
            elif feature in contained:
                table.report("features", f'"{feature}" is named twice')
            else:
                contained.add(feature)
        return {feature.key: feature.key in contained for feature in self._features}

    def _quotas(self, table: Table) -> tuple[QuotaDefinition, ...]:
        quotas = {}
        for key, entry in table.named("a meter"):
            meter = self._meters.get(key)
            if meter is not None:
                quota = _quota(meter, entry)
                quotas[key] = quota
            elif key not in self._meter_names:
                table.report(key, "there is no such meter", nearest(key, self._meter_names))
        for key in self._meters:
            if key not in table:
                table.report(None, f'there is no quota for the meter "{key}"; say a limit, or "unlimited"')
        return tuple(quotas[key] for key in self._meters if key in quotas)

    def _prices(self, plan: str, table: Table) -> tuple[PriceDefinition, ...]:
        prices: dict[str, PriceDefinition] = {}
        for entry in table.tables("prices"):
            key = entry.text("id")
            every = entry.choice("every", ("month", "year"))
            amount = self._amount(entry)
            entry.finish()
            if key is not None and key in self._price_keys:
                entry.report("id", f'"{key}" is a price of the plan "{self._price_keys[key]}", too')
            if every is not None and every in prices:
                entry.report("every", f"there is another price every {every}")
            if key and every and amount:
                self._price_keys[key] = plan
                prices[every] = PriceDefinition(key, cast(PriceInterval, every), amount)
        return tuple(prices.values())

    def _amount(self, table: Table) -> Money | None:
        value = table.raw("amount", required=True)
        if value is None or self._currency is None:
            return None
        if isinstance(value, Float):
            table.report("amount", f"money is decimal text in quotes, not {value}", f'"{value}"')
            return None
        try:
            money = parse_major(value, self._currency)
        except InvalidMoney as error:
            table.report("amount", str(error))
            return None
        if not 0 <= money.amount_minor <= MAX_PRICE_MINOR:
            table.report("amount", f"must be from 0 to {Money(MAX_PRICE_MINOR, self._currency)}, not {value}")
            return None
        return money


def _durability(key: str, kind: str | None, table: Table) -> Durability:
    """What the file says, or what suits the meter: API calls are many and cheap, everything else is strict."""
    said = table.choice("durability", ("strict", "allowance"), required=False)
    if said == "allowance" and (kind == "gauge" or key in STRICT_METERS):
        table.report("durability", f"{key} is always strict: each unit must be in the database before the answer")
        return "strict"
    if said is None:
        return "allowance" if key == ALLOWANCE_METER and kind == "counter" else "strict"
    return cast(Durability, said)


def _quota(meter: MeterDefinition, table: Table) -> QuotaDefinition:
    limit = _limit(meter, table)
    if meter.kind == "gauge":
        window = table.choice("window", ("none",), required=False) or "none"
    else:
        window = table.choice("window", ("day", "period")) or "day"
    table.choice("at_limit", ("block",), required=False)
    on_downgrade = table.choice("on_downgrade", ("read_only",), required=False)
    notify = table.items("notify")
    if any(type(percent) is not int or not 1 <= percent <= 100 for percent in notify):
        table.report("notify", "is a list of whole percents from 1 to 100")
        notify = []
    table.finish()
    return QuotaDefinition(
        meter=meter.key,
        limit=limit,
        window=cast(WindowKind, window),
        at_limit="block",
        on_downgrade="read_only" if on_downgrade else None,
        notify=tuple(sorted(set(notify))),
    )


def _limit(meter: MeterDefinition, table: Table) -> int | None:
    value = table.raw("limit", required=True)
    if value is None or value == "unlimited":
        return None
    limit = value
    if isinstance(value, str):
        try:
            limit = parse_amount(value, meter.unit)
        except InvalidAmount as error:
            table.report("limit", str(error), error.suggestion or nearest(value, ["unlimited"]))
            return None
    if type(limit) is not int or not 0 <= limit <= MAX_LIMIT:
        message = f'must be a whole number from 0 to {MAX_LIMIT:,}, or "unlimited", not {_quoted(value)}'
        table.report("limit", message, '"unlimited"' if limit == -1 else None)
        return None
    return limit


def _rate_limit(table: Table) -> RateLimit | None:
    requests = table.integer("requests", 1, MAX_REQUESTS)
    burst = table.integer("burst", 1, MAX_REQUESTS, required=False)
    per = table.text("per")
    table.finish()
    if requests is None or per is None:
        return None
    try:
        return RateLimit(requests, parse_span(per), burst or requests)
    except InvalidAmount as error:
        table.report("per", str(error))
    except ValueError as error:
        table.report(None, str(error))
    return None


def _count_or_unlimited(table: Table, key: str) -> int | None:
    """A number of things from 0, or "unlimited", which also is what nothing said means."""
    if table.raw(key) == "unlimited":
        return None
    return table.integer(key, 0, MAX_JOBS, required=False)


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
