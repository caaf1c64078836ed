"""The months of events are made ahead, once, take what is recorded in them, and are dropped when they are old."""

import asyncio
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from backend.core.settings import Settings
from backend.db.session import Database
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.usage.integrity import check
from backend.usage.partitions import DENIALS, USAGE_EVENTS, look_over, make_ahead, read_parts, retire
from backend.usage.rollups import adding
from backend.usage.tasks import compare_all, compare_and_retire, keep_months

APRIL = datetime(2026, 4, 1, tzinfo=NOW.tzinfo)


@pytest.fixture
async def who(database: Database) -> Person:
    async with database.system() as session:
        return await person(session)


async def recorded(database: Database, who: Person, at: datetime) -> str:
    """Appends an event that is recorded then; the answer is the table that has it."""
    async with database.account(who.account_id) as session:
        return str(
            await session.scalar(
                text("""
                    INSERT INTO usage_events (account_id, id, recorded_at, meter, amount, source, occurred_at,
                        window_start)
                    VALUES (:account_id, gen_random_uuid(), :at, 'jobs', 1, 'ingest', :at, :at)
                    RETURNING tableoid::regclass::text
                """),
                {"account_id": who.account_id, "at": at},
            )
        )


async def test_the_next_months_are_made_once(database: Database, who: Person) -> None:
    assert await make_ahead(database, now=NOW) == ["usage_events_202604", "usage_events_202605", "usage_events_202606"]
    assert await make_ahead(database, now=NOW) == []
    assert await make_ahead(database, now=APRIL) == ["usage_events_202607"]
    assert await recorded(database, who, NOW) == "usage_events_default"
    assert await recorded(database, who, APRIL) == "usage_events_202604"
    assert await recorded(database, who, datetime(2026, 6, 30, 23, 59, tzinfo=NOW.tzinfo)) == "usage_events_202606"


async def test_a_month_that_has_begun_without_a_table_stays_where_it_is(database: Database, who: Person) -> None:
    assert await recorded(database, who, APRIL) == "usage_events_default"
    assert await make_ahead(database, now=NOW) == ["usage_events_202605", "usage_events_202606"]
    assert await recorded(database, who, APRIL) == "usage_events_default"


async def test_the_year_turns(database: Database) -> None:
    december = datetime(2026, 12, 31, 23, tzinfo=NOW.tzinfo)
    assert await make_ahead(database, now=december, months=1) == ["usage_events_202701"]


