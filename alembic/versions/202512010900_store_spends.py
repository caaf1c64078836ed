"""Spends of strict meters from what their process had set aside: stored before they are answered, counted soon after.

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

_SYSTEM = "current_setting('feature.scope', true) = 'system'"
_MINE = f"{_SYSTEM} OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "spend_stores",
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("stored >= 0", name=op.f("ck_spend_stores_stored")),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journal_positions.id"], name=op.f("fk_spend_stores_journal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("journal_id", name=op.f("pk_spend_stores")),
    )
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
    for table, scope in {"spend_stores": _SYSTEM, "stored_spends": _MINE}.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({scope}) WITH CHECK ({scope})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO feature_app")


def downgrade() -> None:
    op.drop_table("stored_spends")
    op.drop_table("spend_stores")
