"""The rounds of a journal: one transaction in three round trips, each a pipeline.

The journal's row is locked first; then, once it is known what is to be settled, the counters, with the versions of
the accounts in use; then everything is written and committed. Speaks to the driver directly: while a round lasts, the
first calls of accounts wait for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.catalog.repository import READ_KEY, StateKey
from backend.core.ids import AccountId
from backend.db.wire import SCOPE_SYSTEM, Wire
from backend.usage.model import EPOCH, Counter
from backend.usage.settlement import (
    FENCE,
    LEASE,
    LOCK,
    Change,
    CounterKey,
    Fence,
    Opening,
    Spent,
    apply,
    columns,
    counters_of,
    held_by,
    recall,
)
from backend.usage.stored import Uncounted, count_stored, lock_records, uncounted_of

_BEGIN_JOURNAL = """
    INSERT INTO journal_positions (id, expires_at, created_at)
    VALUES (%(id)s, clock_timestamp() + %(lease)s, clock_timestamp()) ON CONFLICT DO NOTHING
"""
_BEGIN_STORE = "INSERT INTO spend_stores (journal_id) VALUES (%(id)s) ON CONFLICT DO NOTHING"
_OPEN_STORE = "UPDATE spend_stores SET is_closed = false WHERE journal_id = %(id)s"
_ADVANCE = """
    UPDATE journal_positions
    SET position = %(position)s, round = round + 1, state = 'live', expires_at = clock_timestamp() + %(lease)s
    WHERE id = %(id)s
"""
_HOLDERS = "SELECT count(*) FROM journal_positions WHERE state = 'live'"
_VERSIONS = "SELECT id, version FROM accounts WHERE id = ANY (%(ids)b::uuid[]) AND status = 'active'"
_ENSURE = """
    INSERT INTO meter_usage (account_id, meter, window_start, window_end)
    SELECT * FROM unnest(%(accounts)b::uuid[], %(meters)b::text[], %(starts)b::timestamptz[],
        %(ends)b::timestamptz[]) AS wanted (account_id, meter, window_start, window_end)
    ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
"""
_ENSURE_RECORDS = """
    INSERT INTO user_usage (id, user_id, account_id, period_start, period_end, storage_used_mb)
    SELECT DISTINCT ON (account_id, period_start) wanted.id, user_id, account_id, period_start, period_end,
        ceil(coalesce((SELECT level.used FROM meter_usage level WHERE level.account_id = wanted.account_id
            AND level.meter = 'storage' AND level.window_start = %(epoch)s), 0)::numeric / 1000000)
    FROM unnest(%(ids)b::uuid[], %(owners)b::uuid[], %(accounts)b::uuid[],
        %(period_starts)b::timestamptz[], %(period_ends)b::timestamptz[])
        AS wanted (id, user_id, account_id, period_start, period_end)
    ORDER BY account_id, period_start
    ON CONFLICT (account_id, period_start) DO NOTHING
"""
_TIDY = "DELETE FROM allowances WHERE journal_id = %(id)s AND amount = 0"
_DATABASE = """
    SELECT (SELECT system_identifier FROM pg_control_system()) || '-' || oid
    FROM pg_database WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class InForce:
    """What is committed now, of the accounts that were asked for: versions of the active ones, and which catalog."""

    versions: dict[AccountId, int]
    catalog: StateKey | None


