"""What is stored, written as a file: reading it gives the same catalog."""

from decimal import Decimal
from typing import Literal

import pytest
from feature_platform.core.gcra import RateLimit
from hypothesis import given
from hypothesis import strategies as st

from backend.catalog.definitions import (
    CatalogDocument,
    FeatureDefinition,
    MeterDefinition,
    PlanDefinition,
    PriceDefinition,
    PriceInterval,
    QuotaDefinition,
    WindowKind,
)
from backend.catalog.diff import StoredCatalog, StoredPlan, diff
from backend.catalog.document import document_hash, load
from backend.catalog.render import render
from backend.core.money import Money
from backend.core.settings import REPOSITORY
from backend.tests.catalog_text import SMALL

METERS = (
    MeterDefinition("calls", "Calls", "call", None, "counter", 0),
    MeterDefinition("storage", "Storage", "byte", "MB", "gauge", 1),
    MeterDefinition("compute", "Compute", "second", "minute", "counter", 2),
)
FEATURES = (FeatureDefinition("export", "Export", ""), FeatureDefinition("sso", 'Single "sign-on"', "A \\ in it"))

texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
limits = st.none() | st.integers(0, 50) | st.integers(0, 10**9).map(lambda amount: amount * 60_000_000)
rates = st.builds(RateLimit, st.integers(1, 1_000), st.integers(1, 86_400), st.integers(1, 1_000))


@st.composite
def plans(draw: st.DrawFn, name: str, rank: int, currency: str) -> PlanDefinition:
    notify = draw(st.sets(st.integers(1, 100), max_size=2))
    windows: dict[str, WindowKind] = {
        "calls": draw(st.sampled_from(["day", "period"])),
        "storage": "none",
        "compute": "period",
    }
    on_downgrade: Literal["read_only"] | None = draw(st.sampled_from([None, "read_only"]))
    intervals: tuple[PriceInterval, ...] = draw(st.sampled_from([(), ("month",), ("month", "year")]))
    return PlanDefinition(
        name=name,
        display_name=draw(texts),
        description=draw(st.just("") | texts),
        rank=rank,
        recommended=draw(st.booleans()),
        features={feature.key: draw(st.booleans()) for feature in FEATURES},
        rate_limit_multiplier=Decimal(draw(st.integers(1, 9_999))).scaleb(-2),
        rate_limits=draw(st.dictionaries(st.sampled_from(["api", "login"]), rates)),
        max_jobs_in_flight=draw(st.none() | st.integers(0, 10**6)),
        quotas=tuple(
            QuotaDefinition(meter.key, draw(limits), windows[meter.key], "block", on_downgrade, tuple(sorted(notify)))
            for meter in METERS
        ),
        prices=tuple(
            PriceDefinition(f"{name}_{every}", every, Money(draw(st.integers(0, 10**6)), currency))
            for every in intervals
        ),
    )


@st.composite
def stored_catalogs(draw: st.DrawFn) -> StoredCatalog:
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    return StoredCatalog(
        currency=currency,
        billing_zone=draw(st.sampled_from(["UTC", "Europe/Vienna"])),
        default_plan="free",
        meters=METERS,
        features=FEATURES,
        rate_limits={"api": draw(rates), "login": draw(rates)},
        plans=(
            StoredPlan(draw(plans("free", 0, currency)), 3, is_active=True),
            StoredPlan(draw(plans("gone", 1, currency)), 1, is_active=False),
            StoredPlan(draw(plans("pro", 2, currency)), 1, is_active=True),
        ),
    )


def as_stored(document: CatalogDocument) -> StoredCatalog:
    return StoredCatalog(
        currency=document.currency,
        billing_zone=document.billing_zone,
        default_plan=document.default_plan,
        meters=document.meters,
        features=document.features,
        rate_limits=document.rate_limits,
        plans=tuple(StoredPlan(plan, 1, is_active=True) for plan in document.plans),
    )


@given(stored_catalogs())
def test_applying_what_was_written_changes_nothing(stored: StoredCatalog) -> None:
    assert diff(load(render(stored)), stored).is_empty


@pytest.mark.parametrize("toml", [SMALL, (REPOSITORY / "plans.toml").read_text()], ids=["small", "plans.toml"])
def test_a_file_comes_back_with_the_same_meaning(toml: str) -> None:
    document = load(toml)
    written = render(as_stored(document))
    assert document_hash(load(written)) == document_hash(document)
    assert "MB" in written
    assert 'per = "1m"' in written
