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
        command = [sys.executable, "-m", "backend.cli.main", "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self._until_it_answers()

    def _until_it_answers(self) -> None:
        for _ in range(600):
            try:
                if httpx.get(f"{self.base_url}/health", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                assert self._lives(), self._log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"the server does not answer:\n{self._log.read_text()}")

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

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


class ForkedServer(Server):
    """The same in one process, forked from one that has imported everything: its lives begin without waiting for that.

    To be closed, for that one stays between them.
    """

    def __init__(self, database_url: str, home: Path) -> None:
        super().__init__(database_url, home)
        with self._log.open("ab") as log:
            self._forge = subprocess.Popen(
                [sys.executable, "-m", "backend.tests.faults.forge", str(self.port)],
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._pid: int | None = None

    def start(self) -> None:
        assert self._forge.stdin is not None
        assert self._forge.stdout is not None
        self._forge.stdin.write(b"start\n")
        self._forge.stdin.flush()
        said = self._forge.stdout.readline()
        assert said, self._log.read_text()
        self._pid = int(said)
        self._until_it_answers()

    def close(self) -> None:
        """Ends both."""
        self.stop()
        with self._forge:
            self._forge.kill()

    def _lives(self) -> bool:
        return self._pid is not None and Path(f"/proc/{self._pid}").exists()

    def _signal(self, number: int) -> None:
        if self._pid is None or not self._lives():
            return
        os.killpg(self._pid, number)
        for _ in range(2_000):
            if not self._lives():
                self._pid = None
                return
            time.sleep(0.01)
        raise AssertionError("the server does not end")
