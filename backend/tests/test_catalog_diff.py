"""Which changes make a new version, and how they are said."""

from dataclasses import replace

import pytest

from backend.catalog.definitions import CatalogDocument, rate_limits_json
from backend.catalog.diff import StoredCatalog, StoredPlan, diff
from backend.catalog.document import content_hash, document_hash, load
from backend.tests.catalog_text import SMALL, changed


class TestHashes:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('name = "Pro"', 'name = "Professional"'),
            ("rank = 10", "rank = 11"),
            ('features = ["export"]', "features = []"),
            ('multiplier = "5.0"', 'multiplier = "5.01"'),
            ('amount = "19.99"', 'amount = "20.00"'),
            ('limit = "10 GB"', 'limit = "11 GB"'),
            ('limit = "unlimited"', "limit = 0"),
            ('"10 GB", ', '"10 GB", notify = [80], '),
            ('multiplier = "5.0"', 'multiplier = "5.0"\nmax_jobs_in_flight = 3'),
            ("[features.export]", '[features.other]\nname = "Other"\n[features.export]'),
            ("[plans.pro.quotas]", '[plans.pro.rate_limits]\napi = { requests = 9, per = "1s" }\n[plans.pro.quotas]'),
        ],
    )
    def test_what_a_version_freezes_changes_its_hash(self, old: str, new: str) -> None:
        text, _ = changed(old, new)
        assert content_hash(load(text).plans[1]) != content_hash(load(SMALL).plans[1])
        assert document_hash(load(text)) != document_hash(load(SMALL))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('multiplier = "5.0"', 'multiplier = "5"'),
            ('multiplier = "5.0"', "multiplier = 5"),
            ('limit = "10 GB"', "limit = 10_000_000_000"),
            ('limit = "10 GB"', 'limit = "10000 MB"'),
            ('"10 GB", ', '"10 GB", at_limit = "block", window = "none", '),
            ('name = "Pro"\nrank = 10', '# a comment\nrank = 10\nname = "Pro"'),
            ('multiplier = "5.0"', 'multiplier = "5.0"\nmax_jobs_in_flight = "unlimited"'),
        ],
    )
    def test_another_way_to_write_the_same_does_not(self, old: str, new: str) -> None:
        text, _ = changed(old, new)
        assert content_hash(load(text).plans[1]) == content_hash(load(SMALL).plans[1])
        assert document_hash(load(text)) == document_hash(load(SMALL))

    def test_the_hash_is_stable(self) -> None:
        assert content_hash(load(SMALL).plans[0]) == content_hash(load(SMALL).plans[0])
        assert len(bytes.fromhex(content_hash(load(SMALL).plans[0]))) == 32

    def test_rate_limits_are_plain_json(self) -> None:
        assert rate_limits_json(load(SMALL).rate_limits) == {"api": {"requests": 100, "per_seconds": 60, "burst": 100}}


def stored(document: CatalogDocument) -> StoredCatalog:
    return StoredCatalog(
        currency=document.currency,
        billing_zone=document.billing_zone,
        default_plan=document.default_plan,
        meters=document.meters,
        features=document.features,
        rate_limits=document.rate_limits,
        plans=tuple(StoredPlan(plan, 3, is_active=True) for plan in document.plans),
    )


class TestDiff:
    def test_nothing_changes_nothing(self) -> None:
        assert diff(load(SMALL), stored(load(SMALL))).is_empty
        assert diff(load(SMALL), stored(load(SMALL))).lines() == []

    def test_an_empty_database_gets_everything(self) -> None:
        found = diff(load(SMALL), None)
        assert [(change.plan, change.kind, change.version) for change in found.plans] == [
            ("free", "new", 1),
            ("pro", "new", 1),
        ]
        assert "  quota calls: 100 calls a day" in found.lines()
        assert "  price pro_month: 19.99 USD a month" in found.lines()

    def test_a_change_is_a_new_version_in_words(self) -> None:
        text = SMALL.replace('"10 GB"', '"20 GB"').replace('"19.99"', '"29.00"').replace('["export"]', "[]")
        found = diff(load(text), stored(load(SMALL)))
        assert found.lines() == [
            "plan pro: version 3 -> 4",
            "  feature export: yes -> no",
            "  quota storage: 10,000 MB, read-only after a downgrade -> 20,000 MB, read-only after a downgrade",
            "  price pro_month: 19.99 USD a month -> 29.00 USD a month",
        ]

    def test_a_plan_that_is_gone_is_withdrawn_and_can_come_back(self) -> None:
        both = load(SMALL)
        one = replace(both, plans=both.plans[:1])
        (gone,) = diff(one, stored(both)).plans
        assert (gone.plan, gone.kind, gone.version) == ("pro", "withdrawn", 3)
        inactive = replace(stored(both), plans=tuple(replace(p, is_active=False) for p in stored(both).plans))
        assert {change.kind for change in diff(both, inactive).plans} == {"restored"}
        assert diff(replace(one, default_plan="free"), inactive).plans[0].plan == "free"

    def test_what_belongs_to_no_plan(self) -> None:
        text = SMALL.replace("requests = 100", "requests = 50").replace('timezone = "UTC"', 'timezone = "Asia/Tokyo"')
        assert diff(load(text), stored(load(SMALL))).lines() == [
            "billing time zone: UTC -> Asia/Tokyo",
            "base rate limit api: 100 in 60 s, burst 100 -> 50 in 60 s, burst 50",
        ]

    def test_a_new_feature_reaches_every_plan(self) -> None:
        text = SMALL.replace("[features.export]", '[features.sso]\nname = "SSO"\n[features.export]')
        assert diff(load(text), stored(load(SMALL))).lines() == [
            "feature sso: new",
            "plan free: version 3 -> 4",
            "  feature sso: none -> no",
            "plan pro: version 3 -> 4",
            "  feature sso: none -> no",
        ]

    def test_what_was_counted_keeps_its_meaning(self) -> None:
        before = load(SMALL)
        other_unit = replace(before, meters=(before.meters[0], replace(before.meters[1], unit="block")))
        assert len(diff(other_unit, stored(before)).refusals) == 1
        without = replace(before, meters=before.meters[:1])
        assert diff(without, stored(before)).lines()[0] == (
            "refused: the meter storage has been counted and cannot be removed"
        )
