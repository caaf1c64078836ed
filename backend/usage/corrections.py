"""Events that are taken back or corrected: nothing is changed, a difference is appended. The SQL of finding them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import WriteSession
from backend.usage.model import Identity

_FIND = text("""
    SELECT event.id, event.meter, event.amount, event.occurred_at, event.window_start, event.key_id
    FROM usage_event_keys AS identity
    JOIN usage_events AS event ON event.account_id = identity.account_id AND event.id = identity.event_id
        AND event.recorded_at = identity.recorded_at
    WHERE identity.digest = :digest
    FOR UPDATE OF identity
""")
_CORRECTED = text("""
    SELECT coalesce(sum(amount), 0)::bigint FROM usage_events WHERE account_id = :account_id AND corrects = :event_id
""")


@dataclass(frozen=True, slots=True)
class Reported:
    """An event as it stands: `amount` with all corrections up to now."""

    id: UUID
    meter: str
    amount: int
    occurred_at: datetime
    window_start: datetime
    key_id: UUID | None


async def find_event(session: WriteSession, *, account_id: AccountId, external_id: str) -> Reported | None:
    """The event of a caller's own id, so that nobody else corrects it until the transaction ends."""
    digest = Identity.of(account_id, external_id, {}).digest
    row = (await session.execute(_FIND, {"digest": digest})).one_or_none()
    if row is None:
        return None
    # A second statement on purpose: it sees what was committed while the first one waited.
    corrected = await session.scalar(_CORRECTED, {"account_id": account_id, "event_id": row.id})
    return Reported(row.id, row.meter, row.amount + int(corrected or 0), row.occurred_at, row.window_start, row.key_id)
