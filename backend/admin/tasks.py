"""Background work of the back office."""

from datetime import timedelta

from procrastinate import Blueprint, JobContext

from backend.admin.sealing import forget
from backend.jobs.work import RETRY, work_of
from backend.security.encryption import Encryption

blueprint = Blueprint()


@blueprint.periodic(cron="29 4 * * *")
@blueprint.task(name="forget_audit", pass_context=True, queueing_lock="admin.forget_audit", retry=RETRY)
async def forget_audit(context: JobContext, timestamp: int) -> None:
    """Lets go of sealed events that were kept long enough; their seals stay, so that the chain can be followed."""
    work = work_of(context)
    now, encryption = work.clock.now(), Encryption.from_settings(work.settings)
    before = now - timedelta(days=work.settings.audit_kept_days)
    while await forget(work.database, encryption, before=before, now=now):
        pass
