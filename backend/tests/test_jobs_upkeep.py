"""Facts are handed on once, rounds go on, and what was kept long enough goes."""

import asyncio
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from backend.db import outbox
from backend.db.models import OutboxMessage
from backend.db.session import Database, SystemSession
from backend.jobs.dispatch import dispatch
from backend.jobs.housekeeping import RETENTIONS, Retention, forget
from backend.jobs.rounds import Round, go_round
from backend.tests.factories.accounts import person
from backend.tests.moments import NOW


async def told(database: Database, *kinds: str) -> None:
    async with database.system() as session:
        someone = await person(session)
        for kind in kinds:
            topic = "nobody.listens" if kind == "unheard" else "subscription.changed"
            outbox.publish(session, topic=topic, account_id=someone.account_id, payload={"kind": kind})


class Listening:
    """Leaves a trace of each message in the transaction that it is given."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.fails: type[Exception] | None = None

    async def __call__(self, session: SystemSession, message: OutboxMessage) -> None:
        self.heard.append(message.payload["kind"])
        await session.execute(
            text("UPDATE accounts SET version = version + 1 WHERE id = :id"), {"id": message.account_id}
        )
        if message.payload["kind"] == "poison":
            await session.execute(text("SELECT 1 / 0"))
        if self.fails is OperationalError:
            raise OperationalError("", {}, Exception("the server went away"))


async def changes_written(database: Database) -> int:
    """What listeners have written: each raised an account's version by one."""
    async with database.read() as session:
        return int(await session.scalar(text("SELECT sum(version - 1) FROM accounts")) or 0)


async def test_each_fact_is_handled_once_in_order(database: Database) -> None:
    listening = Listening()
    await told(database, "a", "unheard", "b", "c")
    assert await dispatch(database, {"subscription.changed": listening}, now=NOW, batch=3) == 3
    assert await dispatch(database, {"subscription.changed": listening}, now=NOW, batch=3) == 1
    assert await dispatch(database, {"subscription.changed": listening}, now=NOW, batch=3) == 0
    assert listening.heard == ["a", "b", "c"]
    assert await changes_written(database) == 3


async def test_dispatchers_at_the_same_time_share_the_facts(database: Database) -> None:
    listening = Listening()
    await told(database, *"abcdefghij")
    await asyncio.gather(*(dispatch(database, {"subscription.changed": listening}, now=NOW, batch=4) for _ in range(4)))
    while await dispatch(database, {"subscription.changed": listening}, now=NOW):
        pass
    assert sorted(listening.heard) == list("abcdefghij")
    assert await changes_written(database) == 10


async def test_a_fact_that_cannot_be_handled_is_let_go_and_leaves_nothing(database: Database) -> None:
    listening = Listening()
    await told(database, "a", "poison", "b")
    assert await dispatch(database, {"subscription.changed": listening}, now=NOW) == 3
    assert await dispatch(database, {"subscription.changed": listening}, now=NOW) == 0
    assert listening.heard == ["a", "poison", "b"]
    assert await changes_written(database) == 2


async def test_when_the_database_goes_away_the_facts_come_again(database: Database) -> None:
    listening = Listening()
    listening.fails = OperationalError
    await told(database, "a", "b")
    with pytest.raises(OperationalError):
        await dispatch(database, {"subscription.changed": listening}, now=NOW)
    listening.fails = None
    assert await dispatch(database, {"subscription.changed": listening}, now=NOW) == 2
    assert listening.heard == ["a", "a", "b"]
    assert await changes_written(database) == 2


async def test_a_round_that_fails_goes_on_and_holds_up_no_other() -> None:
    asked = {"fails": 0, "works": 0}
    enough = asyncio.Event()

    async def fails() -> int:
        asked["fails"] += 1
        raise RuntimeError("every time")

    async def works() -> int:
        asked["works"] += 1
        if min(asked.values()) >= 3:
            enough.set()
        return 1 if asked["works"] < 3 else 0

    with structlog.testing.capture_logs() as logged:
        going = asyncio.create_task(go_round([Round("fails", 0.01, fails), Round("works", 0.01, works)]))
        await asyncio.wait_for(enough.wait(), 5)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
    assert {entry["round"] for entry in logged} == {"fails"}


