"""Background work of usage."""

import structlog

from backend.db.session import Database
from backend.usage.holds import accounts_with_due_holds, expire_due

_log = structlog.get_logger(__name__)


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
