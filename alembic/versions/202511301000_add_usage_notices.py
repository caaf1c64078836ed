"""What a customer is told of their usage, and which counters have passed a mark since somebody looked.

Each counter carries the use at which somebody has to look, `notice_at`: at first the first unit, then what the plan
says. A trigger notes its passing, so that no way of counting can miss it; its condition costs a comparison.

Revision ID: 202511301000
Revises: 202511251800
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301000"
down_revision = "202511251800"
branch_labels = None
depends_on = None

_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)
_TABLES = ("usage_notices", "usage_notices_due")


def upgrade() -> None:
    op.create_table(
        "usage_notices",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("quota", sa.BigInteger(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("percent IN (80, 95, 100)", name=op.f("ck_usage_notices_percent")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_usage_notices_account_id_accounts")),
        sa.PrimaryKeyConstraint("account_id", "meter", "window_start", "percent", name=op.f("pk_usage_notices")),
    )
    op.create_index("ix_usage_notices_window_end", "usage_notices", ["window_end"], unique=False)
    op.create_table(
        "usage_notices_due",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "meter", "window_start", name=op.f("pk_usage_notices_due")),
    )
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({_MINE}) WITH CHECK ({_MINE})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO feature_app")
    op.add_column("meter_usage", sa.Column("notice_at", sa.BigInteger(), server_default="1", nullable=True))
    op.execute("""
        CREATE FUNCTION note_usage_passed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO usage_notices_due (account_id, meter, window_start)
            VALUES (NEW.account_id, NEW.meter, NEW.window_start) ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER usage_passed AFTER UPDATE OF used ON meter_usage
        FOR EACH ROW WHEN (OLD.used < NEW.notice_at AND NEW.used >= NEW.notice_at)
        EXECUTE FUNCTION note_usage_passed()
    """)
    op.execute("SELECT set_config('feature.scope', 'system', true)")
    op.execute("""
        INSERT INTO usage_notices_due (account_id, meter, window_start)
        SELECT account_id, meter, window_start FROM meter_usage
        WHERE used > 0 AND (window_end IS NULL OR window_end > now())
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER usage_passed ON meter_usage")
    op.execute("DROP FUNCTION note_usage_passed()")
    op.drop_column("meter_usage", "notice_at")
    op.drop_table("usage_notices_due")
    op.drop_table("usage_notices")
