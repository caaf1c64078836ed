"""`feature plans`: check the file of plans, compare it with the database, apply it, write it back."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.catalog.diff import CatalogDiff, StoredCatalog, diff
from backend.catalog.document import CatalogDocument, load
from backend.catalog.problems import InvalidCatalog
from backend.catalog.render import render
from backend.catalog.service import apply_file_to, load_stored
from backend.cli.database import Server, held
from backend.cli.output import CommandError, Json, data, data_json, say
from backend.core.clock import SystemClock
from backend.core.errors import PlatformError
from backend.core.settings import get_settings
from backend.db import migrate
from backend.db.audit import COMMAND, Actor
from backend.db.session import Database

PENDING = 2

File = Annotated[Path | None, typer.Argument(help="The file of plans; plans.toml unless given.", dir_okay=False)]

app = typer.Typer(help="The plans: validate, plan, apply, pull.", no_args_is_help=True)


@app.command("validate")
def validate(file: File = None, json: Json = False) -> None:
    """Checks the file without a database. Exit code 1 when it is refused, with the line of each problem."""
    path = _chosen(file)
    problems = _problems(path)
    if json:
        data_json({"ok": not problems, "file": str(path), "problems": problems})
    else:
        for problem in problems:
            data(f"{path}: {problem['text']}")
    if problems:
        raise typer.Exit(1)
    say(f"{path} is valid.")


@app.command("plan")
def plan(file: File = None, json: Json = False) -> None:
    """Shows what `apply` would do. Exit code 0: nothing; 2: changes are pending; 1: it would be refused."""
    document = _loaded(_chosen(file))
    with held(get_settings()) as server:
        changes = diff(document, asyncio.run(_stored(server)))
    _show(changes, json=json)
    if changes.refusals:
        raise CommandError("The file cannot be applied; see what is refused.")
    if not changes.is_empty:
        raise typer.Exit(PENDING)
    say("Nothing to change.")


@app.command("apply")
def apply(file: File = None, json: Json = False) -> None:
    """Applies the file. May be run at any time: what has not changed is left alone."""
    path = _chosen(file)
    _loaded(path)
    with held(get_settings()) as server:
        changes = asyncio.run(apply_plans(server, path, actor=COMMAND))
    _show(changes, json=json)
    say("Nothing to change." if changes.is_empty else "Applied.")


@app.command("pull")
def pull(json: Json = False) -> None:
    """Writes what is stored as a file of plans to stdout. Applying that file changes nothing."""
    with held(get_settings()) as server:
        stored = asyncio.run(_stored(server))
    if stored is None:
        raise CommandError("No plans were applied to this database. Run: feature plans apply")
    text = render(stored)
    if json:
        data_json({"toml": text})
    else:
        data(text.rstrip("\n"))


def _chosen(file: Path | None) -> Path:
    return file or get_settings().plans_file


def _problems(path: Path) -> list[dict[str, Any]]:
    try:
        load(path)
    except InvalidCatalog as error:
        return [{**asdict(problem), "text": str(problem)} for problem in error.problems]
    return []


def _loaded(path: Path) -> CatalogDocument:
    try:
        return load(path)
    except InvalidCatalog as error:
        raise CommandError(f"{path} is refused:\n{error}") from error


def _show(changes: CatalogDiff, *, json: bool) -> None:
    if json:
        data_json(asdict(changes))
    else:
        for line in changes.lines():
            data(line)


def _migrated(server: Server) -> None:
    if migrate.pending(server.url):
        raise CommandError("The database is not at the newest migration. Run: feature migrate")


async def apply_plans(server: Server, path: Path, *, actor: Actor) -> CatalogDiff:
    """Applies a file of plans in the name of `actor`. Raises CommandError."""
    _migrated(server)
    try:
        return await apply_file_to(server.url, path, now=SystemClock().now(), actor=actor)
    except InvalidCatalog as error:
        raise CommandError(f"{path} is refused:\n{error}") from error
    except PlatformError as error:
        raise CommandError(f"{path} is refused: {error.detail}") from error


async def _stored(server: Server) -> StoredCatalog | None:
    _migrated(server)
    database = Database(server.url, pool_size=1)
    try:
        async with database.read() as session:
            return await load_stored(session)
    finally:
        await database.close()
