"""Refusals as they were: by which rule, with which numbers, equal ones of a second in one row.

Revision ID: 202511301100
Revises: 202511301000
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202511301100"
down_revision = "202511301000"
branch_labels = None
depends_on = None

_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)


def upgrade() -> None:
    op.create_table(
        "denials",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("decision_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("request_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=True),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("used", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.BigInteger(), nullable=True),
        sa.Column("limit_amount", sa.BigInteger(), nullable=True),
        sa.Column("requested", sa.BigInteger(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("plan_version", sa.BigInteger(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("cardinality(request_ids) BETWEEN 1 AND 32", name=op.f("ck_denials_request_ids")),
        sa.CheckConstraint(
            "cardinality(decision_ids) = cardinality(request_ids)", name=op.f("ck_denials_decision_ids")
        ),
        sa.CheckConstraint("count >= cardinality(request_ids)", name=op.f("ck_denials_count")),
        sa.CheckConstraint("first_at <= last_at", name=op.f("ck_denials_times")),
        sa.CheckConstraint("used >= 0 AND held >= 0 AND limit_amount >= 0", name=op.f("ck_denials_not_negative")),
        sa.CheckConstraint("window_start < window_end", name=op.f("ck_denials_window")),
        sa.CheckConstraint("jsonb_typeof(rules) = 'array'", name=op.f("ck_denials_rules")),
        sa.PrimaryKeyConstraint("account_id", "id", "first_at", name=op.f("pk_denials")),
        postgresql_partition_by="RANGE (first_at)",
    )
    op.create_index("ix_denials_request", "denials", ["account_id", sa.text("(request_ids[1])")], unique=False)
    op.create_index(op.f("ix_denials_first_at"), "denials", ["first_at"], unique=False)
    op.execute("ALTER TABLE denials ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE denials FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY denials_scope ON denials USING ({_MINE}) WITH CHECK ({_MINE})")
    op.execute("CREATE TABLE denials_default PARTITION OF denials DEFAULT")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON denials TO feature_app")


def downgrade() -> None:
    op.drop_table("denials")
