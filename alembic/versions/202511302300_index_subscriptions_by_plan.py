"""Users on a plan are found by index, however few of many subscriptions are on it.

The index is made without keeping anybody from subscribing meanwhile. One that was broken off halfway is dropped and
made anew.

Revision ID: 202511302300
Revises: 202511302200
"""

import sqlalchemy as sa

from alembic import op

revision = "202511302300"
down_revision = "202511302200"
branch_labels = None
depends_on = None

_INDEX = "ix_user_subscriptions_plan_live"
_ON = "user_subscriptions (plan_id, account_id) WHERE status IN ('trial', 'active', 'past_due')"
_BROKEN = f"SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{_INDEX}') AND NOT indisvalid"  # noqa: S608 - a constant


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and holds up nobody meanwhile
        if op.get_bind().execute(sa.text(_BROKEN)).first():
            op.execute(f"DROP INDEX CONCURRENTLY {_INDEX}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {_INDEX} ON {_ON}")
        op.execute("SET lock_timeout = '2s'")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
        op.execute("SET lock_timeout = '2s'")
