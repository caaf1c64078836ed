"""What the step before says of sessions holds for those that were there, and they are found by who acts in them.

Each statement is a transaction of its own and may be repeated; none keeps anybody from signing in.

Revision ID: 202511301930
Revises: 202511301900
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301930"
down_revision = "202511301900"
branch_labels = None
depends_on = None

_INDEX = "ix_sessions_impersonator_id"
_BROKEN = f"SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{_INDEX}') AND NOT indisvalid"  # noqa: S608 - a constant


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and holds up nobody meanwhile
        op.execute("ALTER TABLE sessions VALIDATE CONSTRAINT ck_sessions_impersonator")
        op.execute("ALTER TABLE sessions VALIDATE CONSTRAINT fk_sessions_impersonator_id_users")
        if op.get_bind().execute(sa.text(_BROKEN)).first():
            op.execute(f"DROP INDEX CONCURRENTLY {_INDEX}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {_INDEX} ON sessions (impersonator_id)"
            " WHERE impersonator_id IS NOT NULL"
        )
        op.execute("SET lock_timeout = '2s'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
        op.execute("SET lock_timeout = '2s'")
