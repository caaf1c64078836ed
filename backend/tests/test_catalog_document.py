"""plans.toml: what is sold, every mistake with its line, and what a change would do."""

import random
from decimal import Decimal
from pathlib import Path

import pytest
from feature_platform.core.gcra import RateLimit
from hypothesis import given
from hypothesis import strategies as st

from backend.catalog.definitions import PlanDefinition
from backend.catalog.document import InvalidCatalog, Problem, load
from backend.core.money import Money
from backend.core.settings import REPOSITORY
from backend.tests.catalog_text import SMALL, changed

SHIPPED = REPOSITORY / "plans.toml"


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidCatalog) as caught:
        load(text)
    return caught.value.problems


class TestShipped:
    @pytest.fixture
    def plans(self) -> dict[str, PlanDefinition]:
        return {plan.name: plan for plan in load(SHIPPED).plans}

    @pytest.mark.parametrize(
        ("plan", "price", "jobs", "storage_mb", "calls", "minutes", "multiplier", "in_flight"),
        [
            ("free", None, 10, 100, 100, 60, "1", 1),
            ("pro", 1_999, 500, 10_000, 10_000, 6_000, "5", 5),
            ("enterprise", 9_999, None, None, None, None, "10", 50),
        ],
    )
    def test_values(
        self,
        plans: dict[str, PlanDefinition],
        plan: str,
        price: int | None,
        jobs: int | None,
        storage_mb: int | None,
        calls: int | None,
        minutes: int | None,
        multiplier: str,
        in_flight: int,
    ) -> None:
        found = plans[plan]
        quotas = {quota.meter: (quota.limit, quota.window) for quota in found.quotas}
        assert quotas == {
            "api_calls": (calls, "day"),
            "jobs": (jobs, "period"),
            "storage": (None if storage_mb is None else storage_mb * 10**6, "none"),
            "compute": (None if minutes is None else minutes * 60, "period"),
        }
        assert [(price.every, price.amount) for price in found.prices] == (
            [] if price is None else [("month", Money(price, "USD"))]
        )
        assert found.rate_limit_multiplier == Decimal(multiplier)
        assert found.max_jobs_in_flight == in_flight
        assert found.description

    def test_features_are_objects_with_every_known_key(self, plans: dict[str, PlanDefinition]) -> None:
        known = ["api_access", "priority_support", "custom_models", "advanced_analytics"]
        known += ["dedicated_support", "sso", "audit_logs"]
        assert [list(plan.features) for plan in plans.values()] == [known] * 3
        assert [sum(plan.features.values()) for plan in plans.values()] == [1, 4, 7]

    def test_the_rest(self) -> None:
        document = load(SHIPPED)
        assert [plan.name for plan in document.plans] == ["free", "pro", "enterprise"]
        assert (document.default_plan, document.currency, document.billing_zone) == ("free", "USD", "UTC")
        assert document.rate_limits == {"api": RateLimit(100, 60, 100)}
        assert [(meter.key, meter.kind, meter.unit) for meter in document.meters] == [
            ("api_calls", "counter", "call"),
            ("jobs", "counter", "job"),
            ("storage", "gauge", "byte"),
            ("compute", "counter", "second"),
        ]


