"""How migrations run: one runner at a time, a short wait for locks, and never a look at tables that are not ours."""

import os
import time
from typing import Any, Literal

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.schema import SchemaItem

import backend.db.models  # noqa: F401 - fills the metadata
from alembic import context
from backend.db.base import Base
from backend.db.session import async_url

_LOCK = 0x0FEA_7B0D
_EVERY = 0.2  # seconds


def _url() -> str:
    given = context.config.attributes.get("url") or os.environ.get("DATABASE_URL")
    if given:
        return str(given)
    message = 'DATABASE_URL is not set. Run: eval "$(.venv/bin/feature env)"'
    raise SystemExit(message)


def _ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None) -> bool:
    """A database may hold other tables (the job queue's, partitions, a host's own): they are not ours to change."""
    return not (kind == "table" and reflected and compare_to is None)


def _compare_default(*_: Any) -> Literal[False]:
    return False


def run() -> None:
    engine = create_engine(async_url(_url()))
    try:
        with engine.connect() as connection:
            _migrate(connection)
    finally:
        engine.dispose()


def _wait_for_turn(connection: Connection) -> None:
    """Until no other runner is at work. Whoever waits holds no transaction open: an index that is made concurrently
    waits for every older one, and the two would wait for each other."""
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
        connection.commit()
        time.sleep(_EVERY)


def _migrate(connection: Connection) -> None:
    _wait_for_turn(connection)
    connection.execute(text("SET lock_timeout = '2s'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=_ours,
        compare_type=True,
        compare_server_default=_compare_default,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database; offline SQL is not made.")
run()
