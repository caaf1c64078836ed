"""What processes left behind: leases that have run out, and journals that others take over."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from backend.db.session import SystemSession, driver
from backend.usage.settlement import (
    Change,
    Connection,
    CounterKey,
    Fence,
    Spent,
    apply,
    held_by,
    lock_counters_of_all,
)
from backend.usage.stored import close_store, count_stored, lock_records, uncounted_of

_DUE = text("""
    SELECT id FROM journal_positions WHERE state = 'live' AND expires_at <= clock_timestamp()
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_FORFEIT = text("""
    WITH counter AS (
        UPDATE meter_usage u SET held = u.held - a.amount, forfeited = u.forfeited + a.amount
        FROM allowances a
        WHERE a.journal_id = :id AND NOT a.is_forfeited
            AND (a.account_id, a.meter, a.window_start) = (u.account_id, u.meter, u.window_start)
    ), marked AS (
        UPDATE allowances SET is_forfeited = true WHERE journal_id = :id
    )
    UPDATE journal_positions SET state = 'expired' WHERE id = :id
""")
_IS_OVER = text("SELECT expires_at <= clock_timestamp() FROM journal_positions WHERE id = :id")
_FORGET_ALLOWANCES = text("DELETE FROM allowances WHERE journal_id = :id")
_FORGET = text("DELETE FROM journal_positions WHERE id = :id")


async def forfeit_one(session: SystemSession) -> UUID | None:
    """Forfeits what one process holds whose lease has run out: it counts against limits and is given to nobody.

    Returns its journal; None when every process is heard of. One in a transaction: counters are locked in the order of
    their keys, and those of another journal may come before.
    """
    journal_id: UUID | None = await session.scalar(_DUE)
    if journal_id is not None:
        await _forfeit(session, journal_id)
    return journal_id


async def is_lease_over(session: SystemSession, journal_id: UUID) -> bool:
    """Whether the process of a journal may spend nothing any more; True for a journal that nobody knows."""
    found = await session.scalar(_IS_OVER, {"id": journal_id})
    return found is None or bool(found)


async def settle_left(
    session: SystemSession, journal_id: UUID, fence: Fence, spends: Sequence[Spent], *, gives_back: bool
) -> None:
    """Counts what a journal, whose row the caller has locked, says beyond its settled position; and forgets it.

    `gives_back`: the journal is complete, so what it did not spend is free again; otherwise that stays forfeited.
    """
    on = await driver(session)
    held = await held_by(on, journal_id)
    await lock_counters_of_all(on, sorted(held))
    if not fence.is_expired:
        await _count_stored(on, journal_id, spends)
        held = await held_by(on, journal_id)
        if not gives_back:
            await _forfeit(session, journal_id)
    spent: dict[CounterKey, int] = defaultdict(int)
    for one in spends:
        spent[one.key] += one.amount
    changes = [
        Change(key, spent=spent[key], returned=held.get(key, 0) - spent[key] if gives_back else 0)
        for key in sorted({*held, *spent})
    ]
    await apply(on, journal_id, changes=changes, spends=spends, from_forfeited=fence.is_expired or not gives_back)
    await forget(session, journal_id)


async def forget(session: SystemSession, journal_id: UUID) -> None:
    """Removes a journal of which all is settled."""
    await session.execute(_FORGET_ALLOWANCES, {"id": journal_id})
    await session.execute(_FORGET, {"id": journal_id})


async def _forfeit(session: SystemSession, journal_id: UUID) -> None:
    on = await driver(session)
    await lock_counters_of_all(on, sorted(await held_by(on, journal_id)))
    await _count_stored(on, journal_id)
    await session.execute(_FORFEIT, {"id": journal_id})


async def _count_stored(on: Connection, journal_id: UUID, beside: Sequence[Spent] = ()) -> None:
    """What was stored before it was answered is known to have been spent, and is neither free nor forfeited."""
    await close_store(on, journal_id)
    stored = await uncounted_of(on, journal_id)
    if stored.sums:
        await lock_records(on, journal_id, stored.up_to, beside)
        changes = [Change(key, spent=stored.sums[key]) for key in sorted(stored.sums)]
        await apply(on, journal_id, changes=changes, spends=(), from_forfeited=False)
        await count_stored(on, journal_id, stored.up_to)
