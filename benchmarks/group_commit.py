"""Durable spends that share transactions, beside the simplest exact thing: one guarded UPDATE and commit for each.

Both in one process, with so many callers at once, on the same 100 accounts. The UPDATE counts and nothing else; a
consume also writes the event, the record of the period, and checks that the account's terms are in force.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import uvloop
from psycopg_pool import AsyncConnectionPool

from backend.catalog.service import Catalogs
from backend.core.clock import SystemClock
from backend.core.ids import AccountId
from backend.db.session import Database, driver_url
from backend.enforcement.engine import Caller, Engine
from backend.enforcement.passes import Passes
from backend.enforcement.treasury import Treasury
from backend.subscription.entitlements import resolve
from backend.usage.model import Source
from benchmarks.database import Cluster, Prepared
from benchmarks.figures import Figure
from benchmarks.processes import WORK
from benchmarks.servers import ACCOUNTS

_POOL = 16
_WARM_UP = 0.3
_GUARDED = """
    UPDATE meter_usage SET used = used + 1
    WHERE account_id = %s AND meter = 'jobs' AND used + held + forfeited + 1 <= 1000000000000 RETURNING used
"""

Once = Callable[[int], Awaitable[object]]
"""One spend, of the account of this number."""


def run(cluster: Cluster, at_once: Sequence[int], *, rounds: int, seconds: float) -> list[Figure]:
    """One figure for each number of callers."""
    return uvloop.run(_run(cluster.prepare(accounts=ACCOUNTS), at_once, rounds, seconds))


async def _run(prepared: Prepared, at_once: Sequence[int], rounds: int, seconds: float) -> list[Figure]:
    accounts = [AccountId(UUID(account)) for account in prepared.accounts]
    database, catalogs = Database(prepared.url), Catalogs()
    treasury = Treasury(database, WORK / "journals", Passes(catalogs))
    await treasury.start()
    engine = Engine(database, catalogs, upgrade_url="http://localhost/plans", treasury=treasury)
    async with AsyncConnectionPool(
        driver_url(prepared.url), min_size=_POOL, max_size=_POOL, kwargs={"autocommit": True}, open=False
    ) as pool:
        callers = [await _caller(database, catalogs, account) for account in accounts]

        async def consume(number: int) -> object:
            return await engine.consume(callers[number], meter="jobs", amount=1)

        async def update(number: int) -> object:
            async with pool.connection() as connection:
                return await connection.execute(_GUARDED, [accounts[number]], prepare=True)

        for number in range(len(accounts)):  # the counters are there
            await consume(number)
        found = []
        for callers_at_once in at_once:
            pairs = [
                (await _rate(consume, callers_at_once, seconds), await _rate(update, callers_at_once, seconds))
                for _ in range(rounds)
            ]
            ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
            ratios = [ours_then / theirs_then for ours_then, theirs_then in pairs]
            note = f"{ours:,.0f}/s against {theirs:,.0f}/s"
            found.append(Figure.median("group_commit", ratios, at=callers_at_once, note=note))
    await engine.close()
    await treasury.stop()
    await database.close()
    return found


async def _caller(database: Database, catalogs: Catalogs, account: AccountId) -> Caller:
    now = SystemClock().now()
    async with database.read() as session:
        entitlements = await resolve(session, account_id=account, catalogs=catalogs, now=now)
    return Caller(account_id=account, by=Source(), user_id=None, now=now, entitlements=entitlements)


async def _rate(once: Once, at_once: int, seconds: float) -> float:
    """Spends a second, by so many callers that each wait for their answer."""
    turn = itertools.count()
    done, begins = 0, time.perf_counter() + _WARM_UP
    ends = begins + seconds

    async def caller() -> None:
        nonlocal done
        while (now := time.perf_counter()) < ends:
            await once(next(turn) % ACCOUNTS)
            done += now >= begins

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return done / (time.perf_counter() - begins)
