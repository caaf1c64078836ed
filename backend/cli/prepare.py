"""Bringing a database to where the application can start: `feature migrate`, `feature seed`."""

import asyncio
from pathlib import Path

from backend.cli.database import Server, held
from backend.cli.output import say
from backend.cli.plans import apply_plans
from backend.core.settings import Settings, get_settings
from backend.db import migrate as migrations
from backend.db.audit import SYSTEM

ROOT = Path(__file__).resolve().parents[2]


def migrate() -> None:
    """Brings the database to the newest schema. Several at once are safe: one migrates, the others wait."""
    with held(get_settings()) as server:
        before = migrations.pending(server.url)
        migrations.upgrade(server.url)
    say(f"Applied {len(before)} migrations." if before else "The database is at the newest migration.")


def seed() -> None:
    """Applies plans.toml. May be run at any time: what has not changed is left alone."""
    settings = get_settings()
    with held(settings) as server:
        run_seed(server, settings)


def run_seed(server: Server, settings: Settings) -> None:
    """Applies the file of plans on `server`; what that changes goes to stderr. Raises CommandError."""
    changes = asyncio.run(apply_plans(server, settings.plans_file, actor=SYSTEM))
    say("\n".join(changes.lines()) or "Plans: nothing to change.")
