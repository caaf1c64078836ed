"""Whether this process may be given requests, and why not."""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from backend.core.settings import Settings
from backend.db.session import Database

_DURABILITY = text("""
    SELECT name, setting FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name
""")
_VERSION = text("SELECT version_num FROM alembic_version")


async def reasons_against(database: Database, settings: Settings, *, head: str) -> list[str]:
    """Why this is not ready; empty when it is. `head` is the newest migration of this code."""
    try:
        # As the owner: the migrations' own table is none of the application's role.
        async with database.engine.connect() as connection:
            weak = [row.name for row in await connection.execute(_DURABILITY) if row.setting in ("off", "local")]
            revision = await connection.scalar(_VERSION)
    except (SQLAlchemyError, OSError, TimeoutError):
        return ["The database does not answer, or is not migrated: run `feature migrate`."]
    found = []
    if settings.database_durability == "verify":
        found += [durability_problem(name) for name in weak]
    if revision != head:
        found.append(f"The database is at migration {revision}, this code at {head}: run `feature migrate`.")
    return found


def durability_problem(name: str) -> str:
    """What it means that one of the settings is off, and the two ways out."""
    return (
        f"{name} is off in PostgreSQL: a crash would lose what was acknowledged. Set {name} = on, or"
        " DATABASE_DURABILITY=provider if the service makes writes durable by other means."
    )
