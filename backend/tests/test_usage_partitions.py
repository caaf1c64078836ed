"""The months of events are made ahead, once, and take what is recorded in them."""

from datetime import datetime

import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.usage.partitions import make_ahead

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
