"""Bringing a database to where the application can start: `feature migrate`, `feature seed`."""

import subprocess
import sys
from pathlib import Path

from backend.cli.database import Server, child_environment, held
from backend.cli.output import CommandError, say
from backend.core.settings import get_settings
from backend.db import migrate as migrations

ROOT = Path(__file__).resolve().parents[2]
_SEED = ROOT / "backend" / "scripts" / "seed_subscription_plans.py"


def migrate() -> None:
    """Brings the database to the newest schema. Several at once are safe: one migrates, the others wait."""
    with held(get_settings()) as server:
        before = migrations.pending(server.url)
        migrations.upgrade(server.url)
    say(f"Applied {len(before)} migrations." if before else "The database is at the newest migration.")


def seed() -> None:
    """Applies plans.toml. May be run at any time: what has not changed is left alone."""
    with held(get_settings()) as server:
        run_seed(server)


def run_seed(server: Server) -> None:
    """Runs the seed script on `server`; what it says goes to stderr. Raises CommandError."""
    done = subprocess.run(
        [sys.executable, str(_SEED)], cwd=ROOT, env=child_environment(server), stdout=sys.stderr, check=False
    )
    if done.returncode:
        raise CommandError("The plans could not be applied: see above, or run `feature plans validate`.")
