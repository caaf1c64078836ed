"""Databases for tests: a template made by the migrations and plans.toml, and copies of it. `feature_db` is left alone.

The server is the embedded one, in a folder of its own, or the one that DATABASE_URL names.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from backend.catalog.service import apply_file
from backend.core.settings import REPOSITORY
from backend.db import migrate
from backend.db.embedded import EmbeddedPostgres
from backend.db.embedded.processes import is_alive
from backend.db.session import Database, SystemSession
from backend.tests.fakes.clock import ManualClock
from backend.tests.moments import NOW

_HOME = REPOSITORY / "var" / "tests"
_PREFIX = "feature_test"
_MOST_DROPS = 100


class Databases:
    """Makes and drops the databases of one test run on one server."""

    def __init__(self, admin_url: str, run: str) -> None:
        self._admin_url = admin_url
        self.template = f"{_PREFIX}_{run}_template"
        self._run = run

    def url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._admin_url)._replace(path=f"/{name}"))

    def copy(self, name: str) -> str:
        """A fresh copy of the template; what had the name before is gone."""
        self.drop(name)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, self.template)
        return self.url(name)

    def drop(self, name: str) -> None:
        """Also while it is being vacuumed: that process is the server's own, and is over in a moment."""
        for attempt in range(_MOST_DROPS):
            try:
                self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
                return
            except psycopg.errors.InsufficientPrivilege:
                if attempt == _MOST_DROPS - 1:
                    raise
                time.sleep(0.1)

    def make_template(self) -> None:
        """Once for all workers of a run, by the first; leftovers of other runs go."""
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            found = [
                row[0]
                for row in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{_PREFIX}_%"])
            ]
        if self.template in found:
            return
        for name in found:
            if not is_alive(int(name.split("_")[2])):
                self.drop(name)
        draft = f"{_PREFIX}_{self._run}_draft"
        self.drop(draft)
        self._execute("CREATE DATABASE {}", draft)
        prepare(self.url(draft))
        self._execute("ALTER DATABASE {} RENAME TO {}", draft, self.template)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


def prepare(url: str) -> None:
    """Schema and plans."""
    migrate.upgrade(url)
    asyncio.run(_seed(url))


async def _seed(url: str) -> None:
    database = Database(url)
    await apply_file(database, REPOSITORY / "plans.toml", now=NOW)
    await database.close()


@pytest.fixture(scope="session")
def run_id() -> str:
    """The process of this test run: the same for all its workers. Databases of runs that are over are left-overs."""
    return str(os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid())


@pytest.fixture(scope="session")
def admin_url() -> Iterator[str]:
    """A server on which databases may be made."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    with EmbeddedPostgres(_HOME).hold() as info:
        yield info.url("postgres")


@pytest.fixture(scope="session")
def databases(admin_url: str, run_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    made = Databases(admin_url, run_id)
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder
    with Path(shared, "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made.make_template()
    yield made
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        made.drop(made.template)


@pytest.fixture(scope="session")
def worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture
def database_url(databases: Databases, run_id: str, worker: str) -> Iterator[str]:
    """A fresh database with the schema and the seeded plans, for this test alone."""
    name = f"{_PREFIX}_{run_id}_{worker}"
    yield databases.copy(name)
    databases.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Committed data are this test's own."""
    made = Database(database_url)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def shared_database_url(databases: Databases, run_id: str, worker: str) -> Iterator[str]:
    """One for all tests of a worker that keep nothing."""
    name = f"{_PREFIX}_{run_id}_{worker}_shared"
    yield databases.copy(name)
    databases.drop(name)


@pytest.fixture
async def system_session(shared_database_url: str) -> AsyncIterator[SystemSession]:
    """A transaction that sees everything and is undone at the end."""
    made = Database(shared_database_url)
    try:
        async with made.system() as session:
            yield session
            await session.rollback()
    finally:
        await made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)
