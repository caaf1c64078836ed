"""Background work of the rate limits."""

from procrastinate import Blueprint, JobContext

from backend.jobs.work import RETRY, work_of
from backend.ratelimit.postgres import PostgresRateStore

AT_MOST = 10_000

blueprint = Blueprint()


@blueprint.periodic(cron="*/10 * * * *")
@blueprint.task(name="prune", pass_context=True, queueing_lock="ratelimit.prune", retry=RETRY)
async def prune(context: JobContext, timestamp: int) -> None:
    """Forgets buckets that are full again and that nobody has used for an hour."""
    store = PostgresRateStore(work_of(context).database.system)
    while await store.prune(AT_MOST) == AT_MOST:
        pass
