"""The log of refusals is read by index: of an account with very many, and over all accounts."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from backend.core.ids import AccountId
from backend.db.session import Database
from backend.tests.http.calls import customer
from backend.tests.moments import NOW
from backend.usage import denial_log
from backend.usage.denial_log import DenialFilter

ROWS = 100_000
FIRST = 1_700_000_000_000
KEY = UUID("01920000-0000-7000-8000-00000000000a")
# One a second, with ids from the millisecond `first` on. Every thousandth is of `KEY`, and by another rule.
FILL = text(f"""
    INSERT INTO denials (account_id, id, first_at, last_at, count, decision_ids, request_ids, code, method, path, plan,
        plan_version, rules, key_id)
    SELECT :account_id, id, at, at, 1, ARRAY[id], ARRAY['r' || n],
        CASE n % 1000 WHEN 0 THEN 'feature_not_in_plan' ELSE 'rate_limited' END, 'GET', '/v1/ping', 'free', 1, '[]',
        CASE n % 1000 WHEN 0 THEN CAST('{KEY}' AS uuid) END
    FROM (
        SELECT n, CAST(:now AS timestamptz) + n * interval '1 second' AS at,
            CAST(lpad(to_hex(CAST(:first AS bigint) + 1000 * CAST(n AS bigint)), 12, '0')
                || '70008000000000000000' AS uuid) AS id
        FROM generate_series(1, :rows) AS n
    ) AS made
""")


def _id(number: int) -> str:
    return str(UUID(int=(FIRST + 1_000 * number) << 80 | 0x7000_8000_0000_0000_0000))


@pytest.fixture
async def account_id(database: Database) -> AccountId:
    who = await customer(database)
    async with database.system() as session:
        made = {"account_id": who.person.account_id, "now": NOW, "rows": ROWS, "first": FIRST}
        await session.execute(FILL, made)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE denials"))
    return who.person.account_id


@contextlib.contextmanager
def _plans(database: Database) -> Iterator[list[str]]:
    """How PostgreSQL goes about what is asked of the log meanwhile."""
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
    yield plans
    event.remove(database.engine.sync_engine, "before_cursor_execute", explained)


@pytest.mark.parametrize("of_all", [False, True])
async def test_by_index(database: Database, account_id: AccountId, of_all: bool) -> None:
    whose = None if of_all else account_id
    with _plans(database) as plans:
        async with database.read(whose) as session:
            for name in (_id(5), "r7", "r99999"):
                assert len(await denial_log.named(session, whose, name)) == 1
            for unknown in (_id(ROWS + 1), "nothing", "req_6a0b0c0d00000000000000000000abc"):
                assert await denial_log.named(session, whose, unknown) == []
            for wanted in (
                DenialFilter(),
                DenialFilter(since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=2)),
                DenialFilter(key_ids=[KEY]),
                DenialFilter(key_ids=[KEY, UUID(_id(1))]),
                DenialFilter(code="rate_limited"),
                DenialFilter(code="feature_not_in_plan"),
            ):
                found = await denial_log.newest(session, whose, wanted, limit=50)
                assert len(found.items) == (20 if wanted.code == "feature_not_in_plan" else 50)
                older = await denial_log.newest(session, whose, wanted, limit=50, after=found.next)
                assert older.items[0].id < found.items[-1].id
            by_id = await denial_log.newest(session, whose, DenialFilter(ids=[UUID(_id(5)), UUID(_id(6))]), limit=50)
            assert [str(one.id) for one in by_id.items] == [_id(6), _id(5)]
    assert len(plans) >= 15
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert "Index" in plan, plan


@pytest.mark.parametrize("of_all", [False, True])
async def test_what_few_pass_goes_on_where_it_stopped(database: Database, account_id: AccountId, of_all: bool) -> None:
    whose, seen, after, parts = None if of_all else account_id, [], None, 0
    rare = DenialFilter(code="feature_not_in_plan")
    async with database.read(whose) as session:
        while True:
            found = await denial_log.newest(session, whose, rare, limit=50, after=after)
            seen += [one.id for one in found.items]
            parts += 1
            if found.next is None:
                break
            after = found.next
        nothing = await denial_log.newest(session, whose, DenialFilter(code="account_suspended"), limit=50)
    assert seen == [UUID(_id(number)) for number in range(ROWS, 0, -1_000)]
    assert parts == 1 + ROWS // 20_000
    assert (nothing.items, nothing.next) == ([], UUID(_id(ROWS - 20_000 + 1)))


async def test_one_who_names_all_alike_hides_nobody(database: Database, account_id: AccountId) -> None:
    other = (await customer(database)).person.account_id
    alike = text("UPDATE denials SET request_ids = ARRAY['same', 'less'], decision_ids = ARRAY[id, id], count = 2")
    async with database.system() as session:
        await session.execute(FILL, {"account_id": other, "now": NOW, "rows": 1, "first": FIRST - 500})
        await session.execute(alike)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE denials"))
    with _plans(database) as plans:
        async with database.read() as session:
            found = await denial_log.named(session, None, "same")
            folded = await denial_log.named(session, None, "less")
        async with database.read(account_id) as session:
            own = await denial_log.named(session, account_id, "same")
    assert [one.account_id for one in found] == [account_id] * 100 + [other]
    assert [one.id for one in own] == [one.id for one in found[:100]] == [UUID(_id(ROWS - n)) for n in range(100)]
    assert [one.id for one in folded] == [one.id for one in own], "beyond the newest 5,000 nothing is looked for"
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert "Bitmap" not in plan, "nobody's rows are gathered to be put in order"
