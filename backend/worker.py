"""The composition root of background work: `python -m backend.worker`.

Any number of workers may run. One that is killed loses nothing: its jobs are taken up by another, and what is done
in rounds is found again.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from functools import partial

import structlog
from procrastinate import App

from backend.admin import tasks as admin_tasks
from backend.admin.bulk_work import BulkWork
from backend.admin.sealing import seal
from backend.auth.service.confirmations import Confirmations
from backend.catalog.service import Catalogs
from backend.core import log
from backend.core.clock import SystemClock
from backend.core.settings import Settings, get_settings
from backend.db.embedded import EmbeddedError, database_url
from backend.db.session import Database
from backend.jobs import tasks as jobs_tasks
from backend.jobs.dispatch import dispatch, each
from backend.jobs.queue import make_app
from backend.jobs.rounds import Round, go_round
from backend.jobs.work import Work
from backend.mail import tasks as mail_tasks
from backend.notifications.notices import on_subscription_changed
from backend.ratelimit import tasks as ratelimit_tasks
from backend.security.encryption import Encryption
from backend.subscription import overrides
from backend.subscription import tasks as subscription_tasks
from backend.subscription.notices import on_limits_changed
from backend.subscription.tasks import settle_all, tell_all
from backend.usage import tasks as usage_tasks
from backend.usage.tasks import expire_holds, keep_months

CONCURRENCY = 4
GRACE_SECONDS = 8.0
RESTART_SECONDS = 1.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_log = structlog.get_logger(__name__)

# A blueprint can be added to one application only, so there is one in a process; its connector comes with `serve`.
_app = make_app("")
_app.add_tasks_from(admin_tasks.blueprint, namespace="admin")
_app.add_tasks_from(jobs_tasks.blueprint, namespace="jobs")
_app.add_tasks_from(mail_tasks.blueprint, namespace="mail")
_app.add_tasks_from(ratelimit_tasks.blueprint, namespace="ratelimit")
_app.add_tasks_from(subscription_tasks.blueprint, namespace="subscription")
_app.add_tasks_from(usage_tasks.blueprint, namespace="usage")


async def serve(work: Work, stopping: asyncio.Event) -> None:
    """Works until `stopping` is set, then lets running jobs end for a few seconds. Outlives the database's restarts."""
    rounds = asyncio.create_task(go_round(_rounds(work)))
    try:
        while not stopping.is_set():
            await _serve_queue(work, stopping)
    finally:
        rounds.cancel()
        await asyncio.wait([rounds])


async def _serve_queue(work: Work, stopping: asyncio.Event) -> None:
    """One life of the queue's worker: it ends when asked to, or when it loses the database."""
    with _app.replace_connector(make_app(work.database.url).connector) as app:
        queue = asyncio.create_task(_run_queue(app, work))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([queue, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        queue.cancel()
        (error,) = await asyncio.gather(queue, return_exceptions=True)
    if not stopping.is_set():
        _log.warning("the queue stopped and is started again", error=repr(error))
        await asyncio.sleep(RESTART_SECONDS)


async def _run_queue(app: App, work: Work) -> None:
    async with app.open_async():
        await app.run_worker_async(
            concurrency=CONCURRENCY,
            additional_context=work.as_context(),
            delete_jobs="successful",
            install_signal_handlers=False,
            shutdown_graceful_timeout=GRACE_SECONDS,
        )


def _rounds(work: Work) -> Sequence[Round]:
    database, clock = work.database, work.clock
    app_url = f"{work.settings.frontend_base_url}/app"
    catalogs, encryption = Catalogs(), Encryption.from_settings(work.settings)
    kept_days = work.settings.denials_kept_days
    bulk = BulkWork(database, catalogs=catalogs, confirmations=Confirmations(work.settings))
    listeners = {
        "subscription.changed": each(partial(on_subscription_changed, app_url=app_url), on_limits_changed),
        "default_plan.changed": on_limits_changed,
        overrides.TOPIC: on_limits_changed,
    }
    return (
        Round("outbox", 1.0, lambda: dispatch(database, listeners, now=clock.now())),
        Round("holds", 2.0, lambda: expire_holds(database)),
        # The first time when the worker begins, so that no row comes before its month's table for want of an hour.
        Round("months", 600.0, lambda: keep_months(database, now=clock.now(), denials_kept_days=kept_days)),
        Round("notices", 1.0, lambda: tell_all(database, catalogs=catalogs, app_url=app_url, now=clock.now())),
        Round("audit seals", 1.0, lambda: seal(database, encryption, now=clock.now())),
        Round("bulk actions", 1.0, lambda: bulk.go_on(now=clock.now())),
        Round("subscriptions", 5.0, lambda: settle_all(database, now=clock.now())),
        Round("overrides", 5.0, lambda: overrides.sweep(database, now=clock.now())),
    )


async def _main(settings: Settings, url: str) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    database = Database(url, pool_size=CONCURRENCY + 3, statement_seconds=900)
    try:
        await serve(Work(database, settings, SystemClock()), stopping)
    finally:
        await database.close()


def main() -> int:
    """Runs until a signal comes. Returns the exit code."""
    settings = get_settings()
    log.configure(settings.log_level, json=settings.is_production)
    if problems := settings.production_problems():
        _log.error("ENVIRONMENT=production refuses to start", problems=problems)
        return 1
    given = settings.database_url.get_secret_value() if settings.database_url else None
    try:
        with database_url(given, settings.feature_home) as url:
            asyncio.run(_main(settings, url))
    except EmbeddedError as error:
        _log.error("the embedded database cannot be used", error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
