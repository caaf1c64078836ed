"""The work that keeps background work and its tables in order."""

from procrastinate import Blueprint, JobContext

from backend.jobs.housekeeping import RETENTIONS, forget
from backend.jobs.work import RETRY, work_of

KEEP_ENDED_HOURS = 30 * 24

blueprint = Blueprint()


@blueprint.periodic(cron="* * * * *")
@blueprint.task(name="retry_stalled", pass_context=True, queueing_lock="jobs.retry_stalled")
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Puts jobs back into the queue whose worker died: it has not been heard of for 30 seconds."""
    for job in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(job)


@blueprint.periodic(cron="7 * * * *")
@blueprint.task(name="forget_old", pass_context=True, queueing_lock="jobs.forget_old", retry=RETRY)
async def forget_old(context: JobContext, timestamp: int) -> None:
    """Deletes what was kept long enough, and jobs that ended without success a month ago."""
    for retention in RETENTIONS:
        await forget(work_of(context).database, retention)
    await context.app.job_manager.delete_old_jobs(
        KEEP_ENDED_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
