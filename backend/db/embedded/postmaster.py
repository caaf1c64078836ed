"""One run of the server: start, readiness, stop."""

import hashlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import IO

from backend.db.embedded.cluster import server_settings
from backend.db.embedded.errors import EmbeddedError
from backend.db.embedded.launch import Launcher, environment
from backend.db.embedded.layout import Layout
from backend.db.embedded.processes import end_servers, servers_in

PORTS = range(20_000, 32_000)  # below the range that Linux gives to outgoing connections

_READY_LINE, _READY = 7, "ready"  # of postmaster.pid, as pg_ctl reads it
_RECOVERY_SECONDS = 300.0
_LEFTOVER_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))
_LARGEST_LOG = 16 * 1024 * 1024


class Postmaster:
    """The server's main process as a child of this one. `port` is set by `start` and stays over restarts if it can."""

    def __init__(self, layout: Layout, launcher: Launcher, socket_folder: str, port: int | None) -> None:
        self._layout = layout
        self._launcher = launcher
        self.socket_folder = socket_folder
        self._last_port = port
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def start(self, *, patience: float) -> None:
        """Starts and waits until connections are taken. Tries again for `patience` seconds: after a kill, parts of
        the old server may hold its memory for a moment. Raises EmbeddedError with the end of the server's log."""
        limit = time.monotonic() + patience
        while True:
            self.clear_leftovers()
            self.port = next(free_ports(self._last_port, str(self._layout.root)))
            log_from = self._spawn()
            if self._became_ready():
                self._last_port = self.port
                return
            said = self._said_since(log_from)
            if time.monotonic() > limit:
                message = f"The embedded PostgreSQL does not start. Its log ({self._layout.log}) ends: {said}"
                raise EmbeddedError(message)
            time.sleep(0.2)

    def stop(self) -> None:
        """Disconnects everyone and ends the server, by harder means if it does not obey; the data is safe with each."""
        if self._process is None:
            return
        for number, seconds in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                self._process.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        end_servers(self._layout.data, _LEFTOVER_STEPS)
        self._process = None

    def trim_log(self) -> None:
        """Keeps the log from growing without end: the server appends, so it can be emptied under it."""
        if self._layout.log.stat().st_size > _LARGEST_LOG:
            os.truncate(self._layout.log, 0)

    def clear_leftovers(self) -> None:
        """Ends what an earlier supervisor or a killed server left, then removes its pid file.

        The file is removed only when no process works in the data folder, and this process has the supervisor's lock:
        so its number can only be that of a stranger, which PostgreSQL would take for a running server.
        """
        if servers_in(self._layout.data) and not end_servers(self._layout.data, _LEFTOVER_STEPS):
            message = f"Processes of an earlier server do not end: {servers_in(self._layout.data)}"
            raise EmbeddedError(message)
        (self._layout.data / "postmaster.pid").unlink(missing_ok=True)

    def _spawn(self) -> int:
        settings = server_settings(port=self.port, socket_folder=self.socket_folder)
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._launcher.server_command("-D", str(self._layout.data), *arguments)
        with os.fdopen(self._layout.open(self._layout.log), "ab") as log:
            log_from = log.seek(0, os.SEEK_END)
            self._process = self._popen(command, log)
        return log_from

    @staticmethod
    def _popen(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the chosen server
            command, env=environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def _became_ready(self) -> bool:
        limit = time.monotonic() + _RECOVERY_SECONDS
        while not self.has_ended() and time.monotonic() < limit:
            if self._says_ready():
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def _says_ready(self) -> bool:
        try:
            lines = (self._layout.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) <= _READY_LINE or lines[0] != str(self.pid):
            return False
        return lines[_READY_LINE].strip() == _READY

    def _said_since(self, position: int) -> str:
        with self._layout.log.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace").strip()[-2_000:]


def free_ports(last: int | None, name: str) -> Iterator[int]:
    """Loopback ports that nobody listens on: the last one used, then from a place that depends on `name`, so that
    several folders on one machine seldom try the same. Raises EmbeddedError when none is left."""
    if last is not None and _is_free(last):
        yield last
    digest = hashlib.sha256(name.encode()).digest()
    order = random.Random(digest)  # noqa: S311 - spreads ports, guards nothing
    for port in order.sample(PORTS, 200):
        if _is_free(port):
            yield port
    message = f"No free port was found between {PORTS.start} and {PORTS.stop}."
    raise EmbeddedError(message)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
