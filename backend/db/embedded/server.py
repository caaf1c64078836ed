"""The face of the embedded server: hold it, and it runs."""

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from backend.db.embedded.cluster import ADMIN, DATABASE, OWNER, Passwords, read_passwords
from backend.db.embedded.errors import EmbeddedError
from backend.db.embedded.layout import Layout
from backend.db.embedded.processes import is_alive
from backend.db.embedded.state import (
    ANOTHER_RUNS,
    State,
    ask_to_keep,
    forget_keep,
    read_state,
    supervisor_runs,
    try_lock,
)

_HOST = "127.0.0.1"
_PATIENCE = 330.0  # recovery after a kill under load may take minutes; all else takes seconds
_REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class ServerInfo:
    """How to reach a server that runs. Holds passwords: not for logs."""

    port: int
    socket_dir: Path
    bin_dir: Path
    passwords: Passwords

    def __repr__(self) -> str:
        return f"ServerInfo(port={self.port}, socket_dir={str(self.socket_dir)!r})"

    def url(self, database: str = DATABASE) -> str:
        """For the application: the role that owns `feature_db` and may make databases and roles, no superuser."""
        return f"postgresql://{OWNER}:{self.passwords.owner}@{_HOST}:{self.port}/{quote(database, safe='')}"

    def admin_url(self, database: str = "postgres") -> str:
        """For the cluster's superuser: tests, backups of all, repairs. Never for the application."""
        return f"postgresql://{ADMIN}:{self.passwords.admin}@{_HOST}:{self.port}/{quote(database, safe='')}"

    def environment(self, database: str = DATABASE) -> Mapping[str, str]:
        """For psql, pg_dump and all that reads libpq's variables, and DATABASE_URL for the application."""
        return {
            "PGHOST": _HOST,
            "PGPORT": str(self.port),
            "PGUSER": OWNER,
            "PGDATABASE": database,
            "PGPASSWORD": self.passwords.owner,
            "DATABASE_URL": self.url(database),
        }


class EmbeddedPostgres:
    """The server whose data is in `<home>/postgres`. Any number of processes may hold it at once."""

    def __init__(self, home: Path) -> None:
        self._layout = Layout.below(home)

    @contextlib.contextmanager
    def hold(self, *, keep_for: float = 0) -> Iterator[ServerInfo]:
        """Starts the server or joins it, and keeps it running for as long as the block does.

        `keep_for`: seconds that the server stays after its last use, for users who cannot hold it (a shell's psql);
        an open connection counts as use. Without it the server stops when the last holder is gone, killed ones
        included. Raises EmbeddedError, which says why and what to do.
        """
        self._layout.prepare()
        limit = time.monotonic() + _PATIENCE
        handle = self._layout.open(self._layout.users_lock)
        try:
            while not try_lock(handle, fcntl.LOCK_SH):  # a server that is just being stopped
                _sleep_until(limit)
            state = self._running(limit)
            if keep_for:
                ask_to_keep(self._layout, keep_for)
            yield self._info(state)
        finally:
            os.close(handle)

    def status(self) -> State | None:
        """What runs now, without starting anything; None when nothing does."""
        if not self._layout.root.is_dir() or not supervisor_runs(self._layout):
            return None
        return read_state(self._layout)

    def is_named_by(self, url: str) -> bool:
        """Whether an address is this server's, as `ServerInfo.url` gives it, at this or an earlier port."""
        parts = urlsplit(url)
        try:
            known = read_passwords(self._layout)
        except OSError:
            return False
        return parts.hostname == _HOST and parts.username == OWNER and parts.password == known.owner

    def release(self) -> None:
        """Takes back all wishes of `keep_for`: the server stops as soon as nobody holds it."""
        if self._layout.root.is_dir():
            forget_keep(self._layout)

    def _running(self, limit: float) -> State:
        """Needs the users' lock, so that no supervisor stops the server that is found here."""
        started = False
        while True:
            runs, state = supervisor_runs(self._layout), read_state(self._layout)
            if runs and state is not None and _answers(state):
                return state
            if not runs:
                # A second start is for a supervisor that was killed; one that failed has said why.
                if started and state is not None and state.phase == "failed":
                    raise EmbeddedError(state.error or "The embedded PostgreSQL does not start.")
                started = self._spawn()
            _sleep_until(limit)

    def _spawn(self) -> bool:
        """Starts a supervisor; False when another one was faster. It detaches itself before this returns."""
        log_path = self._layout.root / "supervisor.log"
        with os.fdopen(self._layout.open(log_path), "ab") as log:
            command = [sys.executable, "-m", "backend.db.embedded.supervisor", str(self._layout.root.parent)]
            done = subprocess.run(  # noqa: S603 - this package's own module
                command,
                cwd=_REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                start_new_session=True,
            )
        if done.returncode not in (0, ANOTHER_RUNS):
            said = log_path.read_text(errors="replace").strip().rpartition("\n")[2]
            message = f"The supervisor of the embedded PostgreSQL does not start ({log_path}): {said}"
            raise EmbeddedError(message)
        return done.returncode == 0

    def _info(self, state: State) -> ServerInfo:
        if state.port is None or state.socket_folder is None or state.bin_dir is None:
            raise EmbeddedError("The supervisor of the embedded PostgreSQL was of another version. Stop it and retry.")
        return ServerInfo(state.port, Path(state.socket_folder), Path(state.bin_dir), read_passwords(self._layout))


def _answers(state: State) -> bool:
    """Whether the state is a living supervisor's and its server takes connections."""
    if state.phase != "ready" or state.port is None or not is_alive(state.supervisor):
        return False
    try:
        with socket.create_connection((_HOST, state.port), timeout=1):
            return True
    except OSError:
        return False


def _sleep_until(limit: float) -> None:
    if time.monotonic() > limit:
        raise EmbeddedError("The embedded PostgreSQL was not ready in time; its log is server.log in its folder.")
    time.sleep(0.02)
