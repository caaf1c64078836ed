"""Reported events: what PostgreSQL takes in by COPY, by our statement that counts each once, and over HTTP.

COPY writes the events and nothing else, into the same partitioned table with its indexes, as a superuser: row-level
security knows no COPY. The statement also keeps
identities for 400 days, moves counters, adds to the sums and to the records of periods, and reads the accounts'
versions; both with 1,000 events a transaction, one connection. Over HTTP: JSON, its validation and the answer too.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import psycopg

from backend.catalog.service import Catalogs
from backend.core.clock import SystemClock
from backend.core.ids import AccountId, uuid7
from backend.db.session import Database
from backend.enforcement.batch_writer import BatchWriter
from backend.subscription.entitlements import Entitlements, resolve
from backend.usage.batch import Locked
from backend.usage.items import Item, Items
from backend.usage.model import Identity, Source, Window
from benchmarks.database import Cluster, Prepared
from benchmarks.event_load import measure_events
from benchmarks.figures import Figure
from benchmarks.processes import Placement
from benchmarks.servers import ACCOUNTS, EVENTS, Product, Servers

BATCH = 1_000
CONNECTIONS = 4
_METER = "jobs"
_COPY = """
    COPY usage_events (account_id, id, recorded_at, meter, amount, source, counted, occurred_at, window_start,
        external_id) FROM STDIN (FORMAT binary)
"""
_TYPES = ("uuid", "uuid", "timestamptz", "text", "int8", "text", "bool", "timestamptz", "timestamptz", "text")


def run(cluster: Cluster, *, rounds: int, seconds: float) -> list[Figure]:
    """The statement beside COPY, the way over HTTP, and that beside the statement."""
    prepared = cluster.prepare(accounts=ACCOUNTS)
    statement, copy = asyncio.run(_inside(prepared, cluster.admin_url(prepared), rounds, seconds))
    ratios = [one / other for one, other in zip(statement, copy, strict=True)]
    middle = statistics.median(statement)
    figures = [
        Figure.median("ingest", ratios, note=f"{middle:,.0f}/s against {statistics.median(copy):,.0f}/s by COPY")
    ]
    placement = Placement.together()
    with Servers(cluster, placement) as servers:
        target = servers.product(Product(path=EVENTS, is_probed=False))
        assert target.database is not None
        key = cluster.service_key(target.database)
        rates = [
            measure_events(
                target.port, key, target.database.accounts, connections=CONNECTIONS, batch=BATCH, seconds=seconds
            )
            for _ in range(rounds)
        ]
    over_http = Figure.median("ingest_http", rates, note=f"{CONNECTIONS} connections, batches of {BATCH:,}")
    return [*figures, over_http, Figure("ingest_http_share", statistics.median(rates) / middle)]


async def _inside(prepared: Prepared, admin_url: str, rounds: int, seconds: float) -> tuple[list[float], list[float]]:
    database, accounts = Database(prepared.url), [AccountId(UUID(account)) for account in prepared.accounts]
    async with database.read() as session:
        known = await resolve(session, account_id=accounts[0], catalogs=Catalogs(), now=SystemClock().now())
    assert known is not None
    writer = BatchWriter(database.url)
    async with await psycopg.AsyncConnection.connect(admin_url) as connection:
        await _counted(writer, known, accounts, 0.5)
        pairs = [
            (await _counted(writer, known, accounts, seconds), await _copied(connection, known, accounts, seconds))
            for _ in range(rounds)
        ]
    await writer.close()
    await database.close()
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


async def _counted(writer: BatchWriter, known: Entitlements, accounts: Sequence[AccountId], seconds: float) -> float:
    """Events a second; what is made in Python for them is not timed."""
    done, taken = 0, 0.0
    while taken < seconds:
        items = [_item(known, accounts[number % len(accounts)], number) for number in range(BATCH)]
        wanted: dict[tuple[AccountId, str, object], Window] = {
            (item.scope.account_id, item.meter, item.window.start): item.window for item in items
        }
        digests = [item.identity.digest for item in items if item.identity]

        def decide(_: Locked, items: list[Item] = items) -> Items:
            return Items(items)

        began = time.perf_counter()
        await writer.write(wanted, digests, decide)  # type: ignore[arg-type]  # the same keys
        taken += time.perf_counter() - began
        done += len(items)
    return done / taken


async def _copied(
    connection: psycopg.AsyncConnection, known: Entitlements, accounts: Sequence[AccountId], seconds: float
) -> float:
    done, taken = 0, 0.0
    while taken < seconds:
        items = [_item(known, accounts[number % len(accounts)], number) for number in range(BATCH)]
        rows = [_row(item) for item in items]
        began = time.perf_counter()
        async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in rows:
                await copy.write_row(row)
        await connection.commit()
        taken += time.perf_counter() - began
        done += len(rows)
    return done / taken


def _item(known: Entitlements, account: AccountId, number: int) -> Item:
    now = SystemClock().now()
    external_id = f"{time.time_ns():x}-{number}"
    scope = type(known.scope)(account, None, known.scope.period_start, known.scope.period_end)
    return Item(
        event_id=uuid7(),
        scope=scope,
        meter=_METER,
        window=known.period,
        amount=1,
        by=Source(),
        identity=Identity.of(account, external_id, {"meter": _METER, "amount": 1, "properties": None}),
        result=None,
        occurred_at=now - timedelta(seconds=number % 60),
        now=now,
        source="ingest",
    )


def _row(item: Item) -> tuple[object, ...]:
    assert item.identity is not None
    return (
        item.scope.account_id,
        item.event_id,
        item.now,
        item.meter,
        item.amount,
        item.source,
        True,
        item.occurred_at,
        item.window.start,
        item.identity.external_id,
    )
