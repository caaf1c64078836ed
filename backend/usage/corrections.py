"""Events that are taken back or corrected: nothing is changed, a difference is appended. The SQL of finding them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import WriteSession
from backend.usage.facts import Fact
from backend.usage.model import Identity

_FIND = text("""
    SELECT event.id, event.meter, event.amount, event.occurred_at, event.recorded_at, event.window_start, event.key_id,
        event.properties, identity.content_hash
    FROM usage_event_keys AS identity
    JOIN usage_events AS event ON event.account_id = identity.account_id AND event.id = identity.event_id
        AND event.recorded_at = identity.recorded_at
    WHERE identity.digest = :digest
    FOR UPDATE OF identity
""")
_CORRECTED = text("""
    SELECT coalesce(sum(amount) FILTER (WHERE counted), 0)::bigint AS counted,
        coalesce(sum(amount) FILTER (WHERE NOT counted), 0)::bigint AS uncounted
    FROM usage_events WHERE account_id = :account_id AND corrects = :event_id
""")


@dataclass(frozen=True, slots=True)
class Reported:
    """An event as it stands. `counted` is what counters have of it, with all corrections up to now; `uncounted` is
    what these could not count, below nothing where more was taken back than a counter had.

    `is_amount_said`: the event was said to be of the amount that is stored of it. One that set a level is stored as
    a difference, and one that would have led below nothing only as far as it led.
    """

    id: UUID
    meter: str
    counted: int
    uncounted: int
    is_amount_said: bool
    occurred_at: datetime
    recorded_at: datetime
    window_start: datetime
    key_id: UUID | None

    @property
    def amount(self) -> int:
        """What it is said to be by now."""
        return self.counted + self.uncounted


async def find_event(session: WriteSession, *, account_id: AccountId, external_id: str) -> Reported | None:
    """The event of a caller's own id, so that nobody else corrects it until the transaction ends."""
    digest = Identity.of(account_id, external_id, {}).digest
    row = (await session.execute(_FIND, {"digest": digest})).one_or_none()
    if row is None:
        return None
    # A second statement on purpose: it sees what was committed while the first one waited.
    corrected = (await session.execute(_CORRECTED, {"account_id": account_id, "event_id": row.id})).one()
    return Reported(
        id=row.id,
        meter=row.meter,
        counted=row.amount + corrected.counted,
        uncounted=corrected.uncounted,
        is_amount_said=_is_amount_said(account_id, external_id, row),
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        window_start=row.window_start,
        key_id=row.key_id,
    )


def _is_amount_said(account_id: AccountId, external_id: str, row: Any) -> bool:
    """Whether adding what is stored is what the caller said: the hash of that is kept with the identity. Properties
    without anything in them are stored as none."""
    spoken = [row.properties] if row.properties else [None, {}]
    said = [Fact(external_id, row.meter, row.amount, properties=properties).content for properties in spoken]
    return row.content_hash in [Identity.of(account_id, external_id, content).content_hash for content in said]
