"""Taking over the journals of processes that are gone: what they spent is counted once, what they held comes back.

A journal whose lock can be taken is nobody's any more. On the boot it was written in it is complete: its records are
counted, the rest is free again. From another boot, or another machine on the same volume, the last records may be
missing, and its owner may be out of reach rather than dead: it is taken over only once its lease has run out, and
what it does not account for stays forfeited.
"""

import asyncio
from collections import defaultdict
from pathlib import Path

import structlog

from backend.core.clock import SystemClock
from backend.core.metrics import TAKEN_OVER
from backend.db.session import Database, SystemSession, driver
from backend.enforcement.journal import LeftJournal, Place, left_journals
from backend.enforcement.settled import spent_of
from backend.usage.leftovers import is_lease_over, settle_left
from backend.usage.settlement import lock_journal

# Seconds after which the owner of a journal would have begun it; more than the clocks of two machines differ by.
_OLD = 86_400.0

log = structlog.get_logger(__name__)


async def take_over(database: Database, folder: Path) -> int:
    """Settles every journal in a folder that nobody writes any more. Returns how many there were."""
    done = 0
    for journal in left_journals(folder):
        is_settled = False
        try:
            async with database.system() as session:
                is_settled = await _settle(session, journal)
            done += is_settled
        finally:
            journal.close(remove=is_settled)
    return done


async def _settle(session: SystemSession, journal: LeftJournal) -> bool:
    """False: its owner may still be alive elsewhere, so it is left alone."""
    if not journal.is_of_this_boot and not await is_lease_over(session, journal.id):
        return False
    fence = await lock_journal(await driver(session), journal.id)
    if fence is None:  # it has not begun yet, or has been settled and only its file was left
        return journal.is_of_this_boot or SystemClock().now().timestamp() - journal.changed_at > _OLD
    sums: dict[tuple[Place, int], int] = defaultdict(int)
    records = await asyncio.to_thread(journal.replay, fence.position)
    for record in records:
        sums[(record.place, record.minute)] += record.amount
    spends = [spent_of(place, minute, amount) for (place, minute), amount in sums.items()]
    await settle_left(session, journal.id, fence, spends, gives_back=journal.is_of_this_boot)
    TAKEN_OVER.inc()
    log.warning("a journal is taken over", journal=str(journal.id), position=fence.position, records=len(records))
    return True
