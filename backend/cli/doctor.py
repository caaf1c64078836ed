"""`feature doctor`: what is well here and what is not, each with its cure."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import psycopg
import typer

from backend.catalog.document import load
from backend.catalog.problems import InvalidCatalog
from backend.cli.database import Server, held, reachable
from backend.cli.node import OLDEST, find_node
from backend.cli.output import Json, data, data_json
from backend.cli.parts import API_PORT
from backend.cli.ports import users_of
from backend.cli.up import WEB_PORT
from backend.core.settings import Settings, get_settings
from backend.db import migrate as migrations
from backend.db.embedded import EmbeddedError
from backend.db.embedded.binaries import OLDEST_MAJOR
from backend.security.jwt_service import JwtService

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and if it is a problem, what to do about it."""

    check: str
    ok: bool
    found: str
    cure: str = ""

    def __str__(self) -> str:
        line = f"{'ok' if self.ok else 'problem':<8} {self.check}: {self.found}"
        return f"{line}\n         {self.cure}" if self.cure else line


def _ok(check: str, found: str, note: str = "") -> Finding:
    return Finding(check, ok=True, found=found, cure=note)


def _problem(check: str, found: str, cure: str) -> Finding:
    return Finding(check, ok=False, found=found, cure=cure)


def doctor(json: Json = False) -> None:
    """Checks everything that the product needs. Exit code 1 when something is wrong."""
    settings = get_settings()
    findings = [*_machine(), *_configuration(settings), *_database(settings)]
    if json:
        data_json({"ok": all(finding.ok for finding in findings), "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            data(str(finding))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def _machine() -> Iterator[Finding]:
    yield _ok("python", sys.version.split()[0])
    node = find_node()
    if node:
        yield _ok("node", f"{node[1][0]}.{node[1][1]} ({node[0]})")
    else:
        yield _problem("node", f"none from {OLDEST[0]}.{OLDEST[1]}", "Run: make install")
    browser = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    cure = "" if browser else "Only the browser tests need it: apt-get install -y chromium, or make test BROWSER=0"
    yield _ok("chromium", browser or "none", cure)
    for port in (API_PORT, WEB_PORT):
        users = users_of(port)
        yield _ok(f"port {port}", str(users[0]) if users else "free")


def _configuration(settings: Settings) -> Iterator[Finding]:
    problems = settings.production_problems()
    yield Finding("settings", ok=not problems, found=settings.environment, cure="; ".join(problems))
    try:
        JwtService.from_settings(settings)
    except (ValueError, OSError) as error:
        yield _problem("keys", str(error), "Correct JWT_JWK_CURRENT, JWT_JWK_NEXT or JWT_JWK_PREVIOUS")
    else:
        yield _ok("keys", "from the settings" if settings.jwt_jwk_current else f"in {settings.feature_home / 'keys'}")
    try:
        document = load(settings.plans_file)
    except InvalidCatalog as error:
        yield _problem("plans", str(error), "Correct the file; check with: feature plans validate")
    else:
        yield _ok("plans", f"{len(document.plans)} plans in {settings.plans_file}")


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        with held(settings) as server:
            if why := reachable(server.url):
                yield _problem("database", why, "Start the server, or correct DATABASE_URL")
                return
            for check in _CHECKS:
                yield check(settings, server)
    except EmbeddedError as error:
        yield _problem("database", "not available", str(error))


def _version(settings: Settings, server: Server) -> Finding:
    with psycopg.connect(server.url) as connection:
        number = connection.info.server_version
        kind = "DATABASE_URL" if settings.database_url else "embedded"
    new_enough = number >= OLDEST_MAJOR * 10_000
    cure = "" if new_enough else f"Use PostgreSQL {OLDEST_MAJOR} or newer"
    return Finding("database", new_enough, f"PostgreSQL {number // 10_000}.{number % 10_000}, {kind}", cure)


def _durability(settings: Settings, server: Server) -> Finding:
    with psycopg.connect(server.url) as connection:
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        found: dict[str, str] = dict(connection.execute(query, [list(_DURABLE)]).fetchall())
    off = [name for name in _DURABLE if found.get(name) == "off"]
    if not off:
        return _ok("durability", "answered writes are on disk")
    promised = settings.database_durability == "provider"
    cure = "" if promised else "Switch them on; or, where a provider keeps writes safe: DATABASE_DURABILITY=provider"
    return Finding("durability", promised, f"off: {', '.join(off)}", cure)


def _migrations(settings: Settings, server: Server) -> Finding:
    pending = migrations.pending(server.url)
    if pending:
        return _problem("migrations", f"{len(pending)} not applied", "Run: feature migrate")
    return _ok("migrations", "at the newest")


_CHECKS: tuple[Callable[[Settings, Server], Finding], ...] = (_version, _durability, _migrations)
