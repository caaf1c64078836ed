"""Databases for tests: a template made by the migrations and plans.toml, and copies of it. `feature_db` is left alone.

The server is the embedded one, in a folder of its own (`home.py`), or the one that DATABASE_URL names.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from backend.catalog.service import apply_file
from backend.core.settings import REPOSITORY, Settings
from backend.db import migrate
from backend.db.embedded import EmbeddedPostgres
from backend.db.embedded import database_url as server_url
from backend.db.session import Database, SystemSession
from backend.tests.fakes.clock import ManualClock
from backend.tests.home import home
from backend.tests.moments import NOW

# How long one example takes says how busy the machine is.
settings.register_profile("feature", deadline=None)
settings.load_profile("feature")

_PREFIX = "feature_test"

# What PostgreSQL has at work there by itself (autovacuum) is not ours to end; dropping waits for it, and stops it.
_END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user"
)
_RUNS = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name LIKE %s AND pid <> %s"
_OURS = "SELECT datname FROM pg_database WHERE datname LIKE %s"


class Databases:
    """Makes and drops the databases of one test run on one server.

    As long as one of a run's workers lives, a connection bears the run's name: databases of other runs, on this
    machine or another, are left alone, and those of a run that was killed are dropped by the next.
    """

    def __init__(self, admin_url: str, run: str) -> None:
        self._admin_url = admin_url
        self._name = f"{_PREFIX}_{run}"
        self._template = f"{self._name}_template"
        self._connection = psycopg.connect(admin_url, autocommit=True, application_name=self._name)

    def url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._admin_url)._replace(path=f"/{name}"))

    def copy(self, name: str) -> str:
        """A fresh copy of the template; what had the name before is gone."""
        self.drop(name)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, self._template)
        return self.url(name)

    def create(self, name: str) -> str:
        """A database with nothing in it."""
        self.drop(name)
        self._execute("CREATE DATABASE {}", name)
        return self.url(name)

    def drop(self, name: str) -> None:
        self._connection.execute(_END_CONNECTIONS, [name])
        self._execute("DROP DATABASE IF EXISTS {}", name)

    def make_template(self) -> None:
        """Once for all workers of a run, by the first."""
        with self._alone():
            found = self._strings(_OURS, f"{_PREFIX}_%")
            if self._template in found:
                return
            for name in self._left_over(found):
                self.drop(name)
            draft = self.create(f"{self._name}_draft")
            prepare(draft)
            self._execute("ALTER DATABASE {} RENAME TO {}", f"{self._name}_draft", self._template)

    def close(self) -> None:
        """The last worker of a run takes the template with it."""
        with self._alone():
            self._connection.execute("SET application_name = ''")
            if self._name not in self._runs():
                self.drop(self._template)
        self._connection.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [_PREFIX])
        try:
            yield
        finally:
            self._connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [_PREFIX])

    def _left_over(self, found: list[str]) -> list[str]:
        alive = [self._name, *self._runs()]
        return [name for name in found if not name.startswith(tuple(f"{run}_" for run in alive))]

    def _runs(self) -> list[str]:
        """The names of the runs that live: others, and this one if it has another worker."""
        return self._strings(_RUNS, f"{_PREFIX}_%", self._connection.info.backend_pid)

    def _strings(self, query: str, *values: Any) -> list[str]:
        return [row[0] for row in self._connection.execute(query, values)]

    def _execute(self, statement: str, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


class Supply:
    """Copies of the template for one worker, one ahead: while a test has one, the next is made, the last dropped."""

    def __init__(self, databases: Databases, name: str) -> None:
        self._databases = databases
        self._names = (f"{name}_{number}" for number in itertools.count())
        self._aside = ThreadPoolExecutor(1)
        self._next = self._make()

    def _make(self) -> "Future[tuple[str, str]]":
        name = next(self._names)
        return self._aside.submit(lambda: (name, self._databases.copy(name)))

    @contextlib.contextmanager
    def one(self) -> Iterator[str]:
        name, url = self._next.result()
        self._next = self._make()
        yield url
        self._aside.submit(self._databases.drop, name)

    def close(self) -> None:
        name, _ = self._next.result()
        self._databases.drop(name)
        self._aside.shutdown()


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
    """The same for all workers of this test run, and no other's."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)[:12]


@pytest.fixture(scope="session")
def admin_url() -> Iterator[str]:
    """A server on which databases may be made."""
    given = os.environ.get("DATABASE_URL")
    if given:
        with server_url(given, Settings().feature_home) as url:
            yield url
    else:
        with EmbeddedPostgres(home()).hold() as info:
            yield info.url("postgres")


@pytest.fixture(scope="session")
def databases(admin_url: str, run_id: str) -> Iterator[Databases]:
    made = Databases(admin_url, run_id)
    made.make_template()
    yield made
    made.close()


@pytest.fixture(scope="session")
def worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def supply(databases: Databases, run_id: str, worker: str) -> Iterator[Supply]:
    made = Supply(databases, f"{_PREFIX}_{run_id}_{worker}")
    yield made
    made.close()


@pytest.fixture
def database_url(supply: Supply) -> Iterator[str]:
    """A fresh database with the schema and the seeded plans, for this test alone."""
    with supply.one() as url:
        yield url


@pytest.fixture
def empty_database_url(databases: Databases, run_id: str, worker: str) -> Iterator[str]:
    """A fresh database with nothing in it, for this test alone."""
    name = f"{_PREFIX}_{run_id}_{worker}_empty"
    yield databases.create(name)
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
