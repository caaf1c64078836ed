"""Applies plans.toml to the database: `python backend/scripts/seed_subscription_plans.py`.

May be run at any time and any number of times: plans are found by their name, and what is right already is left alone.
"""

import asyncio
import sys

from sqlalchemy.exc import OperationalError

from backend.catalog.problems import InvalidCatalog
from backend.catalog.service import apply_file_to
from backend.core.clock import SystemClock
from backend.core.errors import PlatformError
from backend.core.settings import get_settings
from backend.db import migrate
from backend.db.embedded import EmbeddedError, database_url


def seed() -> int:
    """Applies the file of the settings and prints what changed. Returns the exit code."""
    settings = get_settings()
    given = settings.database_url.get_secret_value() if settings.database_url else None
    try:
        with database_url(given, settings.feature_home) as url:
            if migrate.pending(url):
                return _failed("The database is not at the newest migration. Run: alembic upgrade head")
            changes = asyncio.run(apply_file_to(url, settings.plans_file, now=SystemClock().now()))
    except InvalidCatalog as error:
        return _failed(f"{settings.plans_file} is refused:\n{error}")
    except PlatformError as error:
        return _failed(f"{settings.plans_file} is refused: {error.detail}")
    except EmbeddedError as error:
        return _failed(str(error))
    except OperationalError as error:
        return _failed(f"The database does not answer: {error.orig}")
    print("\n".join(changes.lines()) or "Plans: nothing to change.")  # noqa: T201 - a script says what it did
    return 0


def _failed(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - a script says why it failed
    return 1


if __name__ == "__main__":
    sys.exit(seed())
