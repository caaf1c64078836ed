"""Background work of usage."""

import structlog
from procrastinate import Blueprint, JobContext

from backend.db.session import Database
from backend.jobs.work import RETRY, work_of
from backend.usage import integrity, partitions
from backend.usage.holds import accounts_with_due_holds, expire_due

_log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="17 3 * * *")
@blueprint.task(name="compare", pass_context=True, queueing_lock="usage.compare", retry=RETRY)
async def compare(context: JobContext, timestamp: int) -> None:
    """Compares counters, events and sums, every night; says what differs, and repairs what can be explained."""
    work = work_of(context)
    await integrity.check(work.database, now=work.clock.now())


@blueprint.periodic(cron="43 * * * *")
@blueprint.task(name="make_partitions", pass_context=True, queueing_lock="usage.make_partitions", retry=RETRY)
async def make_partitions(context: JobContext, timestamp: int) -> None:
    """Makes the tables of the months to come."""
    work = work_of(context)
    await partitions.make_ahead(work.database, now=work.clock.now())


async def expire_holds(database: Database) -> int:
    """Gives back what expired holds still hold, each account in a transaction of its own. Returns how many holds.

    Holds expire on the database's clock. An account that cannot be settled now does not keep the others waiting.
    """
    async with database.system() as session:
        accounts = await accounts_with_due_holds(session)
    expired = 0
    for account_id in accounts:
        try:
            async with database.account(account_id) as session:
                expired += await expire_due(session, account_id=account_id)
        except Exception:
            _log.exception("holds not expired", account_id=str(account_id))
    return expired
