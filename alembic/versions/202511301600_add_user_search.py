"""Operators find users by parts of their address or name, and list them by time, however many there are.

The indexes are made without keeping anybody from signing up meanwhile. One that was broken off halfway is dropped and
made anew.

Revision ID: 202511301600
Revises: 202511301500
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301600"
down_revision = "202511301500"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_users_email_parts": "users USING gin (email gin_trgm_ops)",
    "ix_users_name_parts": "users USING gin (lower(name) gin_trgm_ops)",
    "ix_users_created_at": "users (created_at, id)",
    "ix_users_status_created_at": "users (status, created_at, id)",
    "ix_users_last_login_at": "users (last_login_at DESC NULLS LAST, id DESC)",
    "ix_api_keys_in_force": "api_keys (account_id, id) WHERE revoked_at IS NULL",
    "ix_user_roles_role": "user_roles (role, user_id)",
}


_BROKEN = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
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
