"""Giving an account another limit than its plan's, for a time, and taking it back.

A change raises the account's version in its own transaction, so that every process goes by it within a second. What
begins and ends by itself needs nobody: whoever reads the rows knows when they do. `sweep` only tells of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, text, tuple_

from backend.auth.errors import AccountUnknown
from backend.auth.service.versions import note_account_change
from backend.catalog.definitions import MeterDefinition
from backend.catalog.errors import MeterUnknown
from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, UserId, uuid7
from backend.db import outbox
from backend.db.models import Account, AccountOverride
from backend.db.session import Database, ReadSession, SystemSession, driver
from backend.subscription.entitlements import Entitlements, resolve
from backend.subscription.errors import OverrideOver, OverridesFull, OverrideUnknown
from backend.subscription.repository import lock_account
from backend.subscription.stacking import Kind
from backend.usage import settlement
from backend.usage.model import MAX_AMOUNT

TOPIC = "limits.changed"
MOST_REASON = 500
# Of an account, and not over: all of them are read with its limits.
MOST = 50
_FARTHEST = timedelta(days=36_525)

State = Literal["scheduled", "in_force", "ended", "taken_back"]

_DUE = text("""
    SELECT o.account_id, o.id, o.next_due_at FROM account_overrides o JOIN accounts a ON a.id = o.account_id
    WHERE o.next_due_at <= CAST(:now AS timestamptz) AND a.clock_offset = '0'::interval
    UNION ALL
    SELECT o.account_id, o.id, o.next_due_at FROM accounts a JOIN account_overrides o ON o.account_id = a.id
    WHERE o.next_due_at <= CAST(:now AS timestamptz) + a.clock_offset
        AND a.mode = 'test' AND a.clock_offset <> '0'::interval
    ORDER BY 1, 2 LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Granted:
    """An override with who gave it, when, and where it stands. An `amount` of None is unlimited; `created_by` and
    `ended_by` are None for a command. `starts_at` and `ends_at` are by the account's clock, the others the system's."""

    id: UUID
    account_id: AccountId
    meter: str
    kind: Kind
    amount: int | None
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    created_by: UserId | None
    created_at: datetime
    ended_at: datetime | None
    ended_by: UserId | None
    state: State

    def to_json(self) -> dict[str, Any]:
        """What it gives, for logs."""
        return {
            "id": str(self.id),
            "meter": self.meter,
            "kind": self.kind,
            "amount": self.amount,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at and self.ends_at.isoformat(),
        }


async def grant(
    session: SystemSession,
    *,
    account_id: AccountId,
    meter: str,
    kind: Kind,
    amount: int | None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reason: str,
    by: UserId | None,
    catalogs: Catalogs,
    now: datetime,
) -> Granted:
    """Gives `amount` base units of a meter more (`add`), or that limit instead of the plan's (`set`; None is
    unlimited), from `starts_at` (now) until before `ends_at` (until it is taken back), by the account's clock.

    Raises AccountUnknown, MeterUnknown, InvalidInput, OverridesFull.
    """
    before = await _locked(session, account_id, catalogs, now)
    definition = _find_meter(before, meter)
    if definition is None:
        names = [one.key for one in before.catalog.meters]
        raise MeterUnknown(f"No meter is called {meter[:80]!r}. There are: {', '.join(names)}.", known=names)
    ensure_amount(definition, kind, amount)
    reason = reason.strip()
    if not 1 <= len(reason) <= MOST_REASON:
        raise InvalidInput(f"reason: say why, in 1 to {MOST_REASON} characters.")
    if starts_at is not None and starts_at < before.now:
        raise InvalidInput("starts_at has passed; leave it out to begin now.")
    begins = starts_at or before.now
    if ends_at is not None and ends_at <= begins:
        raise InvalidInput("ends_at must be later than the beginning, and than now.")
    if max(begins, ends_at or begins) > before.now + _FARTHEST:
        raise InvalidInput("Choose times within 100 years; without ends_at it is until it is taken back.")
    if len(before.overrides) >= MOST:
        raise OverridesFull(f"{MOST} overrides of this account are not over, as many as there may be. Take one back.")
    row = AccountOverride(
        account_id=account_id,
        id=uuid7(),
        number=before.account.version,
        meter=meter,
        kind=kind,
        amount=amount,
        starts_at=begins.astimezone(UTC),
        ends_at=ends_at and ends_at.astimezone(UTC),
        reason=reason,
        created_by=by,
        created_at=now,
        next_due_at=begins if begins > before.now else ends_at,
    )
    session.add(row)
    await session.flush()  # what follows is plain SQL
    await _tell(session, before, "granted", row, catalogs, now)
    return granted(row, before.now)


async def take_back(
    session: SystemSession,
    *,
    account_id: AccountId,
    override_id: UUID,
    by: UserId | None,
    catalogs: Catalogs,
    now: datetime,
) -> Granted:
    """Ends an override now, or keeps it from beginning. Raises AccountUnknown, OverrideUnknown, and OverrideOver for
    one that has ended or was taken back before."""
    before = await _locked(session, account_id, catalogs, now)
    wanted = (AccountOverride.account_id == account_id, AccountOverride.id == override_id)
    row = await session.scalar(select(AccountOverride).where(*wanted).with_for_update())
    if row is None:
        raise OverrideUnknown("No override of this account has this id.")
    state = _state(row, before.now)
    if state in ("ended", "taken_back"):
        raise OverrideOver(f"This override is {_WORDS[state]}: there is nothing to take back.", state=state)
    row.ended_at, row.ended_by, row.next_due_at = now, by, None
    await session.flush()  # what follows is plain SQL
    await _tell(session, before, "taken_back", row, catalogs, now)
    return granted(row, before.now)


