"""Background work of mail."""

from uuid import UUID

from procrastinate import Blueprint, JobContext

from backend.jobs.work import RETRY, work_of
from backend.mail.service import deliver

blueprint = Blueprint()


@blueprint.task(name="deliver", pass_context=True, retry=RETRY)
async def deliver_mail(context: JobContext, mail_id: str) -> None:
    """Delivers one message; safe to repeat."""
    work = work_of(context)
    await deliver(work.database, work.settings, mail_id=UUID(mail_id), now=work.clock.now())
