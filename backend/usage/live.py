"""What has happened of late, read for those who look on: events, refusals, counters, and whether they still may.

Ids bear their time, so what is new lies at the end of the primary keys. A row is seen when its transaction commits,
some time after its id was made: whoever asks for what is new looks back as far as that may be, and knows by id what
it has seen before. One event of calls spent from memory grows until its minute is settled; the amount tells.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.session import ReadSession
from backend.usage.model import Window

# How long after its id was made a row may be seen for the first time: no transaction of the web takes as long.
LATE = timedelta(seconds=15)
# Refusals wait in memory while the database does not answer.
DENIALS_LATE = timedelta(seconds=60)
# A row is recorded by the clock of a request that may have begun before its id was made; it decides the partition.
_BEFORE = timedelta(minutes=3)

_MINUTE = 60_000
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LAST = UUID(int=(1 << 128) - 1)
# Which versions of ids those of `settlement` are.
_OF_MINUTES = 8

# One for each range of ids: with ranges out of a table the planner takes them for anything, and reads whole accounts.
_EVENTS = " UNION ALL ".join(
    f"""
    SELECT 'usage' AS kind, event.account_id, to_jsonb(event) AS data
    FROM unnest(CAST(:accounts AS uuid[])) AS watched (account_id)
    CROSS JOIN LATERAL (
        SELECT id, account_id, meter, amount, source, counted, occurred_at, recorded_at, key_id FROM usage_events
        WHERE account_id = watched.account_id AND id >= CAST(:first_{number} AS uuid)
            AND id <= CAST(:last_{number} AS uuid) AND recorded_at >= :recorded_from
        ORDER BY account_id DESC, id DESC LIMIT :most
    ) AS event
    """  # noqa: S608 - a number
    for number in range(3)
)
_DENIALS = """
    SELECT 'denial', denial.account_id, to_jsonb(denial)
    FROM unnest(CAST(:accounts AS uuid[])) AS watched (account_id)
    CROSS JOIN LATERAL (
        SELECT id, account_id, code, meter, scope, method, path, used, held, limit_amount AS limit, requested, plan,
            count, first_at, last_at, key_id, request_ids[1] AS request_id
        FROM denials
        WHERE account_id = watched.account_id AND id >= :denied_from AND first_at >= :recorded_from
        ORDER BY account_id DESC, id DESC LIMIT :most
    ) AS denial
"""
_RECENT = text(f"{_EVENTS} UNION ALL {_DENIALS}")
_LOOK = text(f"""
    {_EVENTS} UNION ALL {_DENIALS}
    UNION ALL
    SELECT 'counter', account_id, jsonb_build_object('meter', meter, 'used', used, 'held', held,
        'forfeited', forfeited)
    FROM meter_usage JOIN unnest(CAST(:of AS uuid[]), CAST(:meters AS text[]), CAST(:starts AS timestamptz[]))
        AS wanted (account_id, meter, window_start) USING (account_id, meter, window_start)
    UNION ALL
    SELECT 'version', id, to_jsonb(version) FROM accounts WHERE id = ANY(CAST(:versions AS uuid[]))
    UNION ALL
    SELECT 'key', id, NULL FROM api_keys
    WHERE id = ANY(CAST(:keys AS uuid[])) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
""")  # noqa: S608 - parts of this module

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recent:
    """Of one account, oldest first; with `is_cut` there are older ones that were asked for and not read."""

    usage: list[Row]
    denials: list[Row]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the database has found. `keys` are those that are in force."""

    recent: Mapping[AccountId, Recent]
    counters: Mapping[AccountId, Mapping[str, Row]]
    versions: Mapping[AccountId, int]
    keys: Collection[UUID]


def moment_of(event_id: UUID) -> datetime:
    """When an id was made."""
    return _EPOCH + (event_id.int >> 80) * _MILLISECOND


async def look(
    session: ReadSession,
    windows: Mapping[AccountId, Sequence[tuple[str, Window]]],
    *,
    versions: Collection[AccountId],
    keys: Collection[UUID],
    now: datetime,
    most: int,
) -> Look:
    """One statement for all accounts that are watched: whatever may be new, and their counters in these windows."""
    wanted = [(account_id, meter, window) for account_id, listed in windows.items() for meter, window in listed]
    arguments = {
        **_arguments(list(windows), since=now, most=most),
        "of": [account_id for account_id, _, _ in wanted],
        "meters": [meter for _, meter, _ in wanted],
        "starts": [window.start for _, _, window in wanted],
        "versions": list(versions),
        "keys": list(keys),
        "now": now,
    }
    rows = (await session.execute(_LOOK, arguments)).all()
    of_kind: dict[tuple[str, AccountId], list[Row]] = defaultdict(list)
    for kind, account_id, data in rows:
        of_kind[kind, account_id].append(data)
    return Look(
        {each: _recent(of_kind["usage", each], of_kind["denial", each], most) for each in windows},
        {each: {row["meter"]: row for row in of_kind["counter", each]} for each in windows},
        {account_id: data for kind, account_id, data in rows if kind == "version"},
        {key_id for kind, key_id, _ in rows if kind == "key"},
    )


async def read_recent(session: ReadSession, *, account_id: AccountId, since: datetime, most: int) -> Recent:
    """The newest of what can have been seen for the first time since a moment; at most so many."""
    rows = (await session.execute(_RECENT, _arguments([account_id], since=since, most=most + 1))).all()
    usage, denials = ([data for kind, _, data in rows if kind == wanted] for wanted in ("usage", "denial"))
    found = _recent(usage, denials, most + 1)
    newest = sorted([*found.usage, *found.denials], key=lambda row: str(row["id"]))[-most:]
    kept = {row["id"] for row in newest}
    return Recent(
        [row for row in found.usage if row["id"] in kept],
        [row for row in found.denials if row["id"] in kept],
        is_cut=len(found.usage) + len(found.denials) > most,
    )


def _recent(usage: Sequence[Row], denials: Sequence[Row], most: int) -> Recent:
    """Ranges may overlap, so the same event may be there twice."""
    events = {row["id"]: row for row in usage}
    return Recent(
        [events[each] for each in sorted(events)],
        sorted(denials, key=lambda row: str(row["id"])),
        is_cut=max(len(events), len(denials)) >= most,
    )


def _arguments(accounts: Sequence[AccountId], *, since: datetime, most: int) -> dict[str, Any]:
    ranges = _ranges(_milliseconds(since - LATE))
    return {
        "accounts": list(accounts),
        **{f"first_{number}": first for number, (first, _) in enumerate(ranges)},
        **{f"last_{number}": last for number, (_, last) in enumerate(ranges)},
        "denied_from": _id_of(_milliseconds(since - DENIALS_LATE)),
        "recorded_from": since - DENIALS_LATE - _BEFORE,
        "most": most,
    }


def _ranges(since: int) -> list[tuple[UUID, UUID]]:
    """Where ids lie whose rows may be new; those of minutes that may still grow are older than what has grown."""
    minute = since // _MINUTE * _MINUTE
    growing = [(_id_of(each, _OF_MINUTES), _id_of(each, _OF_MINUTES + 1)) for each in (minute - _MINUTE, minute)]
    return [(_id_of(since), _LAST), *growing]


def _id_of(milliseconds: int, version: int = 0) -> UUID:
    return UUID(int=max(0, milliseconds) << 80 | version << 76)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def to_json(row: Row) -> str:
    """One of these as it is told to those who look on: of their own account, whose id they know."""
    return json.dumps({name: value for name, value in row.items() if name != "account_id"}, separators=(",", ":"))
