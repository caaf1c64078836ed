"""`python -m benchmarks`: measures everything, prints the table, writes `benchmarks/RESULTS.md`.

A full run takes about half an hour and wants a machine that does nothing else. Results of a full run are kept, so that
`--only` measures one suite anew and leaves the others; `--quick` only shows that everything works, and writes nothing.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from benchmarks import (
    figures,
    group_commit,
    http_suite,
    in_process,
    ingest,
    ledger,
    machine,
    over_admission,
    peer_environment,
    report,
    start,
)
from benchmarks.database import Cluster
from benchmarks.figures import Figure, Result, Row
from benchmarks.http_suite import CONNECTIONS, Comparison, Effort
from benchmarks.run import alone
from benchmarks.servers import clear_logs

SCALE = "scale"  # measured by itself: `make bench-scale`
_NOT_QUIET = 0.1
_ADMISSION_SECONDS, _ADMISSION_QUICK = 12.0, 4.0
_ACCOUNTS_QUICK = 10_000

Found = tuple[list[Figure], list[Row], list[str]]
Suite = Callable[[Cluster, bool], Found]


def main() -> None:
    names = suites()
    options = _options(list(names))
    wanted = {name: run for name, run in names.items() if not options.only or name in options.only}
    with alone(), Cluster.hold() as cluster:
        clear_logs()
        kept = {} if options.quick else figures.load()
        for name, run in wanted.items():
            print(name, file=sys.stderr, flush=True)
            busy = machine.others_busy()
            found, rows, remarks = run(cluster, options.quick)
            if busy > _NOT_QUIET:
                remarks = [*remarks, f"Something else used {busy:.1f} cores just before: do not trust these figures."]
            kept[name] = Result(name, f"{datetime.now(UTC):%Y-%m-%d}", tuple(found), tuple(rows), tuple(remarks))
            if not options.quick:
                figures.save(kept)
        ordered = {name: kept[name] for name in (*names, SCALE) if name in kept}
        print(report.table(ordered, CONNECTIONS))
        if not options.quick:
            report.RESULTS.write_text(report.document(ordered, _versions(cluster), CONNECTIONS))
    sys.exit(1 if any(figure.key in _NEVER and figure.value for figure in _figures(ordered)) else 0)


def suites() -> dict[str, Suite]:
    """What can be measured, by name, in the order of the report."""
    found: dict[str, Suite] = {one.key: _compared(one) for one in http_suite.comparisons()}
    found["in_process"] = _in_process
    found["group_commit"] = _group_commit
    found["ingest"] = _ingest
    found["over_admission"] = _over_admission
    found["start"] = _start
    return found


_NEVER = ("over_admitted", "over_admitted_killed")


def _compared(one: Comparison) -> Suite:
    def run(cluster: Cluster, is_quick: bool) -> Found:
        return http_suite.run(cluster, one, Effort.quick() if is_quick else Effort())

    return run


def _in_process(cluster: Cluster, is_quick: bool) -> Found:
    found = in_process.measure(
        ledger.maker(cluster), ledger.keys, many=_ACCOUNTS_QUICK if is_quick else in_process.MANY
    )
    return found.figures(), [], []


def _group_commit(cluster: Cluster, is_quick: bool) -> Found:
    rounds, seconds = (1, 0.5) if is_quick else (25, 0.5)
    return group_commit.run(cluster, CONNECTIONS, rounds=rounds, seconds=seconds), [], []


def _ingest(cluster: Cluster, is_quick: bool) -> Found:
    rounds, seconds = (1, 1.0) if is_quick else (5, 3.0)
    return ingest.run(cluster, rounds=rounds, seconds=seconds), [], []


def _over_admission(cluster: Cluster, is_quick: bool) -> Found:
    found, remarks = over_admission.run(cluster, seconds=_ADMISSION_QUICK if is_quick else _ADMISSION_SECONDS)
    return found, [], remarks


def _start(_: Cluster, is_quick: bool) -> Found:
    return ([] if is_quick else start.run()), [], []


def _figures(results: dict[str, Result]) -> Iterator[Figure]:
    for result in results.values():
        yield from result.figures


def _versions(cluster: Cluster) -> dict[str, str]:
    return {
        **machine.described(),
        "PostgreSQL": cluster.version(),
        "Valkey": peer_environment.valkey_version(),
        **machine.packages(),
        **{f"{name} (compared)": number for name, number in peer_environment.versions().items()},
    }


def _options(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each; writes nothing")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of: {', '.join(names)}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
