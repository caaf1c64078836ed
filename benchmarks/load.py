"""A closed-loop HTTP/1.1 load: so many keep-alive connections, each sends its next request when it has its answer.

It runs as a process of its own (`python -m benchmarks.load`, a plan as JSON on standard input), one loop on raw
sockets, so that it is never what limits a server. `busy` says how much of its core it used: near 1, and the figures
are the load's, not the server's.
"""

import contextlib
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path

from benchmarks.processes import HOST, WORK, Child, Cores

_READ = 65_536
_TICK = 0.01  # seconds between looks at the clock while nothing comes
_RETRY = 0.005  # seconds before a refused connection is tried again
_SETTLE = 5.0  # seconds that answers may still take when the time is over
_IN = select.EPOLLIN
_LENGTH = b"\r\ncontent-length:"
_CHUNKED = b"\r\ntransfer-encoding: chunked"
_BODILESS = frozenset({b"204", b"304"})


@dataclass(frozen=True)
class Plan:
    """What to send: `requests` in turn over all connections. Seconds; the warm-up is not counted."""

    port: int
    connections: int
    seconds: float
    warm_up: float
    requests: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What came of it: answers by status in `seconds`, latencies in milliseconds.

    `lost`: requests whose connection broke before the answer, so that nobody knows what they did. `cpu`: what the
    caller measured meanwhile. `busy`: the share of one core that the load itself took.
    """

    seconds: float
    statuses: dict[str, int]
    lost: int
    p50: float
    p99: float
    busy: float
    cpu: float = 0.0

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    @property
    def cpu_per_request(self) -> float:
        """Seconds of processor time an answer took, of the processes that the caller watched."""
        return self.cpu / max(1, self.answered)

    @property
    def not_ok(self) -> int:
        """Answers that were no 200, and those that never came."""
        return self.answered - self.statuses.get("200", 0) + self.lost


def request(path: str, *, key: str = "", method: str = "GET", body: str = "") -> str:
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"] if body else []
    return "\r\n".join(lines) + "\r\n\r\n" + body


def measure(
    plan: Plan, *, cores: Cores, cpu: Callable[[], float] | None = None, during: Callable[[], None] | None = None
) -> Outcome:
    """Runs the load as a process on these cores. `cpu` gives the processor seconds used so far by what is watched;
    it is asked at the begin and the end of the counted time, with `during` called between."""
    log = WORK / "load.log"
    child = Child(
        [sys.executable, "-m", "benchmarks.load"],
        log=log,
        cores=cores,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        child.tell(json.dumps(asdict(plan)).encode())
        _expect(child, b"begin", log)
        before = cpu() if cpu else 0.0
        if during:
            during()
        _expect(child, b"end", log)
        used = cpu() - before if cpu else 0.0
        found = json.loads(child.stdout.readline())
    finally:
        child.stop()
    return Outcome(**{**found, "cpu": used})


def _expect(child: Child, word: bytes, log: Path) -> None:
    if child.stdout.readline().strip() != word:
        raise RuntimeError(f"the load failed ({log}): {child.said()}")


@dataclass(slots=True)
class _Connection:
    """One connection and its request under way."""

    sock: socket.socket
    sent: float = 0.0
    buffer: bytes = b""


@dataclass(slots=True)
class _Counts:
    statuses: dict[bytes, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    lost: int = 0


class _Loop:
    """All connections of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._next = cycle([line.encode("latin-1") for line in plan.requests])
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}

    def connect(self) -> None:
        for _ in range(self._plan.connections):
            self._add()

    def run(self, seconds: float) -> _Counts:
        """Sends for so long. What is under way at the end counts in the next run."""
        counts = _Counts()
        self._top_up()
        statuses, latencies, connections, following = counts.statuses, counts.latencies, self._open, self._next
        poll, clock = self._poll.poll, time.perf_counter
        end = clock() + seconds
        while (now := clock()) < end:
            if len(connections) < self._plan.connections:
                self._top_up()
            for number, _ in poll(_TICK):
                one = connections[number]
                try:
                    data = one.sock.recv(_READ)
                    status = _status(one.buffer + data if one.buffer else data) if data else b""
                    if status:
                        now = clock()
                        statuses[status] = statuses.get(status, 0) + 1
                        latencies.append(now - one.sent)
                        one.buffer, one.sent = b"", now
                        one.sock.send(next(following))
                    elif data:
                        one.buffer += data
                    else:
                        self._drop(number, counts)
                except OSError:
                    self._drop(number, counts)
        return counts

    def finish(self, counts: _Counts) -> None:
        """Takes the answers that are still under way, so that no admitted request goes uncounted."""
        end = time.perf_counter() + _SETTLE
        while self._open and time.perf_counter() < end:
            for number, _ in self._poll.poll(_TICK):
                one = self._open[number]
                with contextlib.suppress(OSError):
                    data = one.sock.recv(_READ)
                    one.buffer += data
                    if data and not _status(one.buffer):
                        continue
                    if data:
                        status = _status(one.buffer)
                        counts.statuses[status] = counts.statuses.get(status, 0) + 1
                        self._close(number)
                        continue
                self._drop(number, counts)
        counts.lost += len(self._open)

    def _top_up(self) -> None:
        while len(self._open) < self._plan.connections:
            try:
                self._add()
            except OSError:
                time.sleep(_RETRY)
                return

    def _add(self) -> None:
        sock = socket.create_connection((HOST, self._plan.port), timeout=5)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(0)  # with a timeout, each call would ask the kernel twice
            made = _Connection(sock, time.perf_counter())
            sock.send(next(self._next))
        except OSError:
            sock.close()
            raise
        self._open[sock.fileno()] = made
        self._poll.register(sock.fileno(), _IN)

    def _drop(self, number: int, counts: _Counts) -> None:
        counts.lost += 1
        self._close(number)

    def _close(self, number: int) -> None:
        self._poll.unregister(number)
        self._open.pop(number).sock.close()


def _status(data: bytes) -> bytes:
    """The status code when the answer is whole, else nothing. Answers have a length or end with an empty chunk."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return b""
    at = data.find(_LENGTH, 0, head + 2)
    if at < 0:
        at = data[:head].lower().find(_LENGTH)
    if at >= 0:
        begin = at + len(_LENGTH)
        return data[9:12] if len(data) >= head + 4 + int(data[begin : data.find(b"\r", begin)]) else b""
    if _CHUNKED in data[:head].lower():
        return data[9:12] if data.endswith(b"0\r\n\r\n") else b""
    if data[9:12] in _BODILESS:
        return data[9:12]
    raise RuntimeError(f"an answer without a length: {data[:head]!r}")


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Milliseconds; 0 of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000 if ordered else 0.0


def _main() -> None:
    plan = Plan(**json.loads(sys.stdin.read()))
    loop = _Loop(plan)
    loop.connect()
    if plan.warm_up:
        loop.run(plan.warm_up)
    print("begin", flush=True)
    began, cpu = time.perf_counter(), time.process_time()
    counts = loop.run(plan.seconds)
    seconds, busy = time.perf_counter() - began, time.process_time() - cpu
    if not plan.warm_up:  # every answer counts, not how fast they come
        loop.finish(counts)
    print("end", flush=True)
    ordered = sorted(counts.latencies)
    found = Outcome(
        seconds=seconds,
        statuses={status.decode(): number for status, number in counts.statuses.items()},
        lost=counts.lost,
        p50=_percentile(ordered, 0.5),
        p99=_percentile(ordered, 0.99),
        busy=busy / seconds,
    )
    print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    _main()
