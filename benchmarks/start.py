"""How long `make run` takes until both the API and the web app answer: in a fresh clone, and once more.

The clone is of what is committed; its home is empty, so nothing is there but what the registries serve.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from backend.cli.ports import answers
from benchmarks.figures import Figure
from benchmarks.processes import REPOSITORY

_PARTS = {8000: "/health", 5173: "/"}
_PATIENCE = 600.0
_NOT_HANDED_ON = ("VIRTUAL_ENV", "PYTHONPATH", "DATABASE_URL", "FEATURE_HOME")


def run() -> list[Figure]:
    """Seconds, cold and warm."""
    if busy := [port for port in _PARTS if answers(port, _PARTS[port])]:
        return [Figure(key, note=f"something answers on port {busy[0]}") for key in ("run_cold", "run_warm")]
    place = Path(tempfile.mkdtemp(prefix="start-"))
    try:
        clone, home = place / "clone", place / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
        environment["HOME"] = str(home)
        return [Figure(key, _until_ready(clone, environment)) for key in ("run_cold", "run_warm")]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _until_ready(clone: Path, environment: Mapping[str, str]) -> float:
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not all(answers(port, path) for port, path in _PARTS.items()):
            if process.poll() is not None or time.monotonic() - began > _PATIENCE:
                raise RuntimeError("`make run` ended, or was not ready in time")
            time.sleep(0.1)
        return time.monotonic() - began
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
        while any(answers(port, path) for port, path in _PARTS.items()):
            time.sleep(0.1)
