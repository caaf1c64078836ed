"""What happens on the whole platform, read for operators who look on: refusals of all accounts, and what was done.

Ids bear their time, so what is new lies at the end of both logs. A row is seen when its transaction commits, some
time after its id was made: who asks for what is new looks back as far as that may be, and knows what it has seen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import ReadSession

# How long after its id was made a row may be seen for the first time: refusals wait in memory while the database does
# not answer, and of what was done much is done in one transaction.
LATE = timedelta(seconds=60)
# A refusal is of the clock of a request that may have begun before its id was made; it decides the partition.
_BEFORE = timedelta(minutes=3)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

# Rows are found by their id alone, and only those are joined.
_DENIALS = """
    SELECT 'denial' AS kind, to_jsonb(denial) || jsonb_build_object(
        'account_name', account.name, 'user_id', account.owner_user_id) AS data
    FROM (
        SELECT id, account_id, code, meter, scope, method, path, used, held, limit_amount AS limit, requested, plan,
            count, first_at, last_at, request_ids[1] AS request_id
        FROM denials WHERE id >= :since AND first_at >= :recorded_from ORDER BY id DESC LIMIT :most
    ) AS denial JOIN accounts AS account ON account.id = denial.account_id
"""
_ACTS = """
    SELECT 'act', to_jsonb(act) || jsonb_build_object('actor_email', actor.email, 'real_actor_email', real_actor.email)
    FROM (
        SELECT id, at, action, actor_kind, actor_id, real_actor_id, target_kind, target_id, reason, request_id
        FROM audit_events WHERE id >= :since ORDER BY id DESC LIMIT :most
    ) AS act
    LEFT JOIN users AS actor ON actor.id = act.actor_id LEFT JOIN users AS real_actor ON real_actor.id = real_actor_id
"""
_RECENT = text(f"{_DENIALS} UNION ALL {_ACTS}")
_LOOK = text(f"""
    {_DENIALS} UNION ALL {_ACTS}
    UNION ALL
    SELECT 'version', jsonb_build_object('id', id, 'version', version)
    FROM accounts WHERE id = ANY(CAST(:accounts AS uuid[]))
""")  # noqa: S608 - parts of this module

# The newest first, as far as is asked for: in a storm of refusals the planner would read all of the last minute, and
# sort it, to give the newest thousand.
_ALONG_THE_INDEX = text("""
    SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
        set_config('enable_bitmapscan', 'off', true)
""")

Kind = Literal["denial", "act"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One refusal, or one act, under the names of its columns."""

    kind: Kind
    id: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """The newest rows of each kind in the order of their ids, and the versions of accounts."""

    happenings: Sequence[Happening]
    versions: Mapping[AccountId, int]


async def look(session: ReadSession, *, accounts: Collection[AccountId], now: datetime, most: int) -> Look:
    """Whatever may be new, up to `most` rows of each kind."""
    await session.execute(_ALONG_THE_INDEX)
    rows = (await session.execute(_LOOK, {**_since(now - LATE, most), "accounts": list(accounts)})).all()
    versions = {AccountId(UUID(data["id"])): data["version"] for kind, data in rows if kind == "version"}
    return Look(_ordered((kind, data) for kind, data in rows if kind != "version"), versions)


async def read_recent(session: ReadSession, *, since: datetime, most: int) -> Sequence[Happening]:
    """Rows whose ids were made since then, up to the newest `most` of each kind."""
    await session.execute(_ALONG_THE_INDEX)
    rows = await session.execute(_RECENT, _since(since, most))
    return _ordered((kind, data) for kind, data in rows)


def _ordered(rows: Any) -> list[Happening]:
    return sorted((Happening(kind, data["id"], data) for kind, data in rows), key=lambda one: one.id)


def _since(moment: datetime, most: int) -> dict[str, Any]:
    milliseconds = max(0, (moment - _EPOCH) // timedelta(milliseconds=1))
    return {"since": UUID(int=milliseconds << 80), "recorded_from": moment - _BEFORE, "most": most}
