"""Whose a key is: by its secret, or by one that it had before a rotation and that still works."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text

from backend.auth.principal import Principal
from backend.db.session import ReadSession
from backend.security.tokens import digest, is_well_formed

Fault = Literal["key_malformed", "key_unknown", "key_replaced", "key_revoked", "key_expired"]

# A key of a user may never do more than the user may in its account at this moment.
_KEY = text("""
    WITH presented AS (
        SELECT id, CAST(NULL AS timestamptz) AS good_until FROM api_keys WHERE key_hash = :hash
        UNION ALL SELECT key_id, good_until FROM replaced_secrets WHERE key_hash = :hash
    )
    SELECT k.id, k.kind, k.account_id, k.user_id, k.scopes, k.expires_at, k.revoked_at, k.rate_limit_per_minute,
        p.good_until, m.role,
        (k.account_id IS NULL OR a.status <> 'deleted')
            AND (k.user_id IS NULL OR (u.status = 'active' AND (k.account_id IS NULL OR m.role IS NOT NULL))) AS is_held
    FROM presented p JOIN api_keys k ON k.id = p.id
        LEFT JOIN users u ON u.id = k.user_id LEFT JOIN accounts a ON a.id = k.account_id
        LEFT JOIN account_members m ON m.account_id = k.account_id AND m.user_id = k.user_id
""")


async def holder_of(session: ReadSession, key: str, *, now: datetime) -> Principal | Fault:
    """The caller behind a key, or why there is none. What cannot be a key of ours is not looked for."""
    if not is_well_formed(key):
        return "key_malformed"
    row = (await session.execute(_KEY, {"hash": digest(key)})).one_or_none()
    if row is None:
        return "key_unknown"
    return _fault(row, now) or Principal(
        kind="service_key" if row.kind == "service" else "personal_key",
        account_id=row.account_id,
        user_id=row.user_id,
        key_id=row.id,
        role=row.role,
        scopes=frozenset(row.scopes),
        good_until=min((end for end in (row.expires_at, row.good_until) if end is not None), default=None),
        requests_per_minute=row.rate_limit_per_minute,
    )


def _fault(row: Row[Any], now: datetime) -> Fault | None:
    if row.revoked_at is not None or not row.is_held:
        return "key_revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "key_expired"
    if row.good_until is not None and row.good_until <= now:
        return "key_replaced"
    return None
