"""The database as commands use it: its address, and PostgreSQL's own programs."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from backend.core.settings import Settings
from backend.db.embedded import EmbeddedPostgres, database_url
from backend.db.embedded.binaries import choose
from backend.db.session import driver_url

_LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "options": "PGOPTIONS",
}


@dataclass(frozen=True)
class Server:
    """An address, good while it is held, and the folder of programs that fit the server."""

    url: str
    programs: Path | None

    def environment(self) -> dict[str, str]:
        """libpq's variables and DATABASE_URL: a password never stands in a command line, where all can read it."""
        named = conninfo_to_dict(self.url)
        found = {variable: str(named[key]) for key, variable in _LIBPQ.items() if named.get(key) is not None}
        return {**found, "DATABASE_URL": self.url}

    def program(self, name: str) -> str:
        """The path of `psql`, `pg_dump` or `pg_restore`."""
        return str(self.programs / name) if self.programs else name


@contextlib.contextmanager
def held(settings: Settings, *, keep_for: float = 0) -> Iterator[Server]:
    """The server of these settings, running for as long as the block does. Raises EmbeddedError."""
    given = settings.database_url.get_secret_value() if settings.database_url else None
    embedded = given is None or EmbeddedPostgres(settings.feature_home).is_named_by(given)
    with database_url(given, settings.feature_home, keep_for=keep_for) as url:
        yield Server(driver_url(url), _programs(embedded=embedded))


def child_environment(server: Server) -> Mapping[str, str]:
    """What a process needs that works on this database on our behalf."""
    return {**os.environ, "DATABASE_URL": server.url}


def reachable(url: str) -> str | None:
    """None when the database answers, else why it does not."""
    try:
        with psycopg.connect(driver_url(url), connect_timeout=5):
            return None
    except psycopg.OperationalError as error:
        return str(error).strip()


def _programs(*, embedded: bool) -> Path | None:
    """Another server's administrator chose programs that fit it (TLS, version); ours come with the server."""
    if not embedded and (found := shutil.which("psql")):
        return Path(found).parent
    return choose().bin_dir
