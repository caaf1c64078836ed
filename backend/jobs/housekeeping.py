"""What is kept for a time only, and for how long, on the database's clock."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from backend.db.session import Database


@dataclass(frozen=True, slots=True)
class Retention:
    """Rows of `table` go when `column` is `keep` ago; NULL stays."""

    table: str
    column: str
    keep: timedelta


RETENTIONS = (
    Retention("idempotency_keys", "created_at", timedelta(hours=24)),
    Retention("sign_in_attempts", "attempted_at", timedelta(days=1)),
    Retention("usage_event_keys", "recorded_at", timedelta(days=400)),
    Retention("usage_notices", "window_end", timedelta(days=400)),
    Retention("sign_in_challenges", "expires_at", timedelta(days=1)),
    Retention("portal_links", "expires_at", timedelta(days=1)),
    Retention("password_resets", "expires_at", timedelta(days=30)),
    Retention("email_verifications", "expires_at", timedelta(days=30)),
    Retention("sign_in_links", "expires_at", timedelta(days=30)),
    Retention("sessions", "expires_at", timedelta(days=30)),
    Retention("replaced_secrets", "good_until", timedelta(days=30)),
    Retention("outgoing_mails", "sent_at", timedelta(days=30)),
    Retention("outbox", "dispatched_at", timedelta(days=30)),
)


async def forget(database: Database, retention: Retention, *, batch: int = 2_000) -> int:
    """Deletes what has been kept long enough, a batch a transaction, so that nothing waits for it. Returns how many."""
    total = 0
    while True:
        deleted = await _forget_batch(database, retention, batch)
        total += deleted
        if deleted < batch:
            return total


async def _forget_batch(database: Database, retention: Retention, batch: int) -> int:
    table, column = retention.table, retention.column
    statement = text(f"""
        WITH gone AS MATERIALIZED (
            SELECT ctid FROM {table} WHERE {column} < clock_timestamp() - CAST(:keep AS interval)
            LIMIT :batch FOR UPDATE SKIP LOCKED
        )
        DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM gone)) RETURNING 1
    """)  # noqa: S608 - table and column are constants of this module
    async with database.system() as session:
        return len((await session.execute(statement, {"keep": retention.keep, "batch": batch})).all())
