"""Spends of strict meters from what their process had set aside: stored before they are answered, counted soon after.

New columns have a constant default, which rewrites no table.

Revision ID: 202512010900
Revises: 202511302300
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202512010900"
down_revision = "202511302300"
branch_labels = None
depends_on = None

_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)


def upgrade() -> None:
    for name in ("stored", "epoch"):
        op.add_column("journal_positions", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "stored_spends",
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("properties", postgresql.JSONB(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_stored_spends_amount")),
        sa.PrimaryKeyConstraint("journal_id", "number", "id", name=op.f("pk_stored_spends")),
    )
    # Every row lives for about a second.
    op.execute("ALTER TABLE stored_spends SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)")
    op.execute("ALTER TABLE stored_spends ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE stored_spends FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY stored_spends_scope ON stored_spends USING ({_MINE}) WITH CHECK ({_MINE})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON stored_spends TO feature_app")


def downgrade() -> None:
    op.drop_table("stored_spends")
    for name in ("epoch", "stored"):
        op.drop_column("journal_positions", name)
