"""Background work of subscriptions: writing down what time has done.

Nobody waits for it: readers evaluate the rows as of their own moment. It may come late, run twice or run in several
workers at once, and the rows are the same.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from backend.catalog.service import Catalogs
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.jobs.work import RETRY, work_of
from backend.subscription import notice_rows
from backend.subscription.due import DueAccount, due_accounts, try_lock_account
from backend.subscription.lifecycle import Step
from backend.subscription.marks import PERCENTS
from backend.subscription.notices import LATER, look
from backend.subscription.repository import load_state
from backend.subscription.settle import settle_due

_log = structlog.get_logger(__name__)

blueprint = Blueprint()


async def settle_all(database: Database, *, now: datetime, batch: int = 200) -> int:
    """Settles every account that has something due, the longest due first, each in a transaction of its own.

    `now` is the system's clock; a test-mode account adds its offset. Returns how many steps were written. An account
    that cannot be settled is reported and does not keep the others waiting.
    """
    written = 0
    async for due in _all_due(database, now, batch):
        try:
            written += len(await settle_account(database, due.account_id, now=now))
        except Exception:
            _log.exception("subscription not settled", account_id=str(due.account_id))
    return written


async def settle_account(database: Database, account_id: AccountId, *, now: datetime) -> list[Step]:
    """Writes down what is due for one account; nothing when somebody else is at it, who will."""
    async with database.account(account_id) as session:
        if not await try_lock_account(session, account_id=account_id):
            return []
        state = await load_state(session, account_id=account_id, now=now)
        if state is None or state.subscription is None:
            return []
        return await settle_due(session, subscription=state.subscription, now=now + state.account.clock_offset)


async def _all_due(database: Database, now: datetime, batch: int) -> AsyncIterator[DueAccount]:
    after: DueAccount | None = None
    while True:
        async with database.read() as session:
            page = await due_accounts(session, now=now, after=after, limit=batch)
        for due in page:
            yield due
        if len(page) < batch:
            return
        after = page[-1]


async def tell_all(database: Database, *, catalogs: Catalogs, app_url: str, now: datetime, batch: int = 200) -> int:
    """Looks at counters that are due, the longest due first, each in a transaction of its own. Returns how many.

    `now` is the system's clock. A counter that cannot be looked at is reported, and put off so that it holds up none.
    """
    async with database.read() as session:
        due = await notice_rows.due_counters(session, limit=batch)
    looked = 0
    for key in due:
        try:
            async with database.system() as session:
                looked += await look(session, key, catalogs=catalogs, app_url=app_url, now=now)
        except Exception:
            _log.exception("usage not looked at", account_id=str(key.account_id), meter=key.meter)
            async with database.system() as session:
                await notice_rows.put_off(session, key, wait=LATER)
    return looked


@blueprint.task(name="look_again", pass_context=True, retry=RETRY)
async def look_again(context: JobContext, account_id: str) -> None:
    """Has all open counters of an account looked at, because its limits may have changed; safe to repeat."""
    work = work_of(context)
    await look_again_at(work.database, AccountId(UUID(account_id)), now=work.clock.now())


@blueprint.periodic(cron="13 * * * *")
@blueprint.task(name="tell_of_levels_anew", pass_context=True, queueing_lock="subscription.levels", retry=RETRY)
async def tell_of_levels_anew(context: JobContext, timestamp: int) -> None:
    """Levels have no window that begins anew: in each period they are told of again."""
    work = work_of(context)
    await look_at_past_levels(work.database, now=work.clock.now())


async def look_again_at(database: Database, account_id: AccountId, *, now: datetime) -> int:
    """Makes the open counters of one account due. Returns how many."""
    async with database.account(account_id) as session:
        return await notice_rows.make_due(session, account_id=account_id, now=now)


async def look_at_past_levels(database: Database, *, now: datetime) -> int:
    """Makes levels due of which something was told in a period that is over. Returns of how many accounts."""
    async with database.read() as session:
        accounts = await notice_rows.accounts_with_past_levels(session, first=PERCENTS[0], now=now)
    for account_id in accounts:
        try:
            await look_again_at(database, account_id, now=now)
        except Exception:
            _log.exception("levels not looked at", account_id=str(account_id))
    return len(accounts)
