"""Operators find keys by their beginning, as lists and customers show it; those of a user end with them.

The indexes are made without keeping anybody from making keys meanwhile. One that was broken off halfway is dropped and
made anew.

Revision ID: 202511302000
Revises: 202511301930
"""

import sqlalchemy as sa

from alembic import op

revision = "202511302000"
down_revision = "202511301930"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_api_keys_prefix": "api_keys (prefix text_pattern_ops, id)",
    "ix_api_keys_user": "api_keys (user_id) WHERE user_id IS NOT NULL AND revoked_at IS NULL",
}
_BROKEN = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and holds up nobody meanwhile
        for name, definition in _INDEXES.items():
            if op.get_bind().execute(sa.text(_BROKEN), {"name": name}).first():
                op.execute(f"DROP INDEX CONCURRENTLY {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")
        op.execute("SET lock_timeout = '2s'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name in _INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute("SET lock_timeout = '2s'")
