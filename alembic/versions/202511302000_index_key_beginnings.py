"""Operators find keys by their beginning, as lists and customers show it.

The index is made without keeping anybody from making keys meanwhile. One that was broken off halfway is dropped and
made anew.

Revision ID: 202511302000
Revises: 202511301900
"""

import sqlalchemy as sa

from alembic import op

revision = "202511302000"
down_revision = "202511301900"
branch_labels = None
depends_on = None

_BROKEN = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('ix_api_keys_prefix') AND NOT indisvalid"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and holds up nobody meanwhile
        if op.get_bind().execute(sa.text(_BROKEN)).first():
            op.execute("DROP INDEX CONCURRENTLY ix_api_keys_prefix")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_api_keys_prefix ON api_keys (prefix text_pattern_ops, id)"
        )
        op.execute("SET lock_timeout = '2s'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_api_keys_prefix")
        op.execute("SET lock_timeout = '2s'")