class TestMistakes:
    @pytest.mark.parametrize(
        ("old", "new", "message", "suggestion"),
        [
            ('kind = "gauge"', 'kind = "guage"', "must be one of", "gauge"),
            ('currency = "USD"', 'currency = "usd"', "three capital letters", None),
            ("schema = 1", "schema = 2", "must be from 1 to 1", None),
            ("schema = 1", "schema = true", "must be a whole number, not true", None),
            ('timezone = "UTC"', 'timezone = "Europe/Berlim"', "not a time zone", "Europe/Berlin"),
            ('default_plan = "free"', 'default_plan = "fre"', "there is no plan", "free"),
            ('display_unit = "MB"', 'display_unit = "mb"', "must be one of", "MB"),
            ('unit = "call"', 'unit = "a call"', "one word", None),
            ('name = "Calls"', 'name = ""', "empty", None),
            ("[meters.calls]", "[meters.jobs_in_flight]", "the platform's own", None),
            ('per = "1m"', 'per = "1 minute"', "must be a time", None),
            ('per = "1m"', 'per = "2d"', "at most", None),
            ("requests = 100", "requests = 0", "must be from 1", None),
            ("requests = 100", "burts = 5, requests = 100", "not a key that is known", "burst"),
            ("rank = 10", "rank = 0", 'rank of the plan "free"', None),
            ("rank = 10", 'rnk = 3\nrank = "10"', "not a key that is known", "rank"),
            ('features = ["export"]', 'features = ["exprot"]', "there is no feature", "export"),
            ('features = ["export"]', 'features = ["export", "export"]', "named twice", None),
            ('features = ["export"]', "features = [7]", "there is no feature 7", None),
            ('features = ["export"]', 'features = "export"', "must be a list", None),
            ('multiplier = "5.0"', "multiplier = 5.0", "must be text", '"5.0"'),
            ('multiplier = "5.0"', 'multiplier = "0.00"', "must be text", None),
            ('multiplier = "5.0"', 'multiplier = "100"', "must be text", None),
            ('multiplier = "5.0"', 'multiplier = "1.234"', "two decimals", None),
            ('amount = "19.99"', "amount = 19.99", "money is decimal text", '"19.99"'),
            ('amount = "19.99"', "amount = 1999", "text in quotes", None),
            ('amount = "19.99"', 'amount = "19.999"', "has 2 decimals", None),
            ('amount = "19.99"', 'amount = "-1.00"', "must be from 0", None),
            ('amount = "19.99"', 'amount = "99999999.00"', "must be from 0", None),
            ('amount = "19.99"', 'amont = "19.99"', "not a key that is known", "amount"),
            ('every = "month"', 'every = "week"', "must be one of", None),
            ("calls = { limit = 100", "calls = { limit = -1", "from 0", '"unlimited"'),
            ("calls = { limit = 100", "calls = { limit = 1.5", "from 0", None),
            ("calls = { limit = 100", "calls = { limit = true", "from 0", None),
            ("calls = { limit = 100", 'calls = { limit = "5 MB"', "not a unit of call", None),
            ("calls = { limit = 100", 'calls = { limit = "unlimted"', "with a unit", "unlimited"),
            ("calls = { limit = 100", "calls = { limit = 9_000_000_000_000_000_000", "from 0", None),
            ("calls = { limit = 100", "clls = { limit = 100", "no such meter", "calls"),
            ('limit = "100 MB"', 'limit = "100 mb"', "not a unit of byte", "MB"),
            ('limit = "100 MB"', 'limit = "1.5 GB"', "whole number with a unit", None),
            ('limit = "100 MB"', 'window = "day", limit = "100 MB"', "must be one of", None),
            ('limit = 100, window = "day"', 'limit = 100, window = "dya"', "must be one of", "day"),
            ('limit = 100, window = "day"', 'limit = 100, window = "none"', "must be one of", None),
            ('"read_only"', '"delete"', "must be one of", None),
            ('"10 GB", ', '"10 GB", notify = [80, 101], ', "percents", None),
            ('"10 GB", ', '"10 GB", at_limit = "charge", ', "must be one of", None),
            ("[plans.pro]", "[plans.Pro]\n[plans.pro]", "lower-case word", None),
            ("[features.export]", "[feature.export]", "not a key that is known", "features"),
            (
                "[rate_limits]",
                "[plans.pro.rate_limits]\nsearch = { requests = 1, per = '1s' }\n[rate_limits]",
                "",
                None,
            ),
        ],
    )
    def test_each_is_found_where_it_is(self, old: str, new: str, message: str, suggestion: str | None) -> None:
        text, line = changed(old, new)
        found = problems(text)
        fitting = [problem for problem in found if message in problem.message and problem.suggestion == suggestion]
        assert fitting, [str(problem) for problem in found]
        assert any(problem.line is not None and line <= problem.line <= line + 1 for problem in fitting)

    @pytest.mark.parametrize(
        ("gone", "message"),
        [
            ('default_plan = "free"\n', "default_plan is missing"),
            ('currency = "USD"\n', "currency is missing"),
            ('unit = "call"\n', "unit is missing"),
            ("limit = 100, ", "limit is missing"),
            (', window = "day" }\nstorage = { limit = "100 MB" }', "window is missing"),
            ('id = "pro_month", ', "id is missing"),
            ('storage = { limit = "100 MB" }\n', 'no quota for the meter "storage"'),
        ],
    )
    def test_what_is_missing_is_named(self, gone: str, message: str) -> None:
        text, _ = changed(gone, " }\n" if "window" in gone else "")
        assert any(message in problem.message for problem in problems(text))

    def test_all_are_reported_at_once_in_order(self) -> None:
        text = SMALL.replace('"USD"', '"usd"').replace("rank = 10", "rank = 0").replace('"gauge"', '"guage"')
        text = text.replace('"100 MB"', "-1").replace('every = "month"', 'every = "moon"') + "\n[changes]\nx = 1\n"
        found = problems(text)
        assert [problem.key for problem in found] == [
            "currency",
            "meters.storage.kind",
            "plans.pro.rank",
            "plans.pro.prices.0.every",
            "changes",
        ]
        assert [problem.line for problem in found] == sorted(problem.line or 0 for problem in found)
        assert str(found[1]) == (
            'line 15: meters.storage.kind: must be one of "counter", "gauge", not "guage". Did you mean gauge?'
        )

    def test_one_mistake_is_one_problem(self) -> None:
        text, _ = changed('kind = "gauge"', 'kind = "guage"')
        assert len(problems(text)) == 1

    def test_a_price_id_is_used_once(self) -> None:
        text, line = changed(
            'amount = "19.99" },\n', 'amount = "19.99" },\n  { id = "pro_month", every = "month", amount = "1" },\n'
        )
        assert [(problem.line, problem.key) for problem in problems(text)] == [
            (line + 1, "plans.pro.prices.1.every"),
            (line + 1, "plans.pro.prices.1.id"),
        ]

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("schema = 1\nschema = 2\n", 2),
            ("schema = \n", 1),
            ("a = 1\nb = [1,\n", 3),
            ("x = 1 y = 2", 1),
            (f"x = {'9' * 5_000}", 1),
        ],
    )
    def test_what_is_not_toml(self, text: str, line: int) -> None:
        (problem,) = problems(text)
        assert "not TOML" in problem.message
        assert problem.line == line

    def test_a_deep_nest_is_refused(self) -> None:
        assert problems("x = " + "[" * 5_000 + "]" * 5_000)

    def test_an_empty_file_says_what_it_needs(self) -> None:
        assert {problem.message for problem in problems("")} >= {"currency is missing", "plans is missing"}

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidCatalog, match="cannot be read"):
            load(tmp_path / "plans.toml")
        (tmp_path / "plans.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(InvalidCatalog, match="cannot be read"):
            load(tmp_path / "plans.toml")

    @given(st.integers(0, 2**32))
    def test_no_damage_gives_anything_but_problems(self, seed: int) -> None:
        chance = random.Random(seed)
        lines = SMALL.splitlines()
        for _ in range(chance.randint(1, 3)):
            where = chance.randrange(len(lines))
            match chance.randrange(4):
                case 0:
                    del lines[where]
                case 1:
                    lines.insert(where, chance.choice(lines))
                case 2:
                    lines[where] = lines[where].replace(chance.choice("=\"'{}[]1a"), chance.choice(' "{}[]-1.5'))
                case _:
                    key, _, _ = lines[where].partition("=")
                    lines[where] = key + "= " + chance.choice(["1.5", "-1", "[]", "{}", "true", "2026-01-01", "''"])
        found: tuple[Problem, ...] = ()
        try:
            load("\n".join(lines))
        except InvalidCatalog as error:
            found = error.problems
        assert all(problem.line is None or 1 <= problem.line <= len(lines) + 1 for problem in found)
