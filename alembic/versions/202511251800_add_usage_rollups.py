"""Sums of usage for each quarter of an hour, so that series need not read events; corrections are found by index.

Filled from the events that are there. Later ones are added by the statements that append them.

To be run while the application is stopped: events that are appended between the filling and the end are in no sum, and
the index is made under a lock that writers wait for, since that of a partitioned table cannot be made concurrently.

Revision ID: 202511251800
Revises: 202511251000
"""

import sqlalchemy as sa

from alembic import op

revision = "202511251800"
down_revision = "202511251000"
branch_labels = None
depends_on = None

_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)


def upgrade() -> None:
    op.create_table(
        "usage_rollups",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("bucket_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "meter", "bucket_start", "key_id", name=op.f("pk_usage_rollups")),
    )
    op.execute("ALTER TABLE usage_rollups ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE usage_rollups FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY usage_rollups_scope ON usage_rollups USING ({_MINE}) WITH CHECK ({_MINE})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON usage_rollups TO feature_app")
    op.execute("SELECT set_config('feature.scope', 'system', true)")
    op.execute("""
        INSERT INTO usage_rollups (account_id, meter, bucket_start, key_id, amount)
        SELECT account_id, meter, date_bin('15 minutes', occurred_at, '2000-01-01 00:00+00'),
            coalesce(key_id, '00000000-0000-0000-0000-000000000000'), sum(amount)
        FROM usage_events WHERE counted GROUP BY 1, 2, 3, 4
    """)
    op.create_index(
        "ix_usage_events_corrects",
        "usage_events",
        ["account_id", "corrects"],
        unique=False,
        postgresql_where=sa.text("corrects IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_usage_events_corrects", table_name="usage_events")
    op.drop_table("usage_rollups")
