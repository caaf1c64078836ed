"""The whole application in this process, and callers of it. Fixtures are imported where they are used."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.app import create_app
from backend.auth.service.keys_service import create_key
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.factories.users import settings_for_tests
from backend.tests.fakes.clock import ManualClock
from backend.tests.moments import NOW


async def application(database_url: str, clock: ManualClock, home: Path, **changes: Any) -> AsyncIterator[FastAPI]:
    """An application that is closed in the end; `changes` are settings."""
    settings = settings_for_tests(database_url=database_url, feature_home=home, **changes)
    made = create_app(settings, clock=clock)
    yield made
    made.state.passwords.close()
    await made.state.database.close()


@pytest.fixture
async def app(database_url: str, clock: ManualClock, tmp_path: Path) -> AsyncIterator[FastAPI]:
    async for made in application(database_url, clock, tmp_path):
        yield made


def client_of(app: FastAPI, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """A client at an address; errors of the application come back as answers."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 4_000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


async def somebody(
    database: Database, *, plan: str = "free", scopes: tuple[str, ...] = ()
) -> tuple[Person, dict[str, str]]:
    """A person on a plan, and the header fields of their personal key."""
    async with database.system() as session:
        user = await person(session)
        if plan != "free":
            await upgrade_user_plan(session, user.user_id, plan, now=NOW)
        made = await create_key(
            session, name="key", account_id=user.account_id, user_id=user.user_id, scopes=scopes, now=NOW
        )
    return user, {"Authorization": f"Bearer {made.key}"}


async def host(database: Database, *scopes: str) -> dict[str, str]:
    """The header fields of a service key."""
    async with database.system() as session:
        made = await create_key(session, name="host", account_id=None, user_id=None, scopes=scopes, now=NOW)
    return {"Authorization": f"Bearer {made.key}"}
