"""The API as a process of its own, on a free port, on a database of the test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from backend.core.settings import REPOSITORY


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Server:
    """`feature serve` with one or several processes; addresses of this machine are on the allow list."""

    def __init__(
        self, database_url: str, home: Path, *, processes: int = 1, environment: Mapping[str, str] | None = None
    ) -> None:
        self.database_url = database_url
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "FEATURE_HOME": str(home),
            "WEB_PROCESSES": str(processes),
            "RATE_LIMIT_ALLOWLIST": "127.0.0.1",
            "LOG_LEVEL": "ERROR",
            **(environment or {}),
        }
        self._log = home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli.main", "serve", "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            try:
                if httpx.get(f"{self.base_url}/health", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"the server does not answer:\n{self._log.read_text()}")

    def workers(self) -> list[int]:
        """The processes that serve, where there are several: children of the one that forks them."""
        assert self._process is not None
        return [worker for child in _children(self._process.pid) for worker in _children(child)]

    def kill(self) -> None:
        """kill -9 of all its processes at once: no handler runs, nothing is flushed."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)
            self._process.wait(20)
