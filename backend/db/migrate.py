"""Running the migrations from code, one runner at a time."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from alembic import command
from backend.db.session import async_url

ROOT = Path(__file__).resolve().parents[2]


def config(url: str) -> Config:
    """Alembic's configuration for one database; a `%` in the address is kept."""
    settings = Config(ROOT / "alembic.ini")
    settings.attributes["url"] = url
    return settings


def upgrade(url: str, revision: str = "head") -> None:
    """Brings a database to `revision`. The first of several runners migrates, the others wait and find it done."""
    command.upgrade(config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Takes a database back to `revision` (`base` removes everything of ours and nothing else)."""
    command.downgrade(config(url), revision)


def check(url: str) -> None:
    """Raises when the models say something that the migrations do not."""
    command.check(config(url))


def pending(url: str) -> list[str]:
    """The revisions that this code has and the database has not."""
    script = ScriptDirectory.from_config(config(url))
    engine = create_engine(async_url(url))
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_heads()
    finally:
        engine.dispose()
    return [entry.revision for entry in script.iterate_revisions(tuple(script.get_heads()), current)]
