"""Counters, events with their identity, and holds.

Revision ID: 202510080840
Revises: 202510080825
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202510080840"
down_revision = "202510080825"
branch_labels = None
depends_on = None

_TABLES = ["meter_usage", "usage_events", "usage_event_keys", "usage_holds"]
_OF_ACCOUNTS = ["meter_usage", "usage_events", "usage_event_keys", "usage_holds"]
_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR {column} = nullif(current_setting('feature.account_id', true), '')::uuid"
)


def _protect(table: str, column: str = "account_id") -> None:
    """Row-level security binds the owner of the table too."""
    mine = _MINE.format(column=column)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({mine}) WITH CHECK ({mine})")


def upgrade() -> None:
    op.create_table(
        "meter_usage",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("forfeited", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("used >= 0 AND held >= 0 AND forfeited >= 0", name=op.f("ck_meter_usage_not_negative")),
        sa.CheckConstraint("window_end IS NULL OR window_start < window_end", name=op.f("ck_meter_usage_window")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_meter_usage_account_id")),
        sa.PrimaryKeyConstraint("account_id", "meter", "window_start", name=op.f("pk_meter_usage")),
    )
    op.create_table(
        "usage_events",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("counted", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "source IN ('consume', 'ingest', 'journal', 'reservation', 'retraction', 'repair')",
            name=op.f("ck_usage_events_source"),
        ),
        sa.PrimaryKeyConstraint("account_id", "id", "recorded_at", name=op.f("pk_usage_events")),
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_index(
        "ix_usage_events_account_id_meter_occurred_at",
        "usage_events",
        ["account_id", "meter", "occurred_at"],
        unique=False,
    )
    op.create_table(
        "usage_event_keys",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_usage_event_keys")),
    )
    op.create_index(op.f("ix_usage_event_keys_recorded_at"), "usage_event_keys", ["recorded_at"], unique=False)
    op.create_table(
        "usage_holds",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("takes_slot", sa.Boolean(), nullable=False),
        sa.Column("holder_key_id", sa.Uuid(), nullable=True),
        sa.Column("holder_user_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counted_amount", sa.BigInteger(), nullable=True),
        sa.Column("uncounted_amount", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'open') = (settled_at IS NULL)", name=op.f("ck_usage_holds_settled_has_time")),
        sa.CheckConstraint("state IN ('open', 'committed', 'released', 'expired')", name=op.f("ck_usage_holds_state")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_usage_holds_amount")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_usage_holds")),
    )
    op.create_index(
        "ix_usage_holds_due", "usage_holds", ["expires_at"], unique=False, postgresql_where=sa.text("state = 'open'")
    )
    for table in _OF_ACCOUNTS:
        _protect(table)
    op.execute("CREATE TABLE usage_events_default PARTITION OF usage_events DEFAULT")
    for table in _TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO feature_app")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
