"""The application on a database of the test, called without a network, by a clock that stands."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.app import create_app
from backend.tests.factories.users import settings_for_tests
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import client_of

RunningApp = Callable[..., AbstractAsyncContextManager[FastAPI]]


@pytest.fixture
def running(database_url: str, clock: ManualClock, tmp_path: Path) -> RunningApp:
    """Starts the application with changed settings, through its lifespan.

    A client without a network sees an answer once it has ended, so answers that would go on end soon.
    """

    @contextlib.asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[FastAPI]:
        changes = {"live_stream_seconds": 0.05, **changes}
        settings = settings_for_tests(database_url=database_url, feature_home=tmp_path, log_level="ERROR", **changes)
        app = create_app(settings, clock=clock)
        life = app.router.lifespan_context(app)
        await life.__aenter__()
        try:
            yield app
        finally:
            await life.__aexit__(None, None, None)  # as a server ends it, whatever became of the test

    return start


@pytest.fixture
async def app(running: RunningApp) -> AsyncIterator[FastAPI]:
    """With the settings as they are."""
    async with running() as made:
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """From the address 192.0.2.1."""
    async with client_of(app) as made:
        yield made
