"""Background work of subscriptions: writing down what time has done.

Nobody waits for it: readers evaluate the rows as of their own moment. It may come late, run twice or run in several
workers at once, and the rows are the same.
"""

from collections.abc import AsyncIterator
from datetime import datetime

import structlog

from backend.core.ids import AccountId
from backend.db.session import Database
from backend.subscription.due import DueAccount, due_accounts, try_lock_account
from backend.subscription.lifecycle import Step
from backend.subscription.repository import load_state
from backend.subscription.settle import settle_due

_log = structlog.get_logger(__name__)


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
        state = await load_state(session, account_id=account_id)
        account, subscription = state or (None, None)
        if account is None or subscription is None:
            return []
        return await settle_due(session, subscription=subscription, now=now + account.clock_offset)


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
