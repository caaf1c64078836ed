"""What a look at what is new reads: the ends of primary keys, however much is before them."""

from datetime import timedelta

from sqlalchemy import text

from backend.core.clock import SystemClock
from backend.core.ids import AccountId, uuid7
from backend.db.session import Database
from backend.usage import live
from backend.usage.live import look, moment_of

_MANY = text("""
    INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, occurred_at, window_start)
    SELECT :account_id, CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0')
        || '7000' || '8' || substr(md5(CAST(number AS text)), 1, 15) AS uuid), at, 'jobs', 1, 'consume', at, at
    FROM (SELECT number, CAST(:now AS timestamptz) - number * interval '20 milliseconds' AS at
        FROM generate_series(1, 20000) AS number) AS made
""")


async def test_a_look_reads_no_more_than_may_be_new(database: Database) -> None:
    now, accounts = SystemClock().now(), [AccountId(uuid7()), AccountId(uuid7())]
    for account_id in accounts:
        async with database.system() as session:
            await session.execute(_MANY, {"account_id": account_id, "now": now})
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE usage_events"))
    async with database.read() as session:
        found = await look(session, {each: [] for each in accounts}, versions=accounts, keys=[], now=now, most=1_000)
        # Those of 15 seconds, 50 a second.
        assert [len(found.recent[each].usage) for each in accounts] == [750, 750]
        assert found.versions == {}
        arguments = live._arguments(accounts, since=now, most=1_000)
        nothing = {"of": [], "meters": [], "starts": [], "versions": [], "keys": [], "now": now}
        plan = await session.scalars(text("EXPLAIN ANALYZE " + live._LOOK.text), {**arguments, **nothing})
        lines = plan.all()
    assert len([line for line in lines if "Index Cond: ((account_id = watched" in line and "(id >=" in line]) == 4
    assert not [line for line in lines if "Rows Removed by Filter" in line]


def test_an_id_bears_its_time() -> None:
    assert abs(moment_of(uuid7()) - SystemClock().now()) < timedelta(seconds=5)
