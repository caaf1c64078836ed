"""A store that is far away: a TCP proxy that holds every piece back for a while, each way.

    python -m benchmarks.proxy LISTEN_PORT TARGET_PORT [MILLISECONDS_EACH_WAY]

One thread around `select`, whose timeout is in microseconds; event loops round theirs to whole milliseconds.
"""

import contextlib
import ctypes
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from benchmarks.processes import HOST

ONE_WAY = 0.5  # milliseconds
_READ = 262_144
_SLACK_OPTION, _SLACK_NANOSECONDS = 29, 1_000  # PR_SET_TIMERSLACK: the kernel may wake us this much late
_IDLE = 1.0


@dataclass(eq=False, slots=True)
class _Side:
    """One socket; `pending` is due but did not fit into it yet. `other` is where its bytes go."""

    sock: socket.socket
    other: "_Side | None" = None
    pending: bytearray = field(default_factory=bytearray)
    is_read: bool = True
    is_closing: bool = False
    watched: int = 0


class Proxy:
    """Passes on what comes to `listener`, `delay` seconds later each way."""

    def __init__(self, listener: socket.socket, target: int, delay: float) -> None:
        self._listener = listener
        self._target = target
        self._delay = delay
        self._sides: dict[int, _Side] = {}
        self._late: deque[tuple[float, _Side, bytes]] = deque()  # due when, to whom; no bytes: the end
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)

    def run(self) -> None:
        """Until it is killed. `epoll` finds who has something; `select` on it alone waits in microseconds."""
        while True:
            select.select([self._poll], [], [], self._patience())
            for number, events in self._poll.poll(0):
                if number == self._listener.fileno():
                    self._accept()
                    continue
                side = self._sides.get(number)
                if side is not None and events & select.EPOLLOUT:
                    self._flush(side)
                if side is not None and side.is_read and events & ~select.EPOLLOUT:
                    self._read(side)
            self._deliver()

    def _patience(self) -> float:
        return max(0.0, self._late[0][0] - time.perf_counter()) if self._late else _IDLE

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            store = socket.create_connection((HOST, self._target), timeout=5)
        except OSError:
            client.close()
            return
        near, far = _Side(client), _Side(store)
        near.other, far.other = far, near
        for side in (near, far):
            side.sock.settimeout(0)
            side.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sides[side.sock.fileno()] = side
            self._watch(side)

    def _read(self, side: _Side) -> None:
        try:
            data = side.sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            side.is_read = False
            self._watch(side)
        assert side.other is not None
        self._late.append((time.perf_counter() + self._delay, side.other, data))

    def _deliver(self) -> None:
        now = time.perf_counter()
        while self._late and self._late[0][0] <= now:
            _, side, data = self._late.popleft()
            side.pending += data
            side.is_closing |= not data
            self._flush(side)

    def _flush(self, side: _Side) -> None:
        try:
            while side.pending:
                del side.pending[: side.sock.send(side.pending)]
        except BlockingIOError:
            self._watch(side)
            return
        except OSError:
            side.pending.clear()
        if side.is_closing:
            with contextlib.suppress(OSError):
                side.sock.shutdown(socket.SHUT_WR)
            self._forget_if_done(side)
        elif side.watched & select.EPOLLOUT:
            self._watch(side)

    def _watch(self, side: _Side) -> None:
        """Asks for what is still expected of it; a socket that is through would be reported without end."""
        wanted = (select.EPOLLIN if side.is_read else 0) | (select.EPOLLOUT if side.pending else 0)
        if wanted and side.watched:
            self._poll.modify(side.sock, wanted)
        elif wanted:
            self._poll.register(side.sock, wanted)
        elif side.watched:
            self._poll.unregister(side.sock)
        side.watched = wanted

    def _forget_if_done(self, side: _Side) -> None:
        """Closes a pair once both ends are through."""
        other = side.other
        assert other is not None
        if other.is_closing and not other.pending:
            for one in (side, other):
                del self._sides[one.sock.fileno()]
                one.sock.close()


def main() -> None:
    ctypes.CDLL(None).prctl(_SLACK_OPTION, _SLACK_NANOSECONDS, 0, 0, 0)
    listen, target, *rest = sys.argv[1:]
    with socket.create_server((HOST, int(listen)), backlog=512) as listener:
        Proxy(listener, int(target), float(rest[0] if rest else ONE_WAY) / 1_000).run()


if __name__ == "__main__":
    main()
