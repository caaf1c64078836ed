"""The SQL that finds what is due."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class DueAccount:
    """An account whose subscription changes by itself, and since when."""

    account_id: AccountId
    due_at: datetime


# Two queries, so that the first, which is all of them outside of tests, is a walk along the index of what is due.
_DUE = text("""
    (
        SELECT d.account_id, d.next_due_at FROM subscription_schedules d JOIN accounts a ON a.id = d.account_id
        WHERE d.next_due_at >= :after_due_at AND (d.next_due_at, d.account_id) > (:after_due_at, :after_account_id)
            AND d.next_due_at <= :now AND a.clock_offset = '0'::interval AND a.status <> 'deleted'
        ORDER BY d.next_due_at, d.account_id LIMIT :limit
    ) UNION ALL (
        SELECT d.account_id, d.next_due_at FROM accounts a JOIN subscription_schedules d ON d.account_id = a.id
        WHERE (d.next_due_at, d.account_id) > (:after_due_at, :after_account_id)
            AND d.next_due_at <= CAST(:now AS timestamptz) + a.clock_offset
            AND a.mode = 'test' AND a.clock_offset <> '0'::interval AND a.status <> 'deleted'
        ORDER BY d.next_due_at, d.account_id LIMIT :limit
    )
    ORDER BY next_due_at, account_id LIMIT :limit
""")
_TRY_LOCK = text("SELECT 1 FROM accounts WHERE id = :account_id FOR NO KEY UPDATE SKIP LOCKED")

_BEFORE_ALL = DueAccount(AccountId(UUID(int=0)), datetime.min.replace(tzinfo=UTC))


async def due_accounts(
    session: ReadSession, *, now: datetime, after: DueAccount | None, limit: int
) -> list[DueAccount]:
    """A page of what is due at `now` (the system's clock), the longest due first; `after` is the last one seen."""
    last = after or _BEFORE_ALL
    rows = await session.execute(
        _DUE, {"now": now, "after_due_at": last.due_at, "after_account_id": last.account_id, "limit": limit}
    )
    return [DueAccount(row.account_id, row.next_due_at) for row in rows]


async def try_lock_account(session: WriteSession, *, account_id: AccountId) -> bool:
    """What `lock_account` does, without waiting: False when somebody else holds it, or nobody may."""
    return await session.scalar(_TRY_LOCK, {"account_id": account_id}) is not None
