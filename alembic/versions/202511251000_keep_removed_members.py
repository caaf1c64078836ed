"""Somebody who was removed from an account stays known as removed, so that an issuer's word does not let them in again.

Revision ID: 202511251000
Revises: 202511250900
"""

import sqlalchemy as sa

from alembic import op

revision = "202511251000"
down_revision = "202511250900"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account_members", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    # The older version would take who was removed for a member. The scope: row-level security hides rows from their
    # owner, too.
    op.execute("SET LOCAL feature.scope = 'system'")
    op.execute("DELETE FROM account_members WHERE removed_at IS NOT NULL")
    op.drop_column("account_members", "removed_at")