INSERTS = {
    "idempotency_keys": "INSERT INTO idempotency_keys (account_id, method, route, key, body_hash, status, answer,"
    " created_at) SELECT :account_id, 'POST', '/x', gen_random_uuid(), '', 200, '', at",
    "sign_in_attempts": "INSERT INTO sign_in_attempts (id, subject, attempted_at) SELECT gen_random_uuid(), 'x', at",
    "usage_event_keys": "INSERT INTO usage_event_keys (digest, account_id, content_hash, event_id, recorded_at)"
    " SELECT uuid_send(gen_random_uuid()), :account_id, '', gen_random_uuid(), at",
    "usage_notices": "INSERT INTO usage_notices (account_id, meter, window_start, percent, window_end, used, quota,"
    " reached_at) SELECT :account_id, gen_random_uuid(), at, 80, at, 8, 10, at",
    "outgoing_mails": "INSERT INTO outgoing_mails (id, recipient, subject, text_body, html_body, sent_at)"
    " SELECT gen_random_uuid(), '', '', '', '', at",
    "sign_in_challenges": "INSERT INTO sign_in_challenges (id, user_id, purpose, token_hash, created_at, expires_at)"
    " SELECT gen_random_uuid(), :user_id, 'login', uuid_send(gen_random_uuid()), at, at",
    "portal_links": "INSERT INTO portal_links (id, account_id, token_hash, created_at, expires_at)"
    " SELECT gen_random_uuid(), :account_id, uuid_send(gen_random_uuid()), at, at",
    "password_resets": "INSERT INTO password_resets (id, user_id, token_hash, created_at, expires_at)"
    " SELECT gen_random_uuid(), :user_id, uuid_send(gen_random_uuid()), at, at",
    "email_verifications": "INSERT INTO email_verifications (id, user_id, token_hash, created_at, expires_at)"
    " SELECT gen_random_uuid(), :user_id, uuid_send(gen_random_uuid()), at, at",
    "sign_in_links": "INSERT INTO sign_in_links (id, user_id, token_hash, created_at, expires_at)"
    " SELECT gen_random_uuid(), :user_id, uuid_send(gen_random_uuid()), at, at",
    "sessions": "INSERT INTO sessions (id, user_id, refresh_hash, rotated_at, created_at, last_seen_at, expires_at)"
    " SELECT gen_random_uuid(), :user_id, uuid_send(gen_random_uuid()), at, at, at, at",
    "replaced_secrets": "WITH key AS (INSERT INTO api_keys (id, account_id, kind, name, prefix, key_hash, scopes)"
    " VALUES (gen_random_uuid(), :account_id, 'personal', 'x', 'x', '', '{}') RETURNING id)"
    " INSERT INTO replaced_secrets (key_hash, key_id, account_id, good_until)"
    " SELECT uuid_send(gen_random_uuid()), (SELECT id FROM key), :account_id, at",
    "outbox": "INSERT INTO outbox (id, account_id, topic, payload, dispatched_at)"
    " SELECT gen_random_uuid(), :account_id, 'x', '{}', at",
}


@pytest.mark.parametrize("retention", RETENTIONS, ids=lambda retention: retention.table)
async def test_what_was_kept_long_enough_goes_and_the_rest_stays(database: Database, retention: Retention) -> None:
    times = (
        " FROM (SELECT clock_timestamp() - CAST(:keep AS interval) + shift AS at FROM unnest("
        "array_fill('-1 minute'::interval, ARRAY[5]) || array_fill('1 minute'::interval, ARRAY[2])) AS shift) AS times"
    )
    async with database.system() as session:
        who = await person(session)
        values = {"account_id": who.account_id, "user_id": who.user_id, "keep": retention.keep}
        await session.execute(text(INSERTS[retention.table] + times), values)
    assert await forget(database, retention, batch=2) == 5
    assert await forget(database, retention) == 0
    async with database.read() as session:
        assert await session.scalar(text(f"SELECT count(*) FROM {retention.table}")) == 2


async def test_a_fact_not_yet_handed_on_is_never_forgotten(database: Database) -> None:
    outbox_retention = next(retention for retention in RETENTIONS if retention.table == "outbox")
    await told(database, "a")
    async with database.system() as session:
        await session.execute(text("UPDATE outbox SET created_at = created_at - :keep"), {"keep": timedelta(days=900)})
    assert await forget(database, outbox_retention) == 0
