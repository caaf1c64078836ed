"""The PostgreSQL of the measurements: one cluster that is kept, and a database for each server that is measured."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from backend.auth.service.keys_service import create_key
from backend.catalog.service import apply_file
from backend.core.clock import SystemClock
from backend.db import migrate
from backend.db.embedded import EmbeddedPostgres, ServerInfo
from backend.db.session import Database
from backend.tests.faults.people import customer
from benchmarks.processes import WORK

PLANS = Path(__file__).with_name("plans.toml")
NEVER_REACHED = 1_000_000_000_000  # calls a day: a finite limit, so that it is counted against

_PREFIX = "bench_"
_DROP_ATTEMPTS = 30
_OURS = r"SELECT datname FROM pg_database WHERE datname LIKE 'bench\_%'"


@dataclass(frozen=True)
class Prepared:
    """A database with plans and customers: its address, the file of its plans, and a key of each customer."""

    url: str
    plans: Path
    keys: tuple[str, ...]
    accounts: tuple[str, ...]


class Cluster:
    """A PostgreSQL server that runs as long as it is held."""

    def __init__(self, info: ServerInfo, supervisor: int) -> None:
        self._info = info
        self.roots = (supervisor,)
        self._made = 0

    @property
    def port(self) -> int:
        return self._info.port

    @classmethod
    @contextlib.contextmanager
    def hold(cls) -> Iterator["Cluster"]:
        """Starts it, and drops what a run that was killed has left. For one run at a time."""
        server = EmbeddedPostgres(WORK)
        with server.hold() as info:
            state = server.status()
            assert state is not None
            made = cls(info, state.supervisor)
            made._drop_all()
            try:
                yield made
            finally:
                made._drop_all()

    def prepare(self, *, accounts: int, limit: int = NEVER_REACHED, strict: bool = False) -> Prepared:
        """A new database. Raises InvalidCatalog where the product does not know what the plans ask for."""
        self._made += 1
        name = f"{_PREFIX}{self._made}"
        with self._connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        plans = WORK / f"{name}.toml"
        text = PLANS.read_text().replace("@LIMIT@", str(limit))
        plans.write_text(text.replace("@DURABILITY@", 'durability = "strict"' if strict else ""))
        url = self._info.url(name)
        migrate.upgrade(url)
        callers = asyncio.run(_seed(url, plans, accounts))
        return Prepared(url, plans, tuple(key for key, _ in callers), tuple(account for _, account in callers))

    def service_key(self, prepared: Prepared) -> str:
        """A key of a host application that may report usage."""
        return asyncio.run(_service_key(prepared.url))

    def admin_url(self, prepared: Prepared) -> str:
        """Its address for the superuser, to whom row-level security does not apply."""
        return self._info.admin_url(prepared.url.rpartition("/")[2])

    def used(self, prepared: Prepared, meter: str = "api_calls") -> int:
        """What the counters of this database say, of all accounts."""
        with psycopg.connect(self.admin_url(prepared)) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(used), 0)::bigint FROM meter_usage WHERE meter = %s", [meter]
            ).fetchone()
            assert row is not None
            return int(row[0])

    def version(self) -> str:
        with self._connect() as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]  # it has a row

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._info.url("postgres"), autocommit=True)

    def _drop_all(self) -> None:
        with self._connect() as connection:
            for (name,) in connection.execute(_OURS).fetchall():
                _drop(connection, name)


def _drop(connection: psycopg.Connection, name: str) -> None:
    """A worker of autovacuum can be ended by nobody but a superuser, and ends by itself."""
    statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    for _ in range(_DROP_ATTEMPTS):
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
            return
        time.sleep(1)
    connection.execute(statement)


async def _service_key(url: str) -> str:
    database = Database(url)
    try:
        async with database.system() as session:
            made = await create_key(
                session,
                name="bench",
                account_id=None,
                user_id=None,
                scopes=("usage:write",),
                now=SystemClock().now(),
            )
            return made.key
    finally:
        await database.close()


async def _seed(url: str, plans: Path, accounts: int) -> list[tuple[str, str]]:
    database = Database(url)
    try:
        await apply_file(database, plans, now=SystemClock().now())
        callers = [await customer(database) for _ in range(accounts)]
    finally:
        await database.close()
    return [(caller.headers["Authorization"].removeprefix("Bearer "), caller.account_id) for caller in callers]
