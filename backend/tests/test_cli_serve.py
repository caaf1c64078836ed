"""`feature serve` alone, as somebody starts it who has typed nothing before."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.core.settings import REPOSITORY
from backend.db.embedded import EmbeddedPostgres
from backend.tests.faults.server import free_port


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="served-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
        EmbeddedPostgres(Path(folder)).release()
        limit = time.monotonic() + 10
        while EmbeddedPostgres(Path(folder)).status() is not None:
            assert time.monotonic() < limit, "the database is still there"
            time.sleep(0.05)


def test_it_serves_on_the_embedded_database_without_any_setting(home: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "PG"))}
    port, log = free_port(), home / "serve.log"
    command = [sys.executable, "-m", "backend.cli.main"]
    environment = {**inherited, "FEATURE_HOME": str(home)}
    subprocess.run([*command, "migrate"], cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "serve", "--port", str(port)], cwd=REPOSITORY, env=environment, stdout=output, stderr=output
        ) as served,
    ):
        try:
            assert ready(port, served, log) == 200
        finally:
            served.terminate()


def ready(port: int, served: "subprocess.Popen[bytes]", log: Path) -> int:
    """The status of /readyz, once it answers."""
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        assert served.poll() is None, log.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
