"""Keys are found by their beginning by index, however many there are."""

from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from backend.auth.service.keys_service import keys_beginning
from backend.db.session import Database

_FILL = text("""
    INSERT INTO api_keys (id, kind, name, prefix, key_hash, scopes)
    SELECT gen_random_uuid(), 'service', 'k', 'fk_svc_' || lpad(to_hex(n), 6, '0'), sha256(CAST('k' || n AS bytea)),
        '{}'
    FROM generate_series(1, 50000) AS n
""")


async def test_by_index(database: Database) -> None:
    async with database.system() as session:
        await session.execute(_FILL)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE api_keys"))
    plans: list[str] = []

    def explained(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if "FROM api_keys" in statement and not statement.startswith("EXPLAIN"):
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in rows))

    event.listen(database.engine.sync_engine, "before_cursor_execute", explained)
    async with database.read() as reading:
        for beginning, expected in (("fk_svc_00abcd", 1), ("fk_svc_00abc", 16), ("fk_svc_ffffff", 0), ("fk_svc_%", 0)):
            assert len(await keys_beginning(reading, beginning=beginning, most=21)) == expected
    assert len(plans) == 4
    for plan in plans:
        assert "ix_api_keys_prefix" in plan, plan
        assert "Seq Scan" not in plan, plan
