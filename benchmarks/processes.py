"""Child processes of a measurement: where they run, how much processor time they take, how they are ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPOSITORY = Path(__file__).resolve().parents[1]
WORK = REPOSITORY / "var" / "bench"  # what measurements make and keep: a cluster, a virtual environment, logs
HOST = "127.0.0.1"

Cores = frozenset[int]

_TICKS = os.sysconf("SC_CLK_TCK")
_PPID, _USER, _SYSTEM = 1, 11, 12  # fields of /proc/PID/stat, counted after the command's name
_STOP_SECONDS = 15.0


class NotStarted(Exception):
    """A process ended, or stayed silent, before it was ready; the message has the end of its log."""


@dataclass(frozen=True)
class Placement:
    """The cores of servers, and those of load and stores; the same ones where a machine has one core only."""

    servers: Cores
    others: Cores

    @classmethod
    def apart(cls) -> "Placement":
        """One core for the server, one for everything else."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(frozenset(cores[:1]), frozenset(cores[1:2] or cores[:1]))

    @classmethod
    def together(cls) -> "Placement":
        """The same two cores for all, where the processor time of all processes is what counts."""
        cores = frozenset(sorted(os.sched_getaffinity(0))[:2])
        return cls(cores, cores)


class Child:
    """A process in a session of its own, so that all it starts can be ended with it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cores: Cores,
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
    ) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as handle, _affinity(cores):
            self._process = subprocess.Popen(
                list(command),
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
                stdin=stdin,
                stdout=handle if stdout is None else stdout,
                stderr=handle,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes]:
        """Its output, where it was started with a pipe."""
        assert self._process.stdout is not None
        return self._process.stdout

    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace").strip()[-1_500:]

    def tell(self, content: bytes) -> None:
        """Writes all it gets on its standard input, and ends that."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as handle:
            handle.write(content)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait_for_port(self, port: int, *, seconds: float = 60.0) -> None:
        """Returns once connections are taken. Raises NotStarted."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.has_ended():
                raise NotStarted(f"ended with exit code {self._process.returncode}: {self.said()}")
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                return
            time.sleep(0.05)
        raise NotStarted(f"does not listen after {seconds:.0f} s: {self.said()}")

    def stop(self) -> None:
        """Asks it to end, then kills whatever is left of its session."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def descendants(roots: Iterable[int]) -> set[int]:
    """The processes themselves and all they started that still live."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) is not None:
            parents[int(entry.name)] = int(fields[_PPID])
    found, added = set(roots), True
    while added:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        found |= children
        added = bool(children)
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """Processor time, user and system, that these process trees have used so far; of those that ended, nothing."""
    ticks = 0
    for pid in descendants(roots):
        if (fields := _stat(pid)) is not None:
            ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks / _TICKS


def move(roots: Iterable[int], cores: Cores) -> None:
    """Puts running process trees on these cores; what they start later follows."""
    for pid in descendants(roots):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), cores)


def parent_of(pid: int) -> int:
    """Its parent; 0 when it has ended."""
    fields = _stat(pid)
    return 0 if fields is None else int(fields[_PPID])


def command_of(pid: int) -> str:
    """Its command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@contextlib.contextmanager
def _affinity(cores: Cores) -> Iterator[None]:
    """For what is started inside: a child begins on the cores of its parent."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
