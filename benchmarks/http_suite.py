"""Paired runs over HTTP: the product and what it is compared with are alive side by side and loaded in turn.

A, B, A, B: what the machine does meanwhile meets both. A ratio is taken within a round; the median of the rounds is
the figure. Values above 1 say that the product does more for the same time.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.database import Cluster
from benchmarks.figures import Figure, Row
from benchmarks.load import Outcome, Plan, measure
from benchmarks.processes import Placement, cpu_seconds
from benchmarks.servers import AUTHORIZE, PING, Product, Servers, Target, fetch

CONNECTIONS = (1, 32, 128)

_MICRO = 1_000_000
_SATURATED = 0.9  # the load's share of its core from which on a server may be faster than was seen
_PEERS = ("limits", "throttled", "script")


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds of so many seconds after a warm-up each.

    Many short ones: a shared machine is faster and slower by the half within seconds, and both sides of a ratio should
    meet the same.
    """

    rounds: int = 25
    seconds: float = 0.5
    warm_up: float = 0.4
    connections: Sequence[int] = CONNECTIONS

    @classmethod
    def quick(cls) -> "Effort":
        """To see that it works; the figures say little."""
        return cls(rounds=1, seconds=1.0, warm_up=0.3)


Rounds = list[dict[str, Outcome]]  # of each round, the outcomes by the names of the servers


@dataclass(frozen=True)
class Comparison:
    """The product run in one way, and the others beside it. `by_cpu`: processor time a request, not answers a second,
    with all cores for all."""

    key: str
    product: Product
    others: Callable[[Servers], list[Target]]
    figures: Callable[["Comparison", str, int, Rounds], list[Figure]]
    by_cpu: bool = False


def run(cluster: Cluster, comparison: Comparison, effort: Effort) -> tuple[list[Figure], list[Row], list[str]]:
    """Figures of the table, what each server did, and what a reader must know."""
    placement = Placement.together() if comparison.by_cpu else Placement.apart()
    with Servers(cluster, placement) as servers:
        ours = servers.product(comparison.product)
        if ours.problem:
            return [Figure(comparison.key, note=ours.problem)], [], []
        others = comparison.others(servers)
        _check_same_answers(others)
        figures: list[Figure] = []
        rows: list[Row] = []
        for connections in effort.connections:
            rounds = _rounds([ours, *others], connections, effort, placement)
            figures += comparison.figures(comparison, ours.name, connections, rounds)
            rows += [_row(comparison.key, target.name, connections, rounds) for target in (ours, *others)]
    return figures, rows, _remarks(comparison, rows, {target.name for target in others})


def _rounds(targets: Sequence[Target], connections: int, effort: Effort, placement: Placement) -> Rounds:
    found: Rounds = []
    for _ in range(effort.rounds):
        outcomes = {}
        for target in targets:
            plan = Plan(target.port, connections, effort.seconds, effort.warm_up, target.requests)
            roots = target.roots
            outcomes[target.name] = measure(plan, cores=placement.others, cpu=lambda roots=roots: cpu_seconds(roots))  # type: ignore[misc]  # binds the loop's value
            _tell(target.name, connections, outcomes[target.name])
        found.append(outcomes)
    return found


def _tell(name: str, connections: int, one: Outcome) -> None:
    faults = f"  not 200: {one.statuses}" if one.not_ok else ""
    print(
        f"  {name:28} {connections:4} connections {one.rate:9,.0f}/s  p50 {one.p50:7.2f} ms  p99 {one.p99:7.2f} ms"
        f"  cpu {one.cpu_per_request * _MICRO:7.1f} us  load busy {one.busy:.0%}{faults}",
        file=sys.stderr,
        flush=True,
    )


