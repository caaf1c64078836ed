"""Allowances that processes spend in memory, the positions of their journals, leases of rate limits.

New columns have a constant default, which rewrites no table, and the new constraint of `meters` is checked on a
handful of rows.

Revision ID: 202511250900
Revises: 202511240900
"""

import sqlalchemy as sa

from alembic import op

revision = "202511250900"
down_revision = "202511240900"
branch_labels = None
depends_on = None

_SYSTEM = "current_setting('feature.scope', true) = 'system'"
_MINE = f"{_SYSTEM} OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
_POLICIES = {"journal_positions": _SYSTEM, "allowances": _MINE}


def upgrade() -> None:
    op.add_column("meters", sa.Column("durability", sa.Text(), server_default="strict", nullable=False))
    op.create_check_constraint(
        op.f("ck_meters_durability"),
        "meters",
        "durability = 'strict' OR (durability = 'allowance' AND kind = 'counter')",
    )
    op.execute("UPDATE meters SET durability = 'allowance' WHERE key = 'api_calls' AND kind = 'counter'")
    op.add_column("rate_limit_states", sa.Column("leased", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("rate_limit_states", sa.Column("leased_until", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "journal_positions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("round", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="live", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_journal_positions_position")),
        sa.CheckConstraint("state IN ('live', 'expired')", name=op.f("ck_journal_positions_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_positions")),
    )
    op.create_index(
        "ix_journal_positions_live",
        "journal_positions",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "allowances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("is_forfeited", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_allowances_amount")),
        sa.ForeignKeyConstraint(["journal_id"], ["journal_positions.id"], name=op.f("fk_allowances_journal_id")),
        sa.PrimaryKeyConstraint("account_id", "meter", "window_start", "journal_id", name=op.f("pk_allowances")),
    )
    op.create_index("ix_allowances_journal_id", "allowances", ["journal_id"], unique=False)
    for table, scope in _POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({scope}) WITH CHECK ({scope})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO feature_app")


def downgrade() -> None:
    op.drop_table("allowances")
    op.drop_table("journal_positions")
    op.drop_column("rate_limit_states", "leased_until")
    op.drop_column("rate_limit_states", "leased")
    op.drop_constraint(op.f("ck_meters_durability"), "meters", type_="check")
    op.drop_column("meters", "durability")
