"""Serving processes that die or start slowly."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from backend.tests.faults.server import Server

pytestmark = [pytest.mark.faults, pytest.mark.alone]

# uvicorn ends a process that does not answer within so many seconds, unless it is only starting.
HEALTH_CHECK = 5.0


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    started = Server(database_url, tmp_path, processes=2)
    started.start()
    yield started
    started.stop()


def until_there_are(server: Server, count: int, *, without: set[int], seconds: float = 10) -> set[int]:
    """The processes that serve, once there are so many beside those that are gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = set(server.workers()) - without
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError(server.workers())


def test_who_dies_is_replaced_and_who_starts_slowly_is_waited_for(server: Server) -> None:
    first = until_there_are(server, 2, without=set())
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    (replacement,) = until_there_are(server, 2, without={victim}) - first
    assert time.monotonic() - began < 3, "it is forked from what is imported already"
    os.kill(replacement, signal.SIGSTOP)  # as on a machine where nothing goes on
    time.sleep(HEALTH_CHECK + 2)
    assert replacement in server.workers()
    os.kill(replacement, signal.SIGCONT)
    for _ in range(20):
        assert httpx.get(f"{server.base_url}/health", timeout=5).status_code == 200
    assert set(server.workers()) == (first - {victim}) | {replacement}
