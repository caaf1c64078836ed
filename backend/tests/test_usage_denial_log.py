"""The log of refusals is read by index, also of an account with very many."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from backend.db.session import Database
from backend.tests.http.calls import customer
from backend.tests.moments import NOW
from backend.usage import denial_log
from backend.usage.denial_log import DenialFilter

ROWS = 100_000
_FILL = text("""
    INSERT INTO denials (account_id, id, first_at, last_at, count, decision_ids, request_ids, code, method, path, plan,
        plan_version, rules)
    SELECT :account_id, id, :now, :now, 1, ARRAY[id], ARRAY['r' || n], 'rate_limited', 'GET', '/v1/ping', 'free', 1,
        '[]'
    FROM (SELECT n, CAST(lpad(to_hex(1700000000000 + 1000 * CAST(n AS bigint)), 12, '0') || '7000800000000000' || '0000'
        AS uuid) AS id FROM generate_series(1, :rows) AS n) AS made
""")


def _id(number: int) -> str:
    return str(UUID(int=(1_700_000_000_000 + 1_000 * number) << 80 | 0x7000_8000_0000_0000_0000))


@pytest.fixture
async def account_id(database: Database) -> Any:
    who = await customer(database)
    async with database.system() as session:
        await session.execute(_FILL, {"account_id": who.person.account_id, "now": NOW, "rows": ROWS})
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE denials"))
    return who.person.account_id


async def test_by_index(database: Database, account_id: Any) -> None:
    plans: list[str] = []

    def explained(
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: bool,
    ) -> None:
        if "FROM denials" in statement and not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in rows))

    event.listen(database.engine.sync_engine, "before_cursor_execute", explained)
    async with database.read(account_id) as session:
        for name in (_id(5), "r7", "r99999"):
            assert await denial_log.find(session, account_id, name) is not None
        page = await denial_log.newest(session, account_id, DenialFilter(), limit=51)
        assert len(page) == 51
    assert len(plans) >= 4
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert "Index" in plan, plan