class RoundConnection(Wire):
    """One connection to the database that does nothing but this. `begin`, `lock` and `write` are one transaction."""

    async def begin(self, journal_id: UUID, *, is_new: bool) -> tuple[Fence | None, int]:
        """Locks the journal's row until the end, and says how many processes may hold allowances.

        None: somebody has taken the journal over.
        """
        run = self._connection.execute
        async with self._connection.pipeline():
            await run("BEGIN")
            await run(SCOPE_SYSTEM)
            if is_new:
                await run(_BEGIN_JOURNAL, {"id": journal_id, "lease": LEASE})
                await run(_BEGIN_STORE, {"id": journal_id})
            fence = await run(FENCE, {"id": journal_id}, prepare=True)
            holders = await run(_HOLDERS, prepare=True)
        row, count = await fence.fetchone(), await holders.fetchone()
        assert count is not None
        return None if row is None else Fence(*row), int(count[0])

    async def held_by(self, journal_id: UUID) -> dict[CounterKey, int]:
        """What the database knows the journal to hold, of each counter."""
        return await held_by(self._connection, journal_id)

    async def uncounted_of(self, journal_id: UUID) -> Uncounted:
        """What was stored of the journal and is not counted."""
        return await uncounted_of(self._connection, journal_id)

    async def lock(
        self, keys: Sequence[CounterKey], openings: Sequence[Opening], accounts: Collection[AccountId]
    ) -> tuple[dict[CounterKey, Counter], InForce]:
        """Locks counters, making those that are to be opened and are missing, with the records of their periods.

        What is there is locked before anything is made, and records are made last, as by everybody: a row that is
        made keeps others waiting as a lock does.
        """
        run = self._connection.execute
        async with self._connection.pipeline():
            counters = await run(LOCK, columns(keys), prepare=True, binary=True) if keys else None
            if openings:
                await run(_ENSURE, _windows(openings), prepare=True)
                counters = await run(LOCK, columns(keys), prepare=True, binary=True)
                await run(_ENSURE_RECORDS, _periods(openings), prepare=True)
            versions = await run(_VERSIONS, {"ids": list(accounts)}, prepare=True, binary=True)
            catalog = await run(READ_KEY, prepare=True)
        found = counters_of(await counters.fetchall()) if counters else {}
        return found, _in_force(await versions.fetchall(), await catalog.fetchone())

    async def write(
        self,
        journal_id: UUID,
        *,
        position: int,
        changes: Sequence[Change],
        spends: Sequence[Spent],
        stored_up_to: int,
        from_forfeited: bool,
        recalls: Sequence[CounterKey],
    ) -> None:
        """Everything up to `position` is settled, with what is stored up to a batch; the lease begins anew; commits."""
        async with self._connection.pipeline():
            if stored_up_to and spends:
                await lock_records(self._connection, journal_id, stored_up_to, spends)
            await apply(self._connection, journal_id, changes=changes, spends=spends, from_forfeited=from_forfeited)
            if stored_up_to:
                await count_stored(self._connection, journal_id, stored_up_to)
            if from_forfeited:
                await self._connection.execute(_OPEN_STORE, {"id": journal_id})
            await recall(self._connection, recalls)
            arguments = {"id": journal_id, "position": position, "lease": LEASE}
            await self._connection.execute(_ADVANCE, arguments, prepare=True)
            await self._connection.execute("COMMIT")

    async def look(self, accounts: Collection[AccountId]) -> InForce:
        """What is in force, where no journal is kept."""
        run = self._connection.execute
        async with self._connection.pipeline():
            await run("BEGIN")
            await run(SCOPE_SYSTEM)
            versions = await run(_VERSIONS, {"ids": list(accounts)}, prepare=True, binary=True)
            catalog = await run(READ_KEY, prepare=True)
            await run("COMMIT")
        return _in_force(await versions.fetchall(), await catalog.fetchone())

    async def tidy(self, journal_id: UUID) -> None:
        """Forgets allowances that hold nothing any more."""
        async with self._connection.pipeline():
            await self._connection.execute("BEGIN")
            await self._connection.execute(SCOPE_SYSTEM)
            await self._connection.execute(_TIDY, {"id": journal_id})
            await self._connection.execute("COMMIT")

    async def database_name(self) -> str:
        """What tells this database from every other, also from its own copies on the same server."""
        row = await (await self._connection.execute(_DATABASE)).fetchone()
        assert row is not None
        return str(row[0])


def _in_force(versions: Sequence[Any], catalog: Any) -> InForce:
    return InForce({AccountId(row[0]): row[1] for row in versions}, None if catalog is None else StateKey(*catalog))


def _windows(openings: Sequence[Opening]) -> dict[str, list[Any]]:
    return {**columns([opening.key for opening in openings]), "ends": [opening.window.end for opening in openings]}


def _periods(openings: Sequence[Opening]) -> dict[str, Any]:
    return {
        "ids": [opening.record_id for opening in openings],
        "owners": [opening.owner_user_id for opening in openings],
        "accounts": [opening.key[0] for opening in openings],
        "period_starts": [opening.period_start for opening in openings],
        "period_ends": [opening.period_end for opening in openings],
        "epoch": EPOCH,
    }
