"""`python -m benchmarks.scale [--events N]`: whether reading usage takes longer when much of it is stored.

Two databases, with 1,000 events and with many, and a server on each; the requests alternate between them one by one, so
that what the machine does meanwhile meets both. The account that reads has its even share of the events.
"""

import argparse
import http.client
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg

from backend.core.clock import SystemClock
from benchmarks import figures, machine, report
from benchmarks.database import Cluster, Prepared
from benchmarks.figures import Figure, Result
from benchmarks.http_suite import CONNECTIONS
from benchmarks.processes import HOST, WORK, Placement
from benchmarks.run import alone
from benchmarks.scale_data import BYTES_AN_EVENT, fill
from benchmarks.servers import Product, Servers

FEW = 1_000
MANY = 100_000_000
ACCOUNTS = 10_000
_SPARE = 5 << 30  # for logs of transactions, sorting, and everybody else
_ROUNDS, _REQUESTS, _WARM_UP = 15, 20, 30
_BUSY = 0.1

USAGE = "/v1/subscription/usage"


def main() -> None:
    options = _options()
    _ensure_room(options.events)
    with alone(), Cluster.hold() as cluster:
        busy = machine.others_busy()
        result = run(cluster, events=options.events, accounts=options.accounts, busy=busy)
    for figure in result.figures:
        print(f"{figure.key}: {figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f}); {figure.note}")
    print("\n".join(result.remarks))
    if options.events < MANY:
        print(f"Not written to {report.RESULTS.name}: that takes {MANY:,} events.")
        return
    kept = figures.load()
    figures.save({**kept, result.suite: result})
    report.RESULTS.write_text(report.with_result(report.RESULTS.read_text(), result, CONNECTIONS))


def run(cluster: Cluster, *, events: int, accounts: int, busy: float) -> Result:
    """Makes both databases, and reads."""
    few, many = cluster.prepare(accounts=1), cluster.prepare(accounts=1)
    now = SystemClock().now()
    began = time.monotonic()
    fill(cluster.admin_url(few), account=few.accounts[0], events=FEW, accounts=1, now=now)
    made = fill(cluster.admin_url(many), account=many.accounts[0], events=events, accounts=accounts, now=now)
    remarks = [
        f"{made:,} events of {accounts:,} accounts in 13 months, {_gigabytes(cluster, many):.1f} GB, made in"
        f" {(time.monotonic() - began) / 60:.0f} minutes; the account that reads has {_own(cluster, many):,} of them.",
        "Without identities of events, which nothing reads, and not written to the log of transactions.",
    ]
    if busy > _BUSY:
        remarks.append(f"Something else used {busy:.1f} cores just before: do not trust these figures.")
    with Servers(cluster, Placement.apart()) as servers:
        targets = [servers.product(Product(path=USAGE, on=prepared)) for prepared in (few, many)]
        if problems := [target.problem for target in targets if target.problem]:
            sys.exit("; ".join(problems))
        ports = [(target.port, prepared.keys[0]) for target, prepared in zip(targets, (few, many), strict=True)]
        month = f"/v1/usage/series?meter=jobs&step=day&from={(now - timedelta(days=30)).date().isoformat()}"
        year = f"/v1/usage/series?meter=jobs&step=month&from={(now - timedelta(days=365)).date().isoformat()}"
        found = (
            _compared("usage_read", USAGE, ports),
            _compared("series_read", month, ports),
            _compared("series_read_year", year, ports),
        )
    return Result("scale", f"{datetime.now(UTC):%Y-%m-%d}", found, (), tuple(remarks))


def _compared(key: str, path: str, ports: Sequence[tuple[int, str]]) -> Figure:
    """The ratio of the medians of each round: many events to few."""
    few, many = (_Reader(port, key_, path) for port, key_ in ports)
    for _ in range(_WARM_UP):
        few.read()
        many.read()
    ratios, times = [], []
    for _ in range(_ROUNDS):
        pairs = [(few.read(), many.read()) for _ in range(_REQUESTS)]
        one, other = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
        ratios.append(other / one)
        times.append((one, other))
    few.close()
    many.close()
    middle = [statistics.median(time[side] for time in times) * 1_000 for side in (0, 1)]
    note = f"{path}: {middle[1]:.2f} ms against {middle[0]:.2f} ms, {_ROUNDS} rounds of {_REQUESTS} pairs"
    return Figure.median(key, ratios, note=note)


class _Reader:
    """Reads one path over and over on one connection."""

    def __init__(self, port: int, key: str, path: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._path = path

    def read(self) -> float:
        """Seconds until the whole answer is there. Raises RuntimeError for any but 200."""
        began = time.perf_counter()
        self._connection.request("GET", self._path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {body[:500]!r}")
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


def _ensure_room(events: int) -> None:
    """Says what is needed, and ends where there is less."""
    WORK.mkdir(parents=True, exist_ok=True)
    needed, free = events * BYTES_AN_EVENT + _SPARE, shutil.disk_usage(WORK).free
    minutes = max(1, round(events / 100_000 / 60))
    print(
        f"{events:,} events take {needed / 1e9:.0f} GB in {WORK} while this runs ({free / 1e9:.0f} GB are free), about"
        f" 1 GB of memory, and {minutes} minutes or more to make.",
        file=sys.stderr,
        flush=True,
    )
    if free < needed:
        fitting = max(0, (free - _SPARE) // BYTES_AN_EVENT)
        sys.exit(f"Not enough room: make some, or take fewer: make bench-scale EVENTS={fitting // 1_000_000}000000")


def _gigabytes(cluster: Cluster, prepared: Prepared) -> float:
    with psycopg.connect(cluster.admin_url(prepared)) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return float(row[0]) / 1e9


def _own(cluster: Cluster, prepared: Prepared) -> int:
    """How many events the account has that reads. Raises RuntimeError where its counters say something else."""
    account = prepared.accounts[0]
    with psycopg.connect(cluster.admin_url(prepared)) as connection:
        row = connection.execute(
            """
            SELECT (SELECT sum(amount) FROM usage_events WHERE account_id = %(id)s),
                (SELECT sum(used) FROM meter_usage WHERE account_id = %(id)s),
                (SELECT sum(amount) FROM usage_rollups WHERE account_id = %(id)s),
                (SELECT sum(api_calls + jobs_created) FROM user_usage WHERE account_id = %(id)s)
            """,
            {"id": account},
        ).fetchone()
    if row is None or len(set(row)) != 1:
        raise RuntimeError(f"events, counters, sums and records differ: {row}")
    return int(row[0])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--events", type=int, default=MANY, help=f"how many are many; {MANY:,}")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help=f"how many accounts have them; {ACCOUNTS:,}")
    options = parser.parse_args()
    if options.events < FEW or options.accounts < 1:
        parser.error(f"--events is {FEW:,} or more, --accounts 1 or more")
    return options


if __name__ == "__main__":
    main()
