"""Holds: amounts of a counter set aside until a time of the database's clock.

Whoever opens or settles one has locked the rows of its counters first, so the order is always: counters, then holds.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import ReadSession, SystemSession, WriteSession
from backend.usage.model import JOBS_IN_FLIGHT, LEVEL, Counter, Scope, Source, Window
from backend.usage.repository import lock_counters, move


@dataclass(frozen=True, slots=True)
class Hold:
    """A reservation as stored. `takes_slot`: it counts as a job in flight."""

    id: UUID
    account_id: AccountId
    meter: str
    window: Window
    period_start: datetime
    period_end: datetime
    amount: int
    takes_slot: bool
    holder_key_id: UUID | None
    holder_user_id: UUID | None
    state: str
    expires_at: datetime
    counted_amount: int | None
    uncounted_amount: int | None


_COLUMNS = """account_id, id, meter, window_start, window_end, period_start, period_end, amount, takes_slot,
    holder_key_id, holder_user_id, state, expires_at, counted_amount, uncounted_amount"""

_OPEN = text("""
    INSERT INTO usage_holds (account_id, id, meter, window_start, window_end, period_start, period_end, amount,
        takes_slot, holder_key_id, holder_user_id, created_at, expires_at)
    SELECT :account_id, :id, :meter, :window_start, :window_end, :period_start, :period_end, :amount,
        :takes_slot, :holder_key_id, :holder_user_id, clock_timestamp(),
        clock_timestamp() + make_interval(secs => :ttl_seconds)
    FROM accounts WHERE accounts.id = :account_id AND accounts.version = :version
    RETURNING expires_at
""")

_GET = text(f"SELECT {_COLUMNS} FROM usage_holds WHERE account_id = :account_id AND id = :id")
_GET_LOCKED = text(
    f"SELECT {_COLUMNS}, expires_at <= clock_timestamp() AS is_due FROM usage_holds"
    " WHERE account_id = :account_id AND id = :id FOR UPDATE"
)
_SETTLE = text("""
    UPDATE usage_holds SET state = :state, settled_at = coalesce(settled_at, clock_timestamp()),
        counted_amount = :counted, uncounted_amount = :uncounted
    WHERE account_id = :account_id AND id = :id
""")
_EXTEND = text("""
    UPDATE usage_holds SET expires_at = clock_timestamp() + make_interval(secs => :ttl_seconds)
    WHERE account_id = :account_id AND id = :id AND state = 'open' AND expires_at > clock_timestamp()
    RETURNING expires_at
""")
_IS_DUE = text("""
    SELECT EXISTS (
        SELECT FROM usage_holds
        WHERE account_id = :account_id AND state = 'open' AND expires_at <= clock_timestamp()
    )
""")
_NEXT_SLOT = text("""
    SELECT ceil(extract(epoch FROM min(expires_at) - clock_timestamp()))::int FROM usage_holds
    WHERE account_id = :account_id AND state = 'open' AND takes_slot
""")
_DUE_ACCOUNTS = text("""
    SELECT DISTINCT account_id FROM usage_holds
    WHERE state = 'open' AND expires_at <= clock_timestamp() LIMIT :limit
""")
_DUE = text(f"""
    SELECT {_COLUMNS} FROM usage_holds
    WHERE account_id = :account_id AND state = 'open' AND expires_at <= clock_timestamp()
    ORDER BY expires_at LIMIT :limit
""")
_EXPIRE = text("""
    UPDATE usage_holds SET state = 'expired', settled_at = clock_timestamp()
    WHERE account_id = :account_id AND id = ANY (CAST(:ids AS uuid[])) AND state = 'open'
        AND expires_at <= clock_timestamp()
    RETURNING id
