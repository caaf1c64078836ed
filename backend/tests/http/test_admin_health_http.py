"""Whether everything runs, over HTTP: what waits and for how long, and that it is by index."""

import re
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text

from backend.admin import vitals
from backend.core.ids import uuid7
from backend.db import outbox
from backend.db.audit import SYSTEM, record
from backend.db.session import Database
from backend.jobs.queue import enqueue
from backend.mail import service as mail
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import customer, problem, reserve
from backend.tests.http.test_admin_http import somebody
from backend.tests.moments import NOW

HEALTH = "/v1/admin/health"


async def checks(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    answer = await client.get(HEALTH, headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return {"": body["state"], **{one["name"]: one for one in body["checks"]}}


async def write(database: Database, statement: str, **values: Any) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("SELECT set_config('feature.scope', 'system', true)"))
        await connection.execute(text(statement), values)


async def test_what_waits_is_told_with_its_age(
    client: httpx.AsyncClient, database: Database, clock: ManualClock
) -> None:
    who = await somebody(client, database, "ada", "support")
    await write(database, "UPDATE outbox SET dispatched_at = now()")
    await write(database, "DELETE FROM procrastinate_jobs")
    await write(database, "DELETE FROM procrastinate_workers")
    async with database.system() as session:
        unsealed = await session.scalar(text("SELECT count(*) FROM audit_events WHERE seal IS NULL")) or 0
        record(session, SYSTEM, "a.test", None, now=NOW)
    clock.set(NOW + timedelta(minutes=5))
    found = await checks(client, who.headers)
    assert found[""] == "over"
    assert found["database"]["state"] == found["readiness"]["state"] == "ok"
    assert found["workers"]["state"] == "over"
    assert found["workers"]["numbers"] == {"alive": 0, "heard_seconds": None}
    assert found["audit_seals"]["state"] == "over"
    assert found["audit_seals"]["numbers"] == {"waiting": unsealed + 1, "oldest_seconds": 300.0}
    assert found["outbox"]["numbers"] == {"waiting": 0, "oldest_seconds": 0.0}
    assert found["mail"]["numbers"] == {"waiting": 0, "oldest_seconds": 0.0, "tried_before": 0}

    caller = await customer(database)
    assert (await reserve(client, caller.headers, meter="jobs", amount=2)).status_code == 200
    await write(database, "UPDATE usage_holds SET expires_at = now() - interval '20 seconds'")
    async with database.system() as session:
        outbox.publish(session, topic="a.test", account_id=caller.person.account_id, payload={})
        await mail.send(session, to="a@example.com", subject="x", paragraphs=["y"])
        await enqueue(session, "usage:compare", timestamp=1)
    await write(database, "UPDATE outbox SET created_at = now() - interval '20 seconds' WHERE dispatched_at IS NULL")
    await write(database, "UPDATE outgoing_mails SET created_at = now() - interval '2 minutes' WHERE sent_at IS NULL")
    await write(database, "UPDATE procrastinate_jobs SET attempts = 2 WHERE task_name = 'mail:deliver'")
    await write(database, "UPDATE procrastinate_events SET at = now() - interval '90 seconds'")
    await write(database, "INSERT INTO procrastinate_workers DEFAULT VALUES")
    await write(
        database,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'default', 'usage:compare', 'failed' FROM generate_series(1, 3)",
    )
    found = await checks(client, who.headers)
    assert found["workers"]["state"] == "ok"
    assert found["workers"]["numbers"]["alive"] == 1
    assert (found["holds"]["state"], found["holds"]["numbers"]["waiting"]) == ("near", 1)
    assert 20 <= found["holds"]["numbers"]["oldest_seconds"] < 60
    assert found["outbox"]["state"] == "near"
    assert found["mail"]["state"] == "near"
    assert found["mail"]["numbers"]["tried_before"] == 1
    assert found["jobs"]["state"] == "over"
    assert found["jobs"]["numbers"]["waiting"] == 2
    assert found["failed_jobs"]["numbers"] == {"usage:compare": 3}
    assert "usage:compare (3)" in found["failed_jobs"]["found"]


async def test_a_job_of_later_does_not_wait(client: httpx.AsyncClient, database: Database) -> None:
    who = await somebody(client, database, "ada", "support")
    await write(database, "DELETE FROM procrastinate_jobs")
    async with database.system() as session:
        await enqueue(session, "usage:compare", timestamp=1)
    await write(database, "UPDATE procrastinate_events SET at = now() - interval '1 day'")
    await write(database, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
    assert (await checks(client, who.headers))["jobs"]["numbers"]["waiting"] == 0
    await write(database, "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '5 seconds'")
    found = (await checks(client, who.headers))["jobs"]
    assert found["state"] == "ok"
    assert 5 <= found["numbers"]["oldest_seconds"] < 10, "since when it may run, not since it was asked for"


async def test_processes_and_months_are_counted(client: httpx.AsyncClient, database: Database) -> None:
    who = await somebody(client, database, "ada", "read_only")
    before = await checks(client, who.headers)
    for state in ("live", "expired"):
        await write(
            database,
            "INSERT INTO journal_positions (id, state, expires_at, created_at)"
            " VALUES (:id, :state, now() + interval '1 minute', now())",
            id=uuid7(),
            state=state,
        )
    after = await checks(client, who.headers)
    assert after["processes"]["numbers"]["serving"] == before["processes"]["numbers"]["serving"] + 1
    assert after["processes"]["numbers"]["left_behind"] == 1
    assert after["processes"]["state"] == "near"
    assert set(after["partitions"]["numbers"]) == {"usage_events", "denials"}


async def test_a_database_at_another_migration_is_not_ready(client: httpx.AsyncClient, database: Database) -> None:
    who = await somebody(client, database, "ada", "read_only")
    async with database.engine.connect() as connection:
        head = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    await write(database, "UPDATE alembic_version SET version_num = 'before'")
    try:
        found = (await checks(client, who.headers))["readiness"]
    finally:
        await write(database, "UPDATE alembic_version SET version_num = :head", head=head)
    assert found["state"] == "over"
    assert "run `feature migrate`" in found["found"]


async def test_nobody_else_is_told(client: httpx.AsyncClient, database: Database) -> None:
    nobody = await somebody(client, database, "eve")
    problem(await client.get(HEALTH), 401, "unauthenticated")
    problem(await client.get(HEALTH, headers=nobody.headers), 403, "permission_missing")


async def test_it_is_counted_by_index(database: Database) -> None:
    """What grows is not read as a whole, however long the queues are."""
    arguments = {"most": 10, "silent": timedelta(seconds=30), "deliver": "mail:deliver", "compare": "usage:compare"}
    async with database.read() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {vitals._VITALS.text}"), arguments))
    for table in ("audit_events", "outbox", "usage_holds", "outgoing_mails", "procrastinate_events"):
        assert f"Seq Scan on {table}" not in plan, plan
    # Of the holds since when the oldest is over, and how many are: neither looks at one that is still good.
    assert len(re.findall(r"usage_holds\b.*\n\s+Index Cond: .*expires_at <= ", plan)) == 2, plan