def _row(suite: str, server: str, connections: int, rounds: Rounds) -> Row:
    outcomes = [one[server] for one in rounds]

    def median(of: Callable[[Outcome], float]) -> float:
        return statistics.median(of(outcome) for outcome in outcomes)

    return Row(
        suite=suite,
        server=server,
        at=connections,
        rate=median(lambda one: one.rate),
        p50=median(lambda one: one.p50),
        p99=median(lambda one: one.p99),
        cpu=median(lambda one: one.cpu_per_request * _MICRO),
        busy=median(lambda one: one.busy),
        not_ok=sum(one.not_ok for one in outcomes),
    )


def _remarks(comparison: Comparison, rows: Sequence[Row], references: set[str]) -> list[str]:
    remarks = [
        f"{row.suite}, {row.server}, {row.at} connections: {row.not_ok:,} requests were not answered 200."
        for row in rows
        if row.not_ok
    ]
    remarks += [
        f"{row.suite}, {row.server}, {row.at} connections: the load used {row.busy:.0%} of its core; the server may be"
        " faster."
        for row in rows
        if row.busy > _SATURATED and row.server in references and not comparison.by_cpu
    ]
    return remarks


def _check_same_answers(targets: Sequence[Target]) -> None:
    """What is compared must answer the same bytes. The product's own differ by its numbers."""
    bodies = {fetch(target.port, PING, "any")[1] for target in targets}
    if len(bodies) > 1:
        raise RuntimeError(f"the servers answer different bodies: {bodies}")


def _rate_ratio(comparison: Comparison, ours: str, connections: int, rounds: Rounds) -> list[Figure]:
    ratios = [one[ours].rate / next(v.rate for name, v in one.items() if name != ours) for one in rounds]
    return [Figure.median(comparison.key, ratios, at=connections)]


def _cpu_ratio(comparison: Comparison, ours: str, connections: int, rounds: Rounds) -> list[Figure]:
    ratios = [
        next(v.cpu_per_request for name, v in one.items() if name != ours) / one[ours].cpu_per_request for one in rounds
    ]
    return [Figure.median(comparison.key, ratios, at=connections)]


def _gateway_ratios(comparison: Comparison, ours: str, connections: int, rounds: Rounds) -> list[Figure]:
    slowest = [one[ours].p99 / one["plain"].p99 for one in rounds]
    return [
        *_rate_ratio(comparison, ours, connections, rounds),
        Figure.median(f"{comparison.key}_p99", slowest, at=connections),
    ]


def _peer_ratios(comparison: Comparison, ours: str, connections: int, rounds: Rounds) -> list[Figure]:
    figures = [
        Figure.median(f"{comparison.key}_{peer}", [one[ours].rate / one[peer].rate for one in rounds], at=connections)
        for peer in _PEERS
    ]
    fastest = [one[ours].rate / max(one["limits"].rate, one["throttled"].rate) for one in rounds]
    return [Figure.median(f"{comparison.key}_library", fastest, at=connections), *figures]


def _bare(workers: int = 1) -> Callable[[Servers], list[Target]]:
    return lambda servers: [servers.own("bare", PING, workers=workers)]


def _plain(servers: Servers) -> list[Target]:
    return [servers.own("plain", AUTHORIZE)]


def _peers(*, far: bool) -> Callable[[Servers], list[Target]]:
    return lambda servers: [servers.peer(name, far=far) for name in _PEERS]


def comparisons() -> list[Comparison]:
    """All of them; those whose store is 1 ms away end with `_far`."""
    found = [Comparison("gateway", Product(path=AUTHORIZE), _plain, _gateway_ratios)]
    for far, end in ((False, ""), (True, "_far")):
        found += [
            Comparison(f"middleware{end}", Product(far=far), _bare(), _rate_ratio),
            Comparison(f"strict{end}", Product(strict=True, far=far), _bare(), _rate_ratio),
            Comparison(f"two_workers{end}", Product(workers=2, far=far), _bare(2), _cpu_ratio, by_cpu=True),
            Comparison(f"shared{end}", Product(shared=True, far=far), _peers(far=far), _peer_ratios),
        ]
    return found
