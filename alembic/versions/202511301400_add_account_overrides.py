"""Limits granted to an account beside its plan, for a time.

Revision ID: 202511301400
Revises: 202511301300
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301400"
down_revision = "202511301300"
branch_labels = None
depends_on = None

_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)


def upgrade() -> None:
    op.create_table(
        "account_overrides",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('add', 'set')", name=op.f("ck_account_overrides_kind")),
        sa.CheckConstraint(
            "CASE kind WHEN 'add' THEN amount IS NOT NULL AND amount > 0 ELSE amount IS NULL OR amount >= 0 END",
            name=op.f("ck_account_overrides_amount"),
        ),
        sa.CheckConstraint("amount <= 1000000000000000", name=op.f("ck_account_overrides_amount_is_counted")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_account_overrides_times")),
        sa.CheckConstraint(
            "char_length(reason) BETWEEN 1 AND 500 AND reason ~ '[^[:space:]]'",
            name=op.f("ck_account_overrides_reason"),
        ),
        sa.CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name=op.f("ck_account_overrides_ended_by")),
        sa.CheckConstraint("ended_at IS NULL OR next_due_at IS NULL", name=op.f("ck_account_overrides_next_due_at")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_overrides_account_id")),
        sa.ForeignKeyConstraint(["meter"], ["meters.key"], name=op.f("fk_account_overrides_meter")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_account_overrides_created_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["users.id"], name=op.f("fk_account_overrides_ended_by")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_account_overrides")),
    )
    op.create_index("uq_account_overrides_id", "account_overrides", ["id"], unique=True)
    op.create_index("uq_account_overrides_number", "account_overrides", ["account_id", "number"], unique=True)
    op.create_index(
        "ix_account_overrides_in_force",
        "account_overrides",
        ["account_id", "ends_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_account_overrides_next_due_at",
        "account_overrides",
        ["next_due_at", "account_id"],
        unique=False,
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.execute("ALTER TABLE account_overrides ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE account_overrides FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY account_overrides_scope ON account_overrides USING ({_MINE}) WITH CHECK ({_MINE})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON account_overrides TO feature_app")


def downgrade() -> None:
    op.drop_table("account_overrides")
