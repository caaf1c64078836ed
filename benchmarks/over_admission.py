"""How many requests of one account are admitted at a limit of 1,000, over four processes and 64 connections.

Each contender once in peace and once while its processes are killed (`kill -9`) and come back. Requests whose answer
was lost with a process may have been admitted; they are counted apart, and for the product what its database says at
the end must be within the limit too.
"""

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable

from benchmarks.database import Cluster
from benchmarks.figures import Figure
from benchmarks.load import Outcome, Plan, measure
from benchmarks.processes import Placement, command_of, descendants, parent_of
from benchmarks.servers import Product, Servers, Target

LIMIT = 1_000
PROCESSES = 4
CONNECTIONS = 64

_PEERS = ("limits", "throttled", "script", "limits-memory", "throttled-memory")
_REFUSALS = frozenset({"402", "429"})  # answers that say that the limit is reached
# In the command line of a process that serves: one that was spawned, or forked from a server that was.
_SPAWNED, _FORKED = "spawn_main", "multiprocessing.forkserver"
_PAUSE = (0.2, 0.6)  # seconds between two kills
_SETTLE = 1.5  # seconds after which what was spent in memory is in the database

Start = Callable[[Servers], Target]


def run(cluster: Cluster, *, seconds: float) -> tuple[list[Figure], list[str]]:
    """Figures of the table (units over the limit; 0 is right), and a line about each contender."""
    figures, remarks = [], []
    starts: list[tuple[str, Start]] = [("product", _product), *((name, _peer(name)) for name in _PEERS)]
    for name, start in starts:
        for kills in (False, True):
            figure, remark = _one(cluster, start, seconds=seconds, kills=kills)
            key = "over_admitted" + ("_killed" if kills else "") + ("" if name == "product" else f"_{name}")
            figures.append(Figure(key, figure.value, note=figure.note))
            remarks.append(f"{name}, {'processes killed' if kills else 'in peace'}: {remark}")
            print(f"  {remarks[-1]}", file=sys.stderr, flush=True)
    return figures, remarks


def _product(servers: Servers) -> Target:
    return servers.product(Product(workers=PROCESSES, limit=LIMIT, accounts=1, is_probed=False))


def _peer(name: str) -> Start:
    return lambda servers: servers.peer(name, workers=PROCESSES, limit=LIMIT)


def _one(cluster: Cluster, start: Start, *, seconds: float, kills: bool) -> tuple[Figure, str]:
    placement = Placement.together()
    with Servers(cluster, placement) as servers:
        target = start(servers)
        if target.problem:
            return Figure("", note=target.problem), target.problem
        plan = Plan(target.port, CONNECTIONS, seconds, 0.0, target.requests[:1])
        outcome = measure(
            plan,
            cores=placement.others,
            during=(lambda: _kill_for(target.roots[0], seconds * 0.6)) if kills else None,
        )
        used = None
        if target.database is not None:
            time.sleep(_SETTLE)
            used = cluster.used(target.database)
    return _judged(outcome, used)


def _judged(outcome: Outcome, used: int | None) -> tuple[Figure, str]:
    admitted = sum(number for status, number in outcome.statuses.items() if status.startswith("2"))
    over = max(0, admitted - LIMIT, (used or 0) - LIMIT)
    refused = {status: number for status, number in outcome.statuses.items() if not status.startswith("2")}
    remark = f"{admitted:,} of {LIMIT:,} admitted, {outcome.lost:,} answers lost, refused {refused}"
    if used is not None:
        remark += f", {used:,} used in the database"
    if not over and not refused.keys() & _REFUSALS:
        return Figure("", note="the limit was not reached"), f"{remark}; the limit was not reached"
    return Figure("", float(over)), remark


def _kill_for(root: int, seconds: float) -> None:
    """Kills one serving process after another, at random moments."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(random.uniform(*_PAUSE))
        if workers := [pid for pid in descendants([root]) if _serves(pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)


def _serves(pid: int) -> bool:
    """Those that are forked keep the command line of the server that forks, which is their parent and serves nobody."""
    command = command_of(pid)
    return _SPAWNED in command or (_FORKED in command and _FORKED in command_of(parent_of(pid)))
