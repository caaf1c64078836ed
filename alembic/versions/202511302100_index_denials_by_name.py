"""Accounts that were refused under one request id are told apart by index, however many such requests one has.

One index takes the place of two that began with less. That of each part is made without keeping anybody from being
refused meanwhile; that of the whole table then takes them together. One that was broken off halfway is dropped and made
anew.

Revision ID: 202511302100
Revises: 202511302000
"""

import time

import sqlalchemy as sa
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from alembic import op

revision = "202511302100"
down_revision = "202511302000"
branch_labels = None
depends_on = None

_NEW = {"ix_denials_named": "((request_ids[1]), account_id, id)"}
_OLD = {"ix_denials_first_request": "((request_ids[1]))", "ix_denials_request": "(account_id, (request_ids[1]))"}
# Parts that have no index yet that is a part of the whole one.
_WITHOUT = sa.text("""
    SELECT part.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
    WHERE inhparent = 'denials'::regclass AND NOT EXISTS (
        SELECT FROM pg_inherits AS whole JOIN pg_index ON indexrelid = whole.inhrelid
        WHERE whole.inhparent = to_regclass(:index) AND indrelid = part.oid
    )
""")
_BROKEN = sa.text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")


_SOON, _WHENEVER = "SET lock_timeout = '1s'", "SET lock_timeout = 0"
_MOST_TRIES = 60


def upgrade() -> None:
    _replace(_OLD, _NEW)


def downgrade() -> None:
    _replace(_NEW, _OLD)


def _replace(old: dict[str, str], new: dict[str, str]) -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        for name, definition in new.items():
            # First, so that a part that is made meanwhile brings its own.
            _between_others(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY denials {definition}")
            for part in connection.scalars(_WITHOUT, {"index": name}).all():
                own = f"{part}_{name.removeprefix('ix_denials_')}"
                op.execute(_WHENEVER)  # these wait for older transactions, and hold up nobody meanwhile
                if connection.execute(_BROKEN, {"name": own}).first():
                    op.execute(f"DROP INDEX CONCURRENTLY {own}")
                op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {own} ON {part} {definition}")
                _between_others(f"ALTER INDEX {name} ATTACH PARTITION {own}")
        for name in old:
            _between_others(f"DROP INDEX IF EXISTS {name}")
        op.execute("SET lock_timeout = '2s'")


def _between_others(statement: str) -> None:
    """What takes no time, but for a lock that others then wait for: it is tried for a second, and again later."""
    op.execute(_SOON)
    for left in reversed(range(_MOST_TRIES)):
        try:
            op.execute(statement)
            return
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or not left:
                raise
            time.sleep(1)
