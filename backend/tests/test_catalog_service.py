"""Plans in the database: applied as versions, once, whoever starts at the same time, and read without being stale."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from feature_platform.core.gcra import RateLimit
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from backend.catalog.diff import CatalogDiff
from backend.catalog.document import load
from backend.catalog.errors import CatalogMissing, CatalogRefused
from backend.catalog.problems import InvalidCatalog
from backend.catalog.service import Catalogs, apply, apply_file, load_catalog, load_stored, load_terms
from backend.core.ids import AccountId
from backend.core.settings import REPOSITORY
from backend.db.session import Database, SystemSession
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import person
from backend.tests.moments import NOW

PLANS = (REPOSITORY / "plans.toml").read_text()
LATER = NOW + timedelta(days=1)


def changed(*replacements: tuple[str, str]) -> str:
    """plans.toml with places replaced; each occurs once."""
    found = PLANS
    for old, new in replacements:
        assert found.count(old) == 1, old
        found = found.replace(old, new)
    return found


FREE_HAS_20_JOBS = changed(("jobs = { limit = 10,", "jobs = { limit = 20,"))
PRO_COSTS_29 = changed(('"19.99"', '"29.00"'))
WITHOUT_ENTERPRISE = PLANS[: PLANS.index("[plans.enterprise]")]


async def put(session: SystemSession, toml: str) -> CatalogDiff:
    return await apply(session, load(toml), now=LATER)


async def rows(session: SystemSession, statement: str, **values: Any) -> list[Any]:
    return list((await session.execute(text(statement), values)).all())


async def version_of(session: SystemSession, account_id: AccountId) -> int:
    return int((await rows(session, "SELECT version FROM accounts WHERE id = :id", id=account_id))[0][0])


async def test_the_seeded_plans_are_the_described_ones(system_session: SystemSession) -> None:
    found = await rows(
        system_session,
        "SELECT name, price_cents, billing_period, max_jobs_per_month, max_storage_mb, max_api_calls_per_day,"
        " max_compute_minutes_per_month, rate_limit_multiplier, rate_limits->'api'->>'requests', is_active"
        " FROM subscription_plans ORDER BY price_cents",
    )
    assert [tuple(row) for row in found] == [
        ("free", 0, None, 10, 100, 100, 60, Decimal("1.00"), "100", True),
        ("pro", 1999, "monthly", 500, 10_000, 10_000, 6_000, Decimal("5.00"), "500", True),
        ("enterprise", 9999, "monthly", None, None, None, None, Decimal("10.00"), "1000", True),
    ]
    features = await rows(system_session, "SELECT features FROM subscription_plans WHERE name = 'pro'")
    assert features[0][0] == {
        "api_access": True,
        "priority_support": True,
        "custom_models": True,
        "advanced_analytics": True,
        "dedicated_support": False,
        "sso": False,
        "audit_logs": False,
    }


async def test_applying_again_touches_no_row(system_session: SystemSession) -> None:
    tables = ("meters", "subscription_plans", "plan_versions", "plan_quotas", "plan_prices", "catalog_state")
    places = [f"SELECT '{table}', ctid::text, xmin::text FROM {table}" for table in tables]
    before = await rows(system_session, " UNION ALL ".join(places) + " ORDER BY 1, 2")
    changes = await put(system_session, PLANS)
    assert changes.is_empty
    assert await rows(system_session, " UNION ALL ".join(places) + " ORDER BY 1, 2") == before


async def test_a_row_that_somebody_edited_is_put_right(system_session: SystemSession) -> None:
    await rows(system_session, "UPDATE subscription_plans SET price_cents = 1, features = '{}' RETURNING 1")
    await put(system_session, PLANS)
    found = await rows(system_session, "SELECT price_cents FROM subscription_plans WHERE features <> '{}' ORDER BY 1")
    assert [row[0] for row in found] == [0, 1999, 9999]


async def test_a_changed_plan_becomes_a_version_and_the_old_one_stays_as_it_was(system_session: SystemSession) -> None:
    catalogs = Catalogs()
    old = (await catalogs.current(system_session)).plans[1]
    changes = await put(system_session, PRO_COSTS_29)
    assert [(change.plan, change.kind, change.version) for change in changes.plans] == [("pro", "changed", 2)]
    new = (await catalogs.current(system_session)).plans[1]
    assert (old.name, new.name, old.version, new.version) == ("pro", "pro", 1, 2)
    assert (new.plan_id, new.prices[0].amount.amount_minor) == (old.plan_id, 2900)
    assert await load_terms(system_session, old.version_id) == old
    assert old.prices[0].amount.amount_minor == 1999
    found = await rows(system_session, "SELECT price_cents, updated_at FROM subscription_plans WHERE name = 'pro'")
    assert tuple(found[0]) == (2900, LATER)


@pytest.mark.parametrize("table", ["plan_versions", "plan_quotas", "plan_prices"])
async def test_a_version_cannot_be_edited(system_session: SystemSession, table: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        await rows(system_session, f"DELETE FROM {table} RETURNING 1")


async def test_a_plan_gone_from_the_file_is_not_sold_and_comes_back_as_it_was(system_session: SystemSession) -> None:
    catalogs = Catalogs()
    enterprise = (await catalogs.current(system_session)).plans[2]
    changes = await put(system_session, WITHOUT_ENTERPRISE)
    assert [(change.plan, change.kind) for change in changes.plans] == [("enterprise", "withdrawn")]
    assert [plan.name for plan in (await catalogs.current(system_session)).plans] == ["free", "pro"]
    assert await Catalogs().terms(system_session, enterprise.version_id) == enterprise, "who has it keeps it"
    assert (await put(system_session, WITHOUT_ENTERPRISE)).is_empty
    changes = await put(system_session, PLANS)
    assert [(change.plan, change.kind, change.version) for change in changes.plans] == [("enterprise", "restored", 1)]
    assert (await catalogs.current(system_session)).plans[2] == enterprise


async def test_what_was_counted_keeps_its_meaning(system_session: SystemSession) -> None:
    before = await load_stored(system_session)
    with pytest.raises(CatalogRefused, match="meter jobs") as refused:
        await put(system_session, PLANS.replace("[meters.jobs]", "[meters.tasks]").replace("\njobs = {", "\ntasks = {"))
    assert refused.value.fields["problems"]
    assert await load_stored(system_session) == before


SEATS = """\
[meters.seats]
name = "Seats"
unit = "seat"
kind = "gauge"
"""

TEAM = """
[plans.team]
name = "Team"
rank = 15
prices = [
  { id = "team_year", every = "year", amount = "99.00" },
  { id = "team_month", every = "month", amount = "9.00" },
]
[plans.team.quotas]
api_calls = { limit = 0, window = "day" }
jobs = { limit = 7, window = "period" }
storage = { limit = 1_999_999 }
compute = { limit = "1 hour", window = "period" }
"""


async def test_a_new_meter_and_a_new_feature_reach_every_plan(system_session: SystemSession) -> None:
    toml = changed(
        ("[features.api_access]", f"{SEATS}[features.api_access]"),
        ("[rate_limits] ", '[features.dark_mode]\nname = "Dark mode"\n[rate_limits] '),
    )
    await put(system_session, toml.replace("\ncompute = {", "\nseats = { limit = 3 }\ncompute = {"))
    catalog = await load_catalog(system_session)
    assert [meter.key for meter in catalog.meters] == ["api_calls", "jobs", "storage", "compute", "seats"]
    assert list(catalog.features)[-1] == "dark_mode"
    assert all(plan.quotas["seats"].limit == 3 and plan.features["dark_mode"] is False for plan in catalog.plans)
    found = await rows(system_session, "SELECT count(*) FROM subscription_plans WHERE features ? 'dark_mode'")
    assert found[0][0] == 3


async def test_the_catalog_as_it_is_read(system_session: SystemSession) -> None:
    catalog = await load_catalog(system_session)
    assert catalog.default == catalog.plans[0]
    assert [plan.name for plan in catalog.plans] == ["free", "pro", "enterprise"]
    assert catalog.rate_limits == {"api": RateLimit(100, 60, 100)}
    assert (catalog.currency, catalog.billing_zone) == ("USD", "UTC")
    assert (catalog.default.quotas["storage"].limit, catalog.default.quotas["compute"].limit) == (100_000_000, 3_600)
    assert catalog.default.quotas["api_calls"].window == "day"
    assert catalog.plans[2].quotas["jobs"].limit is None
    assert [plan.max_jobs_in_flight for plan in catalog.plans] == [1, 5, 50]


async def test_what_is_remembered_costs_one_row(system_session: SystemSession) -> None:
    catalogs = Catalogs()
    catalog = await catalogs.current(system_session)
    terms = await catalogs.terms(system_session, catalog.default.version_id)
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    connection = (await system_session.connection()).sync_connection
    event.listen(connection, "before_cursor_execute", note)
    assert await catalogs.current(system_session) is catalog
    assert await catalogs.terms(system_session, catalog.default.version_id) is terms
    event.remove(connection, "before_cursor_execute", note)
    assert len(statements) == 1
    assert "catalog_state" in statements[0]


async def test_a_catalog_that_went_and_came_back_in_one_moment_is_read_again(system_session: SystemSession) -> None:
    catalogs = Catalogs()
    await put(system_session, FREE_HAS_20_JOBS)
    first = await catalogs.current(system_session)
    await put(system_session, PLANS)
    await put(system_session, FREE_HAS_20_JOBS)
    again = await catalogs.current(system_session)
    assert (first.default.version, again.default.version) == (2, 4)


async def test_terms_are_forgotten_oldest_first(system_session: SystemSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalogs, "MAX_TERMS", 2)
    catalogs = Catalogs()
    first, second, third = (plan.version_id for plan in (await catalogs.current(system_session)).plans)
    kept = await catalogs.terms(system_session, first)
    forgotten = await catalogs.terms(system_session, second)
    assert await catalogs.terms(system_session, first) is kept
    await catalogs.terms(system_session, third)
    assert await catalogs.terms(system_session, first) is kept
    assert await catalogs.terms(system_session, second) is not forgotten


async def test_a_version_that_is_not_there_and_a_catalog_that_is_not_there(system_session: SystemSession) -> None:
    with pytest.raises(LookupError):
        await Catalogs().terms(system_session, UUID(int=0))
    await rows(system_session, "DELETE FROM catalog_state RETURNING 1")
    assert await load_stored(system_session) is None
    with pytest.raises(CatalogMissing, match="feature seed"):
        await Catalogs().current(system_session)
    with pytest.raises(CatalogMissing):
        await load_catalog(system_session)


async def test_only_accounts_on_the_default_plan_follow_it(system_session: SystemSession) -> None:
    on_default, on_pro, was_on_pro, in_the_past = [await person(system_session) for _ in range(4)]
    for subscriber in (on_pro, was_on_pro, in_the_past):
        await upgrade_user_plan(system_session, subscriber.user_id, "pro", 30, now=NOW)
    await upgrade_user_plan(system_session, was_on_pro.user_id, "free", now=NOW)
    # Its time passed half a day ago, and no sweep has seen it yet.
    await rows(
        system_session,
        "UPDATE subscription_schedules SET next_due_at = :due WHERE account_id = :id RETURNING 1",
        due=LATER - timedelta(hours=12),
        id=in_the_past.account_id,
    )
    everybody = (on_default, on_pro, was_on_pro, in_the_past)
    before = [await version_of(system_session, one.account_id) for one in everybody]
    await put(system_session, PRO_COSTS_29)
    assert [await version_of(system_session, one.account_id) for one in everybody] == before
    await put(system_session, FREE_HAS_20_JOBS)
    after = [await version_of(system_session, one.account_id) for one in everybody]
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 0, 1, 1]
    await put(system_session, FREE_HAS_20_JOBS.replace('default_plan = "free"', 'default_plan = "pro"'))
    assert await version_of(system_session, on_default.account_id) == after[0] + 1


async def test_starts_at_the_same_time_apply_once(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(FREE_HAS_20_JOBS)
    found = await asyncio.gather(*(apply_file(database, file, now=LATER) for _ in range(8)))
    assert sorted(changes.is_empty for changes in found) == [False, *[True] * 7]
    async with database.system() as session:
        versions = await rows(
            session,
            "SELECT number FROM plan_versions JOIN subscription_plans p ON p.id = plan_id"
            " WHERE p.name = 'free' ORDER BY 1",
        )
        assert [row[0] for row in versions] == [1, 2]


async def test_a_file_with_mistakes_is_refused_before_anything_is_written(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(PLANS.replace("rate_limit_multiplier", "rate_limt_multiplier"))
    with pytest.raises(InvalidCatalog, match=r"Did you mean rate_limit_multiplier\?"):
        await apply_file(database, file, now=LATER)
    async with database.system() as session:
        assert len(await rows(session, "SELECT 1 FROM plan_versions")) == 3


async def test_a_new_plan_is_sold_at_once(system_session: SystemSession) -> None:
    await put(system_session, PLANS + TEAM)
    catalog = await load_catalog(system_session)
    assert [plan.name for plan in catalog.plans] == ["free", "pro", "team", "enterprise"]
    found = await rows(
        system_session,
        "SELECT price_cents, billing_period, max_api_calls_per_day, max_jobs_per_month, max_storage_mb,"
        " max_compute_minutes_per_month FROM subscription_plans WHERE name = 'team'",
    )
    assert tuple(found[0]) == (900, "monthly", 0, 7, 1, 60)
