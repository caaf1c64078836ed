"""What tells whether everything runs: how long what waits has waited, who is alive, and how far tables are made ahead.

Read in one statement by index, and counted up to a bound: a queue of millions is as quickly looked at as an empty one.
Its moment is that of the statement, for one that goes on meanwhile is nothing to look for in an index.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import text

from backend.core.clock import Clock
from backend.core.settings import Settings
from backend.db.session import Database
from backend.subscription.due import due_accounts
from backend.system.readiness import reasons_against
from backend.usage.partitions import DENIALS, USAGE_EVENTS, ByMonth, first_of_month, read_parts

MOST_COUNTED = 10_000
COMPARE, DELIVER = "usage:compare", "mail:deliver"
# As long as the queue takes a worker for alive that is not heard of.
_SILENT = timedelta(seconds=30)

_VITALS = text("""
    WITH ready AS (
        SELECT id, task_name, attempts, coalesce(scheduled_at, '-infinity') AS scheduled_at
        FROM procrastinate_jobs
        WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= statement_timestamp())
        ORDER BY id LIMIT :most
    ), mails AS (
        SELECT id, attempts, (args ->> 'mail_id')::uuid AS mail_id FROM procrastinate_jobs
        WHERE task_name = :deliver AND status IN ('todo', 'doing') ORDER BY id LIMIT :most
    )
    SELECT statement_timestamp() AS now, current_setting('server_version') AS version,
        (SELECT at FROM audit_events WHERE seal IS NULL ORDER BY id LIMIT 1) AS unsealed_since,
        (SELECT count(*) FROM (SELECT FROM audit_events WHERE seal IS NULL LIMIT :most) AS found) AS unsealed,
        (SELECT created_at FROM outbox WHERE dispatched_at IS NULL ORDER BY id LIMIT 1) AS undispatched_since,
        (SELECT count(*) FROM (SELECT FROM outbox WHERE dispatched_at IS NULL LIMIT :most) AS found) AS undispatched,
        (SELECT min(expires_at) FROM usage_holds
            WHERE state = 'open' AND expires_at <= statement_timestamp()) AS overdue_since,
        (SELECT count(*) FROM (SELECT FROM usage_holds
            WHERE state = 'open' AND expires_at <= statement_timestamp() LIMIT :most) AS found) AS overdue,
        (SELECT count(*) FROM procrastinate_workers
            WHERE last_heartbeat > statement_timestamp() - CAST(:silent AS interval)) AS workers,
        (SELECT max(last_heartbeat) FROM procrastinate_workers) AS heard_at,
        (SELECT count(*) FROM ready) AS ready,
        (SELECT greatest(event.at, ready.scheduled_at) FROM ready JOIN procrastinate_events AS event
            ON event.job_id = ready.id ORDER BY ready.id, event.id DESC LIMIT 1) AS ready_since,
        (SELECT coalesce(jsonb_object_agg(task_name, number), '{}') FROM (
            SELECT task_name, count(*) AS number FROM (
                SELECT task_name FROM procrastinate_jobs WHERE status = 'failed' LIMIT :most
            ) AS job GROUP BY task_name
        ) AS counted) AS failed,
        (SELECT count(*) FROM mails) AS mails,
        (SELECT count(*) FROM mails WHERE attempts > 0) AS mails_tried,
        (SELECT created_at FROM outgoing_mails
            WHERE id = (SELECT mail_id FROM mails ORDER BY id LIMIT 1)) AS mails_since,
        (SELECT count(*) FROM journal_positions WHERE state = 'live' AND expires_at > statement_timestamp()) AS serving,
        (SELECT count(*) FROM journal_positions
            WHERE state = 'expired' OR expires_at <= statement_timestamp()) AS left_behind,
        (SELECT to_timestamp(max(defer_timestamp)) FROM procrastinate_periodic_defers
            WHERE task_name = :compare) AS compared_at
""")


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits to be done: how many, no more than `MOST_COUNTED` of them, and for how many seconds the oldest has."""

    waiting: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Vitals:
    """As of `as_of`. `failed` are jobs that were given up, by the name of their task; `months` are tables that are
    made ahead, by table; `left_behind` are journals of serving processes that are gone, until others take them over.
    `heard_seconds` is None where no worker was ever heard of, `compared_seconds` where nothing was ever compared."""

    as_of: datetime
    milliseconds: float
    version: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    audit: Queue
    outbox: Queue
    holds: Queue
    jobs: Queue
    mails: Queue
    mails_tried: int
    changes_seconds: float
    workers: int
    heard_seconds: float | None
    failed: Mapping[str, int]
    serving: int
    left_behind: int
    months: Mapping[str, int]
    compared_seconds: float | None


async def read_vitals(database: Database, settings: Settings, *, head: str, note: str | None, clock: Clock) -> Vitals:
    """Looks at everything. `head` is the newest migration of this code, `note` what this process says of itself.

    What the application wrote down by its own clock is compared with that, all else with the database's.
    """
    now = clock.now()
    arguments = {"most": MOST_COUNTED, "silent": _SILENT, "deliver": DELIVER, "compare": COMPARE}
    reasons = await reasons_against(database, settings, head=head)
    async with database.read() as session:
        began = monotonic()
        await session.execute(text("SELECT 1"))
        took = monotonic() - began
        row = (await session.execute(_VITALS, arguments)).one()
        due = await due_accounts(session, now=now, after=None, limit=1)
    months = {kept.table: await _ahead(database, kept, now) for kept in (USAGE_EVENTS, DENIALS)}
    return Vitals(
        as_of=now,
        milliseconds=round(took * 1_000, 1),
        version=row.version,
        reasons=tuple(reasons),
        notes=(note,) if note else (),
        audit=Queue(row.unsealed, _age(row.unsealed_since, now)),
        outbox=Queue(row.undispatched, _age(row.undispatched_since, row.now)),
        holds=Queue(row.overdue, _age(row.overdue_since, row.now)),
        jobs=Queue(row.ready, _age(row.ready_since, row.now)),
        mails=Queue(row.mails, _age(row.mails_since, row.now)),
        mails_tried=row.mails_tried,
        changes_seconds=_age(due[0].due_at, now) if due else 0.0,
        workers=row.workers,
        heard_seconds=None if row.heard_at is None else _age(row.heard_at, row.now),
        failed=row.failed,
        serving=row.serving,
        left_behind=row.left_behind,
        months=months,
        compared_seconds=None if row.compared_at is None else _age(row.compared_at, row.now),
    )


def _age(since: datetime | None, now: datetime) -> float:
    """Seconds; nothing that waits is of no age."""
    return 0.0 if since is None else round(max(0.0, (now - since).total_seconds()), 1)


async def _ahead(database: Database, kept: ByMonth, now: datetime) -> int:
    """How many of the next months have their table, without one missing before."""
    starts = {part.start for part in await read_parts(database, kept)}
    months = 0
    while first_of_month(now, months + 1) in starts:
        months += 1
    return months
