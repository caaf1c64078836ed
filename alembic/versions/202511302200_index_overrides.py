"""Operators list what was given to anybody by meter and by where it stands, however much there is.

The indexes are made without keeping anybody from being given more meanwhile. One that was broken off halfway is dropped
and made anew.

Revision ID: 202511302200
Revises: 202511302100
"""

import sqlalchemy as sa

from alembic import op

revision = "202511302200"
down_revision = "202511302100"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_account_overrides_meter": "account_overrides (meter, id)",
    "ix_account_overrides_taken_back": "account_overrides (id) WHERE ended_at IS NOT NULL",
    "ix_account_overrides_starts_at": "account_overrides (starts_at) WHERE ended_at IS NULL",
    "ix_account_overrides_ends_at": "account_overrides (ends_at) WHERE ended_at IS NULL",
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