""")


def _hold(row: Any) -> Hold:
    return Hold(
        id=row.id,
        account_id=row.account_id,
        meter=row.meter,
        window=Window(row.window_start, row.window_end),
        period_start=row.period_start,
        period_end=row.period_end,
        amount=row.amount,
        takes_slot=row.takes_slot,
        holder_key_id=row.holder_key_id,
        holder_user_id=row.holder_user_id,
        state=row.state,
        expires_at=row.expires_at,
        counted_amount=row.counted_amount,
        uncounted_amount=row.uncounted_amount,
    )


async def open_hold(
    session: WriteSession,
    *,
    hold_id: UUID,
    scope: Scope,
    version: int,
    meter: str,
    window: Window,
    amount: int,
    takes_slot: bool,
    ttl_seconds: int,
    by: Source,
    user_id: UUID | None,
) -> datetime | None:
    """Sets an amount aside that the caller has checked under lock; returns when it expires.

    None: the account has changed since its limits were read; nothing was set aside.
    """
    row = await session.execute(
        _OPEN,
        {
            "account_id": scope.account_id,
            "id": hold_id,
            "meter": meter,
            "window_start": window.start,
            "window_end": window.end,
            "period_start": scope.period_start,
            "period_end": scope.period_end,
            "amount": amount,
            "takes_slot": takes_slot,
            "holder_key_id": by.key_id,
            "holder_user_id": user_id,
            "ttl_seconds": ttl_seconds,
            "version": version,
        },
    )
    expires_at: datetime | None = row.scalar_one_or_none()
    if expires_at is not None:
        changes = [(meter, window, 0, amount)]
        if takes_slot:
            changes.append((JOBS_IN_FLIGHT, LEVEL, 1, 0))
        await move(session, account_id=scope.account_id, changes=changes)
    return expires_at


async def get_hold(session: ReadSession, *, account_id: AccountId, hold_id: UUID) -> Hold | None:
    """One reservation, without a lock: its meter and window never change."""
    row = (await session.execute(_GET, {"account_id": account_id, "id": hold_id})).one_or_none()
    return None if row is None else _hold(row)


async def is_any_due(session: ReadSession, *, account_id: AccountId) -> bool:
    """Whether holds of the account still take room although their time has passed."""
    return bool(await session.scalar(_IS_DUE, {"account_id": account_id}))


async def seconds_until_a_slot(session: ReadSession, *, account_id: AccountId) -> int:
    """When the first of the jobs in flight expires if nobody settles it before; at least 1."""
    return max(1, await session.scalar(_NEXT_SLOT, {"account_id": account_id}) or 1)


def counters_of(hold: Hold) -> list[tuple[str, Window]]:
    """The counters that a hold takes from."""
    wanted = [(hold.meter, hold.window)]
    return [*wanted, (JOBS_IN_FLIGHT, LEVEL)] if hold.takes_slot else wanted


async def lock_hold(session: WriteSession, *, hold: Hold) -> tuple[Hold, Counter]:
    """Locks the counters of a hold and then the hold; returns both as they are now.

    A hold whose time has passed is expired on the spot, so a late settlement is told from one in time.
    """
    counters = await lock_counters(session, account_id=hold.account_id, wanted=counters_of(hold))
    row = (await session.execute(_GET_LOCKED, {"account_id": hold.account_id, "id": hold.id})).one()
    current, counter = _hold(row), counters[(hold.meter, hold.window.start)]
    if current.state == "open" and row.is_due:
        await _expire_locked(session, account_id=hold.account_id, holds=[current])
        return await lock_hold(session, hold=hold)
    return current, counter


async def settle_hold(
    session: WriteSession, *, hold: Hold, state: str, counted: int | None, uncounted: int | None
) -> None:
    """Ends a locked hold and gives back what it held, if it still held it. `counted` of None: it took nothing."""
    if hold.state == "open":
        changes = [(hold.meter, hold.window, 0, -hold.amount)]
        if hold.takes_slot:
            changes.append((JOBS_IN_FLIGHT, LEVEL, -1, 0))
        await move(session, account_id=hold.account_id, changes=changes)
    await session.execute(
        _SETTLE,
        {
            "account_id": hold.account_id,
            "id": hold.id,
            "state": state,
            "counted": counted,
            "uncounted": uncounted,
        },
    )


async def extend_hold(
    session: WriteSession, *, account_id: AccountId, hold_id: UUID, ttl_seconds: int
) -> datetime | None:
    """Moves the end of an open hold; None when it is settled or its time has passed."""
    row = await session.execute(_EXTEND, {"account_id": account_id, "id": hold_id, "ttl_seconds": ttl_seconds})
    expires_at: datetime | None = row.scalar_one_or_none()
    return expires_at


async def expire_due(session: WriteSession, *, account_id: AccountId, limit: int = 500) -> int:
    """Gives back what the account's expired holds still hold; each comes back once. Returns how many."""
    rows = (await session.execute(_DUE, {"account_id": account_id, "limit": limit})).all()
    holds = [_hold(row) for row in rows]
    if not holds:
        return 0
    wanted = sorted({key for hold in holds for key in counters_of(hold)}, key=lambda key: (key[0], key[1].start))
    await lock_counters(session, account_id=account_id, wanted=wanted)
    return await _expire_locked(session, account_id=account_id, holds=holds)


async def _expire_locked(session: WriteSession, *, account_id: AccountId, holds: list[Hold]) -> int:
    rows = await session.execute(_EXPIRE, {"account_id": account_id, "ids": [hold.id for hold in holds]})
    expired = {row.id for row in rows}
    totals: dict[tuple[str, Window], tuple[int, int]] = {}
    for hold in holds:
        if hold.id not in expired:
            continue
        used, held = totals.get((hold.meter, hold.window), (0, 0))
        totals[(hold.meter, hold.window)] = (used, held - hold.amount)
        if hold.takes_slot:
            used, held = totals.get((JOBS_IN_FLIGHT, LEVEL), (0, 0))
            totals[(JOBS_IN_FLIGHT, LEVEL)] = (used - 1, held)
    if totals:
        changes = [(meter, window, used, held) for (meter, window), (used, held) in totals.items()]
        await move(session, account_id=account_id, changes=changes)
    return len(expired)


async def accounts_with_due_holds(session: SystemSession, *, limit: int = 200) -> list[AccountId]:
    """Accounts for which `expire_due` has work."""
    return [AccountId(row.account_id) for row in await session.execute(_DUE_ACCOUNTS, {"limit": limit})]
