"""Looking at processes through /proc."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

_CLIENT = re.compile(rb"^postgres: .*(\[local\]|\d+\.\d+\.\d+\.\d+\(\d+\)|::1\(\d+\))")


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be collected does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return fields.rpartition(")")[2].split()[0] not in ("Z", "X")


def working_in(folder: Path) -> list[int]:
    """The processes whose working folder is `folder`: for a data folder, the server and all its parts."""
    try:
        wanted = folder.stat()
    except FileNotFoundError:
        return []
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            status = os.stat(f"/proc/{entry.name}/cwd")
        except OSError:  # ended meanwhile, or another user's and so not ours
            continue
        if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(int(entry.name))
    return [pid for pid in found if is_alive(pid)]


def servers_in(data: Path) -> list[int]:
    """As `working_in`, without a shell or editor that somebody has open there."""
    return [pid for pid in working_in(data) if _is_postgres(pid)]


def has_clients(data: Path) -> bool:
    """Whether anyone is connected, by the titles that PostgreSQL gives to the processes of its sessions."""
    return any(_CLIENT.match(_command(pid)) for pid in working_in(data))


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_servers(data: Path, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Ends what an earlier supervisor left in `data`, by each signal in turn, with seconds to obey; True when gone."""
    for number, seconds in steps:
        signal_all(servers_in(data), number)
        limit = time.monotonic() + seconds
        while servers_in(data):
            if time.monotonic() > limit:
                break
            time.sleep(0.02)
        else:
            return True
    return not servers_in(data)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False