async def test_nobody_gets_at_another_accounts_events_through_a_month(database: Database, who: Person) -> None:
    await make_ahead(database, now=NOW)
    await recorded(database, who, APRIL)
    async with database.system() as session:
        other = await person(session)
    async with database.read(other.account_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM usage_events")) == 0
    with pytest.raises(Exception, match="permission denied"):
        async with database.read(other.account_id) as session:
            await session.scalar(text("SELECT count(*) FROM usage_events_202604"))


OLD, LATER = datetime(2025, 1, 20, tzinfo=NOW.tzinfo), datetime(2025, 2, 3, tzinfo=NOW.tzinfo)
_COUNT_ALL = text("""
    INSERT INTO meter_usage (account_id, meter, window_start, used)
    SELECT account_id, meter, window_start, sum(amount) FROM usage_events GROUP BY 1, 2, 3
""")
_RECORD_ALL = text("""
    INSERT INTO user_usage (id, account_id, period_start, period_end, jobs_created, storage_used_mb)
    SELECT gen_random_uuid(), account_id, window_start, window_start + interval '1 month', sum(amount), 1
    FROM usage_events WHERE meter = 'jobs' GROUP BY account_id, window_start
""")


@pytest.fixture
async def years(database: Database, who: Person) -> Person:
    """Usage of three months: two are old now, the first without a table; and a level that all of them moved."""
    await make_ahead(database, now=OLD, months=14)
    for at in (datetime(2024, 12, 24, tzinfo=NOW.tzinfo), OLD, LATER, NOW):
        await recorded(database, who, at)
        async with database.account(who.account_id) as session:
            await session.execute(
                text("""
                    INSERT INTO usage_events
                        (account_id, id, recorded_at, meter, amount, source, occurred_at, window_start)
                    VALUES (:account_id, gen_random_uuid(), :at, 'storage', 10, 'ingest', :at, '1970-01-01Z')
                """),
                {"account_id": who.account_id, "at": at},
            )
    async with database.account(who.account_id) as session:
        await session.execute(_COUNT_ALL)
        await session.execute(_RECORD_ALL)
        await session.execute(text(adding("usage_events")))
    return who


async def parts(database: Database) -> list[str]:
    return [part.name for part in await read_parts(database, USAGE_EVENTS)]


async def events(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM usage_events")) or 0)


async def test_old_months_are_dropped_and_nothing_else_changes(database: Database, years: Person) -> None:
    assert (await compare_all(database, now=NOW)).differences == []
    assert await compare_and_retire(database, now=NOW, months=None) == []
    assert await compare_and_retire(database, now=NOW, months=15) == []
    assert await compare_and_retire(database, now=NOW, months=14) == ["usage_events_default"]  # December 2024
    assert await compare_and_retire(database, now=NOW, months=14) == []
    assert (await events(database), (await parts(database))[0]) == (6, "usage_events_202502")
    may = NOW + timedelta(days=62)
    await make_ahead(database, now=NOW)
    assert await compare_and_retire(database, now=may, months=14) == ["usage_events_202502", "usage_events_default"]
    assert await events(database) == 2
    later = await compare_all(database, now=may)
    assert (later.differences, later.records, later.months) == ([], [], [])
    async with database.read() as session:
        kept = await session.scalar(text("SELECT sum(used) FROM meter_usage WHERE meter IN ('jobs', 'storage')"))
        assert (kept, await session.scalar(text("SELECT sum(amount) FROM usage_rollups"))) == (44, 44)


@pytest.mark.parametrize(
    ("statement", "fault", "is_repaired"),
    [
        (
            "UPDATE meter_usage SET used = used + 5 WHERE meter = 'jobs' AND window_start > '2026-01-01Z'",
            "counter",
            True,
        ),
        ("DELETE FROM usage_events WHERE meter = 'jobs' AND recorded_at > '2026-01-01Z'", "events", True),
        ("DELETE FROM usage_rollups WHERE meter = 'jobs' AND bucket_start > '2026-01-01Z'", "sums", True),
        ("DELETE FROM usage_rollups WHERE meter = 'storage' AND bucket_start > '2026-01-01Z'", "sums", True),
        ("UPDATE meter_usage SET used = used + 5 WHERE meter = 'storage'", "unexplained", False),
        ("DELETE FROM usage_rollups WHERE meter = 'storage' AND bucket_start < '2026-01-01Z'", "unexplained", False),
    ],
)
async def test_what_is_kept_is_compared_and_repaired_as_before(
    database: Database, years: Person, statement: str, fault: str, is_repaired: bool
) -> None:
    await retire(database, kept=USAGE_EVENTS, before=datetime(2025, 3, 1, tzinfo=NOW.tzinfo))
    assert (await events(database), await check(database, now=NOW)) == (2, [])
    async with database.system() as session:
        await session.execute(text(statement))
    first = await check(database, now=NOW)
    assert [one.fault for one in first] == [fault]
    assert await check(database, now=NOW) == ([] if is_repaired else first)
    async with database.read() as session:
        summed = await session.execute(
            text("SELECT meter, sum(amount) FROM usage_rollups WHERE bucket_start < '2025-03-01Z' GROUP BY 1")
        )
        old = {meter: int(amount) for meter, amount in summed}
        assert old["jobs"] == 3, "what is kept only as a sum was not made anew from events that are gone"


async def test_nothing_is_dropped_before_somebody_has_looked(database: Database, years: Person) -> None:
    async with database.system() as session:
        await session.execute(text("UPDATE meter_usage SET used = used + 5 WHERE meter = 'jobs'"))
        await session.execute(text("DELETE FROM usage_rollups WHERE meter = 'jobs'"))
    before = await parts(database), await events(database)
    assert await compare_and_retire(database, now=NOW, months=14) == []
    assert (await parts(database), await events(database)) == before


async def test_a_month_that_somebody_reads_is_dropped_the_next_time(database: Database, years: Person) -> None:
    async with database.read() as session:
        await session.scalar(text("SELECT count(*) FROM usage_events"))
        assert await retire(database, kept=USAGE_EVENTS, before=datetime(2025, 3, 1, tzinfo=NOW.tzinfo)) == []
    assert ({one.fault for one in await look_over(database, now=NOW)}, await check(database, now=NOW)) == (
        {"default"},
        [],
    )
    found = await asyncio.gather(
        *(retire(database, kept=USAGE_EVENTS, before=datetime(2025, 3, 1, tzinfo=NOW.tzinfo)) for _ in range(2))
    )
    assert {name for names in found for name in names} == {"usage_events_202502", "usage_events_default"}


async def test_other_tables_are_kept_in_months_too(database: Database) -> None:
    assert await make_ahead(database, now=NOW, kept=DENIALS, months=2) == ["denials_202604", "denials_202605"]
    assert await retire(database, kept=DENIALS, before=datetime(2026, 5, 31, tzinfo=NOW.tzinfo)) == ["denials_202604"]
    assert await look_over(database, now=NOW, kept=DENIALS) == []
    async with database.read() as session:
        assert (await session.execute(text("SELECT table_name FROM retired_parts"))).scalars().all() == ["denials"]


def test_events_are_evidence_for_more_than_a_year() -> None:
    assert Settings(_env_file=None).usage_events_kept_months is None
    assert Settings(_env_file=None, usage_events_kept_months=14).usage_events_kept_months == 14
    for months in (13, 0, -1, 10**6):
        with pytest.raises(ValidationError, match="USAGE_EVENTS_KEPT_MONTHS is 14 to 1200"):
            Settings(_env_file=None, usage_events_kept_months=months)


async def test_a_worker_makes_months_when_it_begins_and_drops_refusals_that_are_old(database: Database) -> None:
    async def keep(now: datetime) -> int:
        return await keep_months(database, now=now, denials_kept_days=90)

    assert await keep(NOW) == 6
    assert await keep(NOW) == 0
    for kept in (USAGE_EVENTS, DENIALS):
        assert await look_over(database, now=NOW, kept=kept) == []
    later = datetime(2026, 9, 30, tzinfo=NOW.tzinfo)
    assert await keep(later) == 6 + 3  # the months of refusals from April to June are gone
