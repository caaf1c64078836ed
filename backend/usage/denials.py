"""The SQL of refusals: a log of what was refused, no evidence of money."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import SystemSession
from backend.usage.model import Window

MOST_IDS = 32

# One statement for all, and for the second time nothing new: whether a lost commit took place need not be known.
_STORE = text("""
    INSERT INTO denials (account_id, id, first_at, last_at, count, decision_ids, request_ids, code, meter, scope,
        method, path, key_id, subject, used, held, limit_amount, requested, plan, plan_version, window_start,
        window_end, rules)
    SELECT account_id, id, first_at, last_at, count, decision_ids, request_ids, code, meter, scope,
        method, path, key_id, subject, used, held, limit_amount, requested, plan, plan_version, window_start,
        window_end, rules
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS denied (account_id uuid, id uuid, first_at timestamptz,
        last_at timestamptz, count bigint, decision_ids uuid[], request_ids text[], code text, meter text, scope text,
        method text, path text, key_id uuid, subject text, used bigint, held bigint, limit_amount bigint,
        requested bigint, plan text, plan_version bigint, window_start timestamptz, window_end timestamptz,
        rules jsonb)
    ON CONFLICT (account_id, id, first_at) DO UPDATE SET last_at = excluded.last_at, count = excluded.count,
        decision_ids = excluded.decision_ids, request_ids = excluded.request_ids
""")


@dataclass(frozen=True, slots=True)
class Denied:
    """What was refused to whom, and by which numbers. `limit` is in units of the meter, or in requests of a rate."""

    account_id: AccountId
    code: str
    meter: str | None
    scope: str | None
    method: str
    path: str
    key_id: UUID | None
    subject: str | None
    plan: str
    plan_version: int
    rules: Sequence[Mapping[str, Any]]
    used: int | None = None
    held: int | None = None
    limit: int | None = None
    requested: int | None = None
    window: Window | None = None


@dataclass(slots=True, eq=False)
class Folded:
    """Equal refusals: the first one, and how many there were."""

    denied: Denied
    first_at: datetime
    last_at: datetime
    count: int = 0
    decision_ids: list[UUID] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)

    def add(self, decision_id: UUID, request_id: str, at: datetime) -> UUID:
        """One more. Returns the id by which it is found: its own, or that of the first one beyond the first 32."""
        self.count += 1
        self.last_at = max(self.last_at, at)
        if len(self.decision_ids) >= MOST_IDS:
            return self.decision_ids[0]
        self.decision_ids.append(decision_id)
        self.request_ids.append(request_id)
        return decision_id

    def absorb(self, later: "Folded") -> None:
        """Those that came while these were not written."""
        self.count += later.count
        self.last_at = max(self.last_at, later.last_at)
        room = MOST_IDS - len(self.decision_ids)
        self.decision_ids += later.decision_ids[:room]
        self.request_ids += later.request_ids[:room]

    def to_row(self) -> dict[str, Any]:
        """Plain JSON values under the names of the columns."""
        denied, window = self.denied, self.denied.window
        return {
            "account_id": denied.account_id,
            "id": self.decision_ids[0],
            "first_at": self.first_at,
            "last_at": self.last_at,
            "count": self.count,
            "decision_ids": self.decision_ids,
            "request_ids": self.request_ids,
            "code": denied.code,
            "meter": denied.meter,
            "scope": denied.scope,
            "method": denied.method,
            "path": denied.path,
            "key_id": denied.key_id,
            "subject": denied.subject,
            "used": denied.used,
            "held": denied.held,
            "limit_amount": denied.limit,
            "requested": denied.requested,
            "plan": denied.plan,
            "plan_version": denied.plan_version,
            "window_start": window.start if window else None,
            "window_end": window.end if window else None,
            "rules": denied.rules,
        }


async def store(session: SystemSession, folded: Sequence[Folded]) -> None:
    """Writes them all, in the order of the primary key."""
    rows = sorted((each.to_row() for each in folded), key=lambda row: (row["account_id"], row["id"]))
    await session.execute(_STORE, {"rows": json.dumps(rows, default=str)})
