"""Who listens on a port of this machine, from /proc, and whether it answers."""

import contextlib
import http.client
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"
_TITLE = 100  # characters


@dataclass(frozen=True)
class PortUser:
    """A process that listens on `port`; name and pid are None when it belongs to another user and cannot be seen."""

    port: int
    name: str | None
    pid: int | None

    def __str__(self) -> str:
        if self.pid is None:
            return f"port {self.port} is in use by a process of another user"
        return f"port {self.port} is in use by {self.name} (pid {self.pid})"


def answers(port: int, path: str) -> bool:
    """Whether a GET of a path on 127.0.0.1 is answered with 200, within five seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def users_of(port: int) -> list[PortUser]:
    """The processes that listen on `port`, on whatever address; empty when it is free."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return []
    found = list(_owners(inodes))
    return [PortUser(port, name, pid) for pid, name in found] or [PortUser(port, None, None)]


def describe_users(port: int) -> str:
    """A sentence that names who has the port, with a space before it; empty when that is nobody."""
    users = users_of(port)
    return f" Now {users[0]}." if users else ""


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _title(process: Path) -> str:
    """The command line, as far as it helps to know the process."""
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join(words).strip()[:_TITLE] or (process / "comm").read_text().strip()


def _owners(inodes: set[str]) -> Iterator[tuple[int, str]]:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if any(os.readlink(handle) in wanted for handle in (entry / "fd").iterdir()):
                yield int(entry.name), _title(entry)
        except OSError:  # ended meanwhile, or another user's
            continue
