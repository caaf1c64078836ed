"""Processes that belong together: started together, and ended together when one of them ends."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_IF_STILL_OURS = 'test "$PPID" = "$0" && exec "$@"'


@dataclass(frozen=True)
class Part:
    """A process to start. `name` is what people are told when it dies."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


class Children:
    """Starts parts, each in its own process group, and never leaves one behind: not even when this process is killed,
    where the machine has `setpriv`."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._parts: dict[str, Part] = {}

    def start(self, part: Part) -> None:
        """Output goes to our stderr: stdout is for data. Must be called in the main thread, whose end is the signal."""
        self._parts[part.name] = part
        self._running[part.name] = subprocess.Popen(
            [*_following_us(), *part.command],
            cwd=part.folder,
            env=dict(part.environment),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
        )

    def ended(self) -> tuple[str, str] | None:
        """The first part found dead, with how it ended; None while all run."""
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                return name, _how(code)
        return None

    def restart(self, name: str, *, seconds: float) -> None:
        self._stop({name: self._running[name]}, seconds)
        self.start(self._parts[name])

    def stop(self, *, seconds: float) -> None:
        """Asks all to end, and kills what has not ended after `seconds`."""
        self._stop(self._running, seconds)
        self._running = {}

    @staticmethod
    def _stop(processes: Mapping[str, subprocess.Popen[bytes]], seconds: float) -> None:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()
        limit = time.monotonic() + seconds
        for process in processes.values():
            try:
                process.wait(max(0.0, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
        for process in processes.values():
            _kill_group(process)


def _following_us() -> list[str]:
    """What a command is begun with, so that it ends with this process.

    The signal is asked for by the child itself: when this process was killed before, none would come. So the child
    looks once more whose it is before it goes on.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "sh", "-c", _IF_STILL_OURS, str(os.getpid())] if setpriv else []


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """What a part itself started is in its group, and may have outlived it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
