"""API calls in the database: plans that allow so many of them, and what is stored of each account."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from backend.catalog.document import load
from backend.catalog.service import apply
from backend.core.ids import AccountId
from backend.core.settings import REPOSITORY
from backend.db.session import Database

_STORED = text("""
    SELECT account_id, sum(used) AS used, sum(held) AS held, sum(forfeited) AS forfeited,
        (SELECT coalesce(sum(amount), 0) FROM usage_events e
            WHERE e.account_id = u.account_id AND meter = 'api_calls' AND counted) AS events,
        (SELECT coalesce(sum(api_calls), 0) FROM user_usage r WHERE r.account_id = u.account_id) AS recorded
    FROM meter_usage u WHERE meter = 'api_calls' GROUP BY account_id
""")


@dataclass(frozen=True)
class Stored:
    """What the database says of the calls of an account."""

    used: int = 0
    held: int = 0
    forfeited: int = 0
    events: int = 0
    recorded: int = 0


async def plans_with(
    database: Database,
    calls: int,
    *,
    now: datetime,
    window: str = "day",
    requests: int = 100,
    durability: str = "allowance",
) -> None:
    """Pro has so many calls in a window; `requests` a minute is the base of all rate limits."""
    plans = (REPOSITORY / "plans.toml").read_text()
    for old, new in [
        ('durability = "allowance"', f'durability = "{durability}"'),
        ('limit = 10_000, window = "day"', f'limit = {calls}, window = "{window}"'),
        ("requests = 100,", f"requests = {requests},"),
    ]:
        assert plans.count(old) == 1, old
        plans = plans.replace(old, new)
    async with database.system() as session:
        await apply(session, load(plans), now=now)


async def stored_of_all(database: Database) -> dict[AccountId, Stored]:
    """Of each account that has a counter."""
    async with database.system() as session:
        rows = (await session.execute(_STORED)).all()
    return {AccountId(account_id): Stored(*map(int, sums)) for account_id, *sums in rows}


async def stored(database: Database, account_id: AccountId) -> Stored:
    """Of one account."""
    return (await stored_of_all(database)).get(account_id, Stored())
