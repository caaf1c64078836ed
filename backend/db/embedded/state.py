"""What supervisor and users tell one another, through small files."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from backend.db.embedded.layout import Layout

ANOTHER_RUNS = 3  # the exit code of a supervisor that found another one at work

Phase = Literal["starting", "ready", "stopped", "failed"]


@dataclass(frozen=True)
class State:
    """Written by the supervisor alone. `run` is new with each supervisor; `error` is for people."""

    run: str
    phase: Phase
    supervisor: int
    postmaster: int | None = None
    port: int | None = None
    socket_folder: str | None = None
    bin_dir: str | None = None
    error: str | None = None


def read_state(layout: Layout) -> State | None:
    """The last state written, possibly by a supervisor that is gone; None when there is none."""
    try:
        return State(**json.loads(layout.state.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_state(layout: Layout, state: State) -> None:
    layout.write(layout.state, json.dumps(asdict(state), indent=1))


def try_lock(handle: int, kind: int) -> bool:
    """Takes the flock (`LOCK_SH` or `LOCK_EX`) if nobody is in the way; never waits."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def supervisor_runs(layout: Layout) -> bool:
    """Whether a supervisor has its lock; the kernel frees it with the process, however that ends."""
    handle = layout.open(layout.supervisor_lock)
    try:
        return not try_lock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def ask_to_keep(layout: Layout, seconds: float) -> None:
    """Asks that the server stays for `seconds` after its last use. The longest of all wishes counts."""
    with _keep_locked(layout):
        wish = {"boot": boot_id(), "seconds": max(seconds, read_keep(layout))}
        layout.write(layout.keep, json.dumps(wish))


def read_keep(layout: Layout) -> float:
    """Seconds that the server is wanted for after its last use; wishes from before the machine's start are void."""
    try:
        wish = json.loads(layout.keep.read_bytes())
        return float(wish["seconds"]) if wish["boot"] == boot_id() else 0
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return 0


def forget_keep(layout: Layout) -> None:
    with _keep_locked(layout):
        layout.keep.unlink(missing_ok=True)


def now() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def _keep_locked(layout: Layout) -> Iterator[None]:
    handle = layout.open(layout.root / "keep.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
