"""The process that runs the server of one data folder, and ends with it.

    python -m backend.db.embedded.supervisor HOME

It detaches itself, with its lock taken, before the command returns: exit 0 when it runs, 3 when another one has the
lock. It stops the server when nobody has held the users' lock for as long as was asked for (`hold(keep_for=...)`), and
at SIGTERM, SIGINT or SIGHUP. A server that dies is started again, on the same port. If this process is killed, the
kernel interrupts the server, which shuts down in order.
"""

import fcntl
import os
import secrets
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType

from backend.db.embedded.binaries import choose
from backend.db.embedded.cluster import make_cluster, restore_passwords
from backend.db.embedded.errors import EmbeddedError
from backend.db.embedded.launch import choose_launcher
from backend.db.embedded.layout import Layout
from backend.db.embedded.postmaster import Postmaster
from backend.db.embedded.processes import has_clients
from backend.db.embedded.state import (
    ANOTHER_RUNS,
    Phase,
    State,
    forget_keep,
    now,
    read_keep,
    read_state,
    try_lock,
    write_state,
)

_LOCK_PATIENCE = 1.0  # users look at the lock by taking it for a moment
_TICK = 0.25
_START_PATIENCE = 10.0
_RESTARTS, _WITHIN = 5, 60.0


class Supervisor:
    """Holds the lock of `layout` from `detach` until the process ends."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._run = secrets.token_hex(8)
        self._before = read_state(layout)
        self._users = layout.open(layout.users_lock)
        self._postmaster: Postmaster | None = None
        self._bin_dir = ""
        self._unused_since: float | None = None
        self._restarts: list[float] = []
        self._stopping = False
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def announce(self, phase: Phase, error: str | None = None) -> None:
        server = self._postmaster
        before = self._before
        state = State(
            run=self._run,
            phase=phase,
            supervisor=os.getpid(),
            postmaster=server.pid if server else None,
            port=server.port if server and server.port else (before.port if before else None),
            socket_folder=server.socket_folder if server else (before.socket_folder if before else None),
            bin_dir=self._bin_dir or None,
            error=error,
        )
        write_state(self._layout, state)

    def run(self) -> None:
        """Serves until nobody needs the server any more. Never raises: what went wrong is in the state."""
        self._listen_to_signals()
        phase, error = "stopped", None
        try:
            self._start()
            while not self._stopping and not self._may_stop():
                self._wait()
                self._revive()
        except EmbeddedError as problem:
            phase, error = "failed", str(problem)
        except Exception as problem:
            traceback.print_exc()
            phase, error = "failed", f"The supervisor of the embedded PostgreSQL failed: {problem!r}"
        finally:
            if self._postmaster:
                self._postmaster.stop()
            self.announce("failed" if phase == "failed" else "stopped", error)

    def _start(self) -> None:
        layout, before = self._layout, self._before
        launcher = choose_launcher(layout, choose(layout.data_major()))
        if layout.data_major() is None:
            make_cluster(layout, launcher)
        last_folder = before.socket_folder if before else None
        folder = layout.socket_folder(last_folder, launcher.uid, launcher.gid)
        self._bin_dir = str(launcher.binaries.bin_dir)
        self._postmaster = Postmaster(layout, launcher, str(folder), before.port if before else None)
        self._postmaster.clear_leftovers()
        restore_passwords(layout, launcher)
        self._postmaster.start(patience=_START_PATIENCE)
        self.announce("ready")

    def _may_stop(self) -> bool:
        """Whether the last use is long enough ago. With True the users' lock stays taken until the process ends, so
        that whoever comes now waits and then starts a new supervisor."""
        if not try_lock(self._users, fcntl.LOCK_EX):
            self._unused_since = None
            return False
        keep = read_keep(self._layout)
        self._unused_since = self._unused_since if self._unused_since is not None else now()
        if now() - self._unused_since < keep:
            fcntl.flock(self._users, fcntl.LOCK_UN)
            return False
        if keep and has_clients(self._layout.data):
            self._unused_since = now()
            fcntl.flock(self._users, fcntl.LOCK_UN)
            return False
        forget_keep(self._layout)
        return True

    def _revive(self) -> None:
        server = self._postmaster
        if server is None or not server.has_ended() or self._stopping:
            return
        recent = [moment for moment in self._restarts if moment > time.monotonic() - _WITHIN]
        if len(recent) >= _RESTARTS:
            message = f"The embedded PostgreSQL died {_RESTARTS + 1} times in a minute; its log is {self._layout.log}"
            raise EmbeddedError(message)
        self._restarts = [*recent, time.monotonic()]
        self.announce("starting")
        server.start(patience=_START_PATIENCE)
        self.announce("ready")

    def _wait(self) -> None:
        """Sleeps until the next look at the locks, or until a signal or a dead child wakes it."""
        if select.select([self._woken], [], [], _TICK)[0]:
            os.read(self._woken, 4_096)
        if self._postmaster:
            self._postmaster.trim_log()

    def _listen_to_signals(self) -> None:
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


def take_lock(layout: Layout) -> bool:
    """Takes the supervisor's lock for the life of this process and of the one it forks. The handle is never closed."""
    handle = layout.open(layout.supervisor_lock)
    limit = time.monotonic() + _LOCK_PATIENCE
    while not try_lock(handle, fcntl.LOCK_EX):
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def main(home: Path) -> int:
    layout = Layout.below(home)
    layout.prepare()
    if not take_lock(layout):
        return ANOTHER_RUNS
    supervisor = Supervisor(layout)
    supervisor.announce("starting")
    if os.fork():
        # The lock belongs to parent and child together: it stays taken when this one goes.
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    os.chdir("/")
    supervisor.announce("starting")
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
