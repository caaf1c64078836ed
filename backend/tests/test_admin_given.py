"""What was given beside plans is listed by index, however much there is, also before PostgreSQL has looked at it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from backend.admin.given import GivenFilter, list_given
from backend.core.ids import uuid7
from backend.db.session import Database
from backend.tests.moments import NOW

# One for each user; of a hundred, ninety are over, four were taken back and two have not begun. One account in a
# thousand has a clock of its own.
_FILL = text("""
    WITH made AS (
        SELECT gen_random_uuid() AS id, gen_random_uuid() AS account_id, number,
            CAST(:now AS timestamptz) AS now FROM generate_series(1, :many) AS number
    ), accounts AS (
        INSERT INTO accounts (id, name, usage_anchor, mode, clock_offset)
        SELECT account_id, 'account ' || number, now, CASE number % 1000 WHEN 0 THEN 'test' ELSE 'live' END,
            CASE number % 1000 WHEN 0 THEN interval '60 days' ELSE interval '0' END
        FROM made
    ), users AS (
        INSERT INTO users (id, email, personal_account_id, status)
        SELECT id, md5(number::text) || '@example.com', account_id, 'active' FROM made
    )
    INSERT INTO account_overrides (account_id, id, number, meter, kind, amount, starts_at, ends_at, reason, created_at,
        ended_at)
    SELECT account_id, CAST(lpad(to_hex(number), 12, '0') || '70008000000000000000' AS uuid), 1,
        CASE number % 500 WHEN 7 THEN 'storage' ELSE 'jobs' END, 'add', 1,
        now + CASE WHEN number % 100 IN (1, 2) THEN interval '1 day' ELSE interval '-9 days' END,
        now + CASE WHEN number % 100 < 10 THEN interval '9 days' ELSE interval '-1 day' END, 'a launch', now,
        CASE WHEN number % 100 IN (3, 4, 5, 6) THEN now END
    FROM made
""")
ASKED = (
    GivenFilter(),
    GivenFilter(state="in_force"),
    GivenFilter(state="scheduled"),
    GivenFilter(state="ended"),
    GivenFilter(state="taken_back"),
    GivenFilter(meter="storage"),
    GivenFilter(meter="storage", state="ended"),
    GivenFilter(meter="compute"),
    GivenFilter(q="c4ca4238a0b9"),
    GivenFilter(q="example.com"),
    GivenFilter(q="account 77"),
    GivenFilter(q="no such name"),
    GivenFilter(q="external:none"),
    GivenFilter(q=str(uuid7())),
)


async def fill(database: Database, many: int) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("SELECT set_config('feature.scope', 'system', true)"))
        await connection.execute(text("SET LOCAL statement_timeout = '30min'"))
        await connection.execute(_FILL, {"many": many, "now": NOW})


async def analyze(database: Database) -> None:
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("VACUUM ANALYZE users, accounts, account_overrides")
        )


@pytest.mark.parametrize("is_analyzed", [True, False])
async def test_they_are_found_by_index(database: Database, is_analyzed: bool) -> None:
    await fill(database, 50_000)
    if is_analyzed:
        await analyze(database)
    plans: list[str] = []

    def explained(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if "account_overrides" in statement and not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in rows))

    event.listen(database.engine.sync_engine, "before_cursor_execute", explained)
    async with database.read() as session:
        for wanted in ASKED:
            await list_given(session, wanted, now=NOW, page=1, page_size=20)
    event.remove(database.engine.sync_engine, "before_cursor_execute", explained)
    assert len(plans) >= 3 * len(ASKED)
    for plan in plans:
        for table in ("account_overrides", "accounts", "users"):
            assert f"Seq Scan on {table}" not in plan, plan


async def test_each_is_in_one_state_by_its_own_clock(database: Database) -> None:
    await fill(database, 2_000)
    async with database.read() as session:
        found = {
            state: await list_given(session, GivenFilter(state=state), now=NOW, page=1, page_size=100)
            for state in ("in_force", "scheduled", "ended", "taken_back")
        }
        late = await list_given(
            session, GivenFilter(state="scheduled"), now=NOW + timedelta(days=2), page=1, page_size=100
        )
    # The two with a clock of their own are 60 days ahead: what ends in nine days is over for them.
    assert {state: page.total for state, page in found.items()} == {
        "in_force": 80 - 2,
        "scheduled": 40,
        "ended": 1_000,
        "taken_back": 80,
    }
    assert (found["ended"].total_is_exact, late.total) == (False, 0)
