"""A load of reported events: connections that each post a batch when the last one is answered.

A process of its own (`python -m benchmarks.event_load`, a plan as JSON on standard input). Bodies are made once; what
differs from one to the next is a part of each id.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.load import _status
from benchmarks.processes import HOST, WORK, Child, Placement

_PLACE = "################"
_WARM_UP = 1.0
_READ = 1 << 20


def measure_events(
    port: int, key: str, accounts: Sequence[str], *, connections: int, batch: int, seconds: float
) -> float:
    """Events a second that were answered as accepted. Raises RuntimeError for any other answer."""
    plan = {
        "port": port,
        "key": key,
        "accounts": list(accounts),
        "connections": connections,
        "batch": batch,
        "seconds": seconds,
    }
    child = Child(
        [sys.executable, "-m", "benchmarks.event_load"],
        log=WORK / "event-load.log",
        cores=Placement.together().others,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        child.tell(json.dumps(plan).encode())
        said = child.stdout.readline()
    finally:
        child.stop()
    if not said:
        raise RuntimeError(child.said())
    return float(json.loads(said)["rate"])


class _Poster:
    """Posts over some connections at once."""

    def __init__(self, port: int, key: str, accounts: Sequence[str], connections: int, batch: int) -> None:
        events = [
            {"id": f"{_PLACE}-{number}", "meter": "jobs", "amount": 1, "account_id": accounts[number % len(accounts)]}
            for number in range(batch)
        ]
        self._body = json.dumps({"events": events}).encode()
        self._head = (
            f"POST /v1/usage/events HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        ).encode()
        self._accepted = b'"status":"accepted"'
        self._batch = batch
        self._selector = selectors.DefaultSelector()
        self._sockets = [socket.create_connection((HOST, port)) for _ in range(connections)]
        self._answers = dict.fromkeys(self._sockets, b"")
        self._sent = 0
        for each in self._sockets:
            self._selector.register(each, selectors.EVENT_READ)
            self._post(each)

    def run(self, seconds: float) -> float:
        """Accepted events a second."""
        began, accepted = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            for selected, _ in self._selector.select(0.1):
                each = selected.fileobj
                assert isinstance(each, socket.socket)
                self._answers[each] += each.recv(_READ)
                if not _status(self._answers[each]):
                    continue
                found = self._answers[each].count(self._accepted)
                if found != self._batch:
                    raise RuntimeError(f"{found} of {self._batch} accepted: {self._answers[each][:1_000]!r}")
                accepted += found
                self._answers[each] = b""
                self._post(each)
        return accepted / (time.perf_counter() - began)

    def _post(self, each: socket.socket) -> None:
        self._sent += 1
        own = f"{os.getpid():08x}{self._sent:08x}".encode()
        each.sendall(self._head + self._body.replace(_PLACE.encode(), own))


def _main() -> None:
    plan = json.loads(sys.stdin.read())
    seconds = plan.pop("seconds")
    poster = _Poster(**plan)
    poster.run(_WARM_UP)
    print(json.dumps({"rate": poster.run(seconds)}), flush=True)


if __name__ == "__main__":
    _main()
