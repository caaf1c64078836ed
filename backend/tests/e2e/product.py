"""`make run` in a folder of its own data, and its end by Ctrl-C."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from backend.core.settings import REPOSITORY

API, WEB = "http://localhost:8000", "http://localhost:5173"
COLD_SECONDS = 150.0


class Product:
    """What one `make run` started. `seconds` is how long it took until its banner."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seconds = 0.0
        self._lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def told(self) -> dict[str, str]:
        """What another process needs to use it, but for its end."""
        return {"home": str(self.home), "output": self.output}

    @classmethod
    def joined(cls, told: Mapping[str, str]) -> "Product":
        """The product that another process has started."""
        made = cls(Path(told["home"]))
        made._lines.append(told["output"])
        return made

    @property
    def environment(self) -> Mapping[str, str]:
        """Of the user who types; sign-in limits that count by address are lifted for this machine."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "PG"))}
        return {**inherited, "FEATURE_HOME": str(self.home), "RATE_LIMIT_ALLOWLIST": "127.0.0.1,::1"}

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def start(self) -> None:
        """Returns once the banner is there."""
        self._lines.clear()
        began = time.monotonic()
        self._process = subprocess.Popen(
            ["make", "run"],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        while "Ctrl-C stops it" not in self.output or "A refused one" not in self.output:
            if self._process.poll() is not None:
                self.stop()
                raise AssertionError(f"make run ended:\n{self.output}")
            if time.monotonic() - began > COLD_SECONDS:
                self.stop()
                raise AssertionError(f"make run was not ready in {COLD_SECONDS} s:\n{self.output}")
            time.sleep(0.02)
        self.seconds = time.monotonic() - began

    def stop(self) -> int:
        """Ctrl-C, as a terminal sends it: to everything in the foreground. Returns the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        code = self._process.wait(30)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def end(self) -> None:
        """Stops it, and the database, which commands have kept for an hour more."""
        self.stop()
        self.feature("db", "stop")

    def banner(self, label: str) -> str:
        """What stands beside a label."""
        found = re.search(rf"^  {re.escape(label)}\s{{2,}}(.*)$", self.output, re.MULTILINE)
        assert found is not None, self.output
        return found.group(1)

    def feature(self, *arguments: str, stdin: str = "") -> str:
        """Runs the `feature` command and returns its stdout."""
        done = subprocess.run(
            [REPOSITORY / ".venv" / "bin" / "feature", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Types a script into bash, after the described `eval`."""
        return subprocess.run(
            ["bash", "-c", f'set -e\neval "$(.venv/bin/feature env)"\n{script}'],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)


def newest_link(client: httpx.Client, email: str) -> str:
    """The link of the newest mail to an address."""
    items = client.get("/dev/mail", params={"to": email}).json()["items"]
    link: str = items[0]["links"][0]
    return link


@contextlib.contextmanager
def signed_in(client: httpx.Client, email: str, password: str) -> Iterator[httpx.Client]:
    """Registers, confirms and signs in; a client with the access token."""
    body = {"email": email, "password": password}
    assert client.post("/v1/auth/register", json=body).status_code == 202
    token = newest_link(client, email).partition("token=")[2]
    assert client.get("/v1/auth/verify-email", params={"token": token}).status_code == 200
    tokens = client.post("/v1/auth/login", json=body).json()
    with httpx.Client(base_url=API, headers={"Authorization": f"Bearer {tokens['access_token']}"}) as made:
        yield made
