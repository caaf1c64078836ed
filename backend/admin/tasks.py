"""Background work of the back office."""

from datetime import timedelta

from procrastinate import Blueprint, JobContext

from backend.admin.sealing import forget
from backend.jobs.work import RETRY, work_of

blueprint = Blueprint()


@blueprint.periodic(cron="29 4 * * *")
@blueprint.task(name="forget_audit", pass_context=True, queueing_lock="admin.forget_audit", retry=RETRY)
async def forget_audit(context: JobContext, timestamp: int) -> None:
    """Lets go of sealed events that were kept long enough; their seals stay, so that the chain can be followed."""
    work = work_of(context)
    now = work.clock.now()
    while await forget(work.database, before=now - timedelta(days=work.settings.audit_kept_days), now=now):
        pass
