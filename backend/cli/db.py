"""`feature db`: look into the database, save it, bring it back."""

import os
import signal
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from backend.cli.database import Server, held
from backend.cli.output import CommandError, say
from backend.core.clock import SystemClock
from backend.core.settings import get_settings
from backend.db.embedded import EmbeddedPostgres

app = typer.Typer(help="The database: shell, backup, restore, stop.", no_args_is_help=True)

_MAINTENANCE = "postgres"

# Row-level security binds the tables' owner, too. This is the scope that sees every account's rows.
_SEES_ALL = {"PGOPTIONS": "-c feature.scope=system"}


@app.command("shell")
def shell(
    arguments: Annotated[list[str] | None, typer.Argument(help="Handed to psql; put them after --.")] = None,
) -> None:
    """Opens psql on the application's database."""
    with held(get_settings()) as server:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql's: it interrupts a statement, not this command
        try:
            code = _run(server, "psql", *(arguments or []))
        finally:
            signal.signal(signal.SIGINT, before)
    raise typer.Exit(code)


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write; an existing file is replaced when all is written.")],
) -> None:
    """Writes the whole database into one file, as of one moment, while the application runs."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with held(get_settings()) as server:
        try:
            with _only_for_us(unfinished):
                options = ("--format=custom", "--no-owner", "--enable-row-security", f"--file={unfinished}")
                code = _run(server, "pg_dump", *options, extra=_SEES_ALL)
            if code:
                raise CommandError("The backup was not made; pg_dump said why.")
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    say(f"Saved {file} ({file.stat().st_size:,} bytes). It holds personal data: keep it safe.")


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of `feature db backup`.")],
) -> None:
    """Brings a backup back. The present database is kept beside it, under another name."""
    with held(get_settings()) as server:
        name = str(conninfo_to_dict(server.url)["dbname"])
        draft, kept = f"{name}_restoring", f"{name}_before_{_stamp(SystemClock().now())}"
        maintenance = make_conninfo(server.url, dbname=_MAINTENANCE)
        with psycopg.connect(maintenance, autocommit=True) as connection:
            _refuse_while_used(connection, name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(draft)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
            _ensure_role(connection)
            if _run(server, "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={draft}", str(file)):
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(draft)))
                raise CommandError("Nothing was changed: pg_restore could not read the file into a new database.")
            _refuse_while_used(connection, name)
            _rename(connection, name, kept)
            _rename(connection, draft, name)
    say(f"Restored {file}. What was there is the database {kept}; when it is not needed any more: DROP DATABASE {kept}")
    say("Now run: feature migrate")


@app.command("stop")
def stop() -> None:
    """Lets the embedded server stop now, where `feature env` asked it to stay. Whoever holds it keeps it."""
    EmbeddedPostgres(get_settings().feature_home).release()


def _run(server: Server, program: str, *arguments: str, extra: Mapping[str, str] | None = None) -> int:
    environment = {**os.environ, **server.environment(), **(extra or {})}
    return subprocess.run([server.program(program), *arguments], env=environment, check=False).returncode


class _only_for_us:  # noqa: N801 - used as a statement
    """Creates a file that only its owner may read, before another program writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        try:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise CommandError(f"{self._path.parent} cannot be written: {error.strerror}") from error

    def __exit__(self, *_: object) -> None:
        return None


def _refuse_while_used(connection: psycopg.Connection, name: str) -> None:
    row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", (name,)).fetchone()
    if row is not None and row[0]:
        raise CommandError(f"{row[0]} connections use {name}. Stop the application and other users, then restore.")


def _ensure_role(connection: psycopg.Connection) -> None:
    """The backup grants rights to the application's role; roles belong to the server, so a new one has none."""
    if connection.execute("SELECT FROM pg_roles WHERE rolname = 'feature_app'").fetchone() is None:
        connection.execute("CREATE ROLE feature_app NOLOGIN")
        connection.execute("GRANT feature_app TO CURRENT_USER")


def _rename(connection: psycopg.Connection, old: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%d_%H%M%S")