async def list_of(
    session: ReadSession, *, account_id: AccountId, now: datetime, limit: int = 200, offset: int = 0
) -> tuple[list[Granted], int]:
    """A page of all that an account was ever given, the newest first, and how many there are. Raises AccountUnknown."""
    clock_offset = await session.scalar(select(Account.clock_offset).where(Account.id == account_id))
    if clock_offset is None:
        raise AccountUnknown("No account has this id.")
    mine = AccountOverride.account_id == account_id
    wanted = select(AccountOverride).where(mine).order_by(AccountOverride.id.desc()).limit(limit).offset(offset)
    rows = (await session.scalars(wanted)).all()
    total = await session.scalar(select(func.count()).select_from(AccountOverride).where(mine))
    return [granted(row, now + clock_offset) for row in rows], total or 0


async def account_of(session: ReadSession, override_id: UUID) -> AccountId:
    """Whose it is. Raises OverrideUnknown."""
    found: AccountId | None = await session.scalar(
        select(AccountOverride.account_id).where(AccountOverride.id == override_id)
    )
    if found is None:
        raise OverrideUnknown("No override has this id.")
    return found


async def sweep(database: Database, *, now: datetime, batch: int = 200) -> int:
    """Tells of overrides that have begun or ended by themselves, so that their customers' notices are looked at again.

    Returns how many. `now` is the system's clock. May come late or run twice: limits do not wait for it.
    """
    async with database.system() as session:
        due = (await session.execute(_DUE, {"now": now, "limit": batch})).all()
        if not due:
            return 0
        moments = {(one.account_id, one.id): one.next_due_at for one in due}
        wanted = select(AccountOverride).where(tuple_(AccountOverride.account_id, AccountOverride.id).in_(moments))
        in_order = wanted.order_by(AccountOverride.account_id, AccountOverride.id)
        rows = (await session.scalars(in_order.with_for_update(skip_locked=True))).all()
        for row in rows:
            if row.next_due_at is None or row.next_due_at != moments[row.account_id, row.id]:
                continue  # told by another, or taken back, since it was looked for
            begins = row.next_due_at == row.starts_at
            _publish(session, "started" if begins else "ended", row, row.next_due_at)
            row.next_due_at = row.ends_at if begins else None
        return len(rows)


async def _locked(session: SystemSession, account_id: AccountId, catalogs: Catalogs, now: datetime) -> Entitlements:
    """What the account may do, and nobody else changes it until the end. Raises AccountUnknown."""
    await lock_account(session, account_id=account_id)
    found = await resolve(session, account_id=account_id, catalogs=catalogs, now=now)
    if found is None:
        raise AccountUnknown("No account has this id.")
    return found


async def _tell(
    session: SystemSession,
    before: Entitlements,
    kind: Literal["granted", "taken_back"],
    row: AccountOverride,
    catalogs: Catalogs,
    now: datetime,
) -> None:
    """Tells every cache and whoever listens; what processes hold under a limit that is lower now is called back."""
    account_id = before.account.id
    await note_account_change(session, account_id)
    _publish(session, kind, row, before.now)
    after = await resolve(session, account_id=account_id, catalogs=catalogs, now=now)
    assert after is not None
    meter = _find_meter(after, row.meter)
    is_lower = _is_lower(after.quota(row.meter).limit, before.quota(row.meter).limit)
    if is_lower and meter is not None and meter.kind == "counter":
        await settlement.recall(await driver(session), [(account_id, meter.key, after.window(meter).start)])


def _publish(session: SystemSession, kind: str, row: AccountOverride, at: datetime) -> None:
    payload = {"kind": kind, "override_id": str(row.id), "meter": row.meter, "at": at.isoformat()}
    outbox.publish(session, topic=TOPIC, account_id=row.account_id, payload=payload)


def _is_lower(limit: int | None, than: int | None) -> bool:
    return limit is not None and (than is None or limit < than)


def _find_meter(entitlements: Entitlements, meter: str) -> MeterDefinition | None:
    return next((one for one in entitlements.catalog.meters if one.key == meter), None)


def ensure_amount(meter: MeterDefinition, kind: Kind, amount: int | None) -> None:
    """Raises InvalidInput for what cannot be given of a meter."""
    lowest = 1 if kind == "add" else 0
    if amount is None and kind == "add":
        raise InvalidInput("amount: nothing unlimited can be added; set the limit to unlimited instead.")
    if amount is not None and not lowest <= amount <= MAX_AMOUNT:
        raise InvalidInput(f"amount is {amount}; choose whole {meter.unit}s from {lowest} to {MAX_AMOUNT}.")


_WORDS = {"ended": "over", "taken_back": "taken back"}


def _state(row: AccountOverride, now: datetime) -> State:
    """Where it stands; `now` is by the account's clock."""
    if row.ended_at is not None:
        return "taken_back"
    if row.ends_at is not None and row.ends_at <= now:
        return "ended"
    return "in_force" if row.starts_at <= now else "scheduled"


def granted(row: AccountOverride, now: datetime) -> Granted:
    """A row as it stands; `now` is by the account's clock."""
    kind: Kind = "set" if row.kind == "set" else "add"
    return Granted(
        id=row.id,
        account_id=row.account_id,
        meter=row.meter,
        kind=kind,
        amount=row.amount,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        created_by=row.created_by,
        created_at=row.created_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        state=_state(row, now),
    )
