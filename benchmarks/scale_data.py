"""Usage of many accounts over thirteen months, made inside PostgreSQL: events, sums, counters and records that agree.

An account uses jobs and API calls by turns, ten events in a quarter of an hour. Tables are filled before their indexes
are made, and none of it is written to the log: a crash would empty them, and nothing is asked of them but reading.
Identities are not made, for nothing that reads looks at them.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

MONTHS = 13
IN_A_GROUP = 10  # events of one account in a quarter of an hour
# On disk, an event with its two indexes and its part of a sum; measured, and a sixth more.
BYTES_AN_EVENT = 350

_QUARTER = timedelta(minutes=15)
_GROUPS = """
    SELECT numbered.id AS account_id, moment.bucket, CASE (g / {accounts}) % 2 WHEN 0 THEN 'jobs' ELSE 'api_calls' END
        AS meter
    FROM generate_series(0, {groups} - 1) AS g JOIN numbered ON numbered.number = g % {accounts}
    CROSS JOIN LATERAL (
        SELECT date_bin('15 minutes', TIMESTAMPTZ '{start}' + interval '{seconds} seconds' * (g::float8 / {groups}),
            TIMESTAMPTZ '2000-01-01 00:00+00') AS bucket
    ) AS moment
"""
_WINDOW = "CASE meter WHEN 'jobs' THEN TIMESTAMPTZ '{start}' ELSE date_trunc('day', bucket, 'UTC') END"


@dataclass(frozen=True)
class Month:
    """[start, end) with so many groups of events before `until`."""

    start: datetime
    end: datetime
    until: datetime
    groups: int

    @property
    def table(self) -> str:
        return f"usage_events_{self.start:%Y%m}"


def months(events: int, now: datetime) -> list[Month]:
    """The present month and the twelve before it."""
    groups, rest = divmod(max(events // IN_A_GROUP, MONTHS), MONTHS)
    found = []
    for number in range(MONTHS):
        start, end = _first(now, number - MONTHS + 1), _first(now, number - MONTHS + 2)
        found.append(Month(start, end, max(start, min(end, now) - _QUARTER), groups + (number < rest)))
    return found


def fill(url: str, *, account: str, events: int, accounts: int, now: datetime) -> int:
    """`url` is the superuser's. Returns how many events were made."""
    made = 0
    with psycopg.connect(url, autocommit=True) as connection:
        run = connection.execute
        run("SET session_replication_role = replica")  # no trigger: nobody is to be told of this usage
        run("SET maintenance_work_mem = '512MB'")
        run("SET work_mem = '256MB'")
        run("SET TIME ZONE 'UTC'")
        _make_accounts(connection, account, accounts, _first(now, 1 - MONTHS))
        for table in ("usage_rollups", "meter_usage"):
            run(f"ALTER TABLE {table} SET UNLOGGED")
        for month in months(events, now):
            began = time.monotonic()
            for statement in _month(month, accounts):
                run(statement)
            made += month.groups * IN_A_GROUP
            took = time.monotonic() - began
            print(f"  {month.start:%Y-%m} {made:14,} events, {took:.0f} s", file=sys.stderr, flush=True)
        for table in ("usage_events", "usage_rollups", "meter_usage", "user_usage", "accounts"):
            run(f"VACUUM (ANALYZE) {table}")
        run("CHECKPOINT")
    return made


def _make_accounts(connection: psycopg.Connection, account: str, accounts: int, anchor: datetime) -> None:
    connection.execute("CREATE UNLOGGED TABLE numbered (number integer PRIMARY KEY, id uuid NOT NULL)")
    connection.execute("INSERT INTO numbered VALUES (0, %s)", [account])
    connection.execute(
        "INSERT INTO numbered SELECT number, gen_random_uuid() FROM generate_series(1, %s) AS number", [accounts - 1]
    )
    connection.execute(
        "INSERT INTO accounts (id, name, usage_anchor) SELECT id, 'account ' || number, %s FROM numbered"
        " WHERE number > 0",
        [anchor],
    )
    connection.execute("UPDATE accounts SET usage_anchor = %s, version = version + 1 WHERE id = %s", [anchor, account])
    connection.execute("ANALYZE numbered")


def _month(month: Month, accounts: int) -> Iterator[str]:
    seconds = (month.until - month.start).total_seconds()
    start = month.start.isoformat()
    groups = _GROUPS.format(accounts=accounts, groups=month.groups, start=start, seconds=seconds)
    window = _WINDOW.format(start=start)
    yield f"CREATE UNLOGGED TABLE {month.table} (LIKE usage_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    yield f"""
        INSERT INTO {month.table} (account_id, id, recorded_at, meter, amount, source, occurred_at, window_start)
        SELECT account_id, gen_random_uuid(), at, meter, 1, 'ingest', at, {window}
        FROM ({groups}) AS used CROSS JOIN generate_series(0, {IN_A_GROUP - 1}) AS k
        CROSS JOIN LATERAL (SELECT bucket + k * interval '1 minute' AS at) AS moment
    """
    yield f"ALTER TABLE {month.table} ADD PRIMARY KEY (account_id, id, recorded_at)"
    yield (
        f"ALTER TABLE usage_events ATTACH PARTITION {month.table}"
        f" FOR VALUES FROM ('{start}') TO ('{month.end.isoformat()}')"
    )
    yield f"""
        INSERT INTO usage_rollups (account_id, meter, bucket_start, key_id, amount)
        SELECT account_id, meter, bucket, '00000000-0000-0000-0000-000000000000', {IN_A_GROUP} * count(*)
        FROM ({groups}) AS used GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
    yield f"""
        INSERT INTO meter_usage (account_id, meter, window_start, window_end, used, notice_at)
        SELECT account_id, meter, start, CASE meter
            WHEN 'jobs' THEN TIMESTAMPTZ '{month.end.isoformat()}' ELSE start + interval '1 day'
        END, used, NULL FROM (
            SELECT account_id, meter, {window} AS start, {IN_A_GROUP} * count(*) AS used
            FROM ({groups}) AS used GROUP BY 1, 2, 3
        ) AS counted ORDER BY 1, 2, 3
    """
    yield f"""
        INSERT INTO user_usage (id, account_id, period_start, period_end, api_calls, jobs_created)
        SELECT gen_random_uuid(), account_id, '{start}', '{month.end.isoformat()}',
            {IN_A_GROUP} * count(*) FILTER (WHERE meter = 'api_calls'),
            {IN_A_GROUP} * count(*) FILTER (WHERE meter = 'jobs')
        FROM ({groups}) AS used GROUP BY account_id
    """


def _first(now: datetime, ahead: int) -> datetime:
    """The first moment of a month, so many after the present one."""
    year, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(year, month + 1, 1, tzinfo=now.tzinfo)
