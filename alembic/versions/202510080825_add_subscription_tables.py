"""Plans with their versions, subscriptions with their periods, recorded usage.

Revision ID: 202510080825
Revises: 202510080800
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202510080825"
down_revision = "202510080800"
branch_labels = None
depends_on = None

_TABLES = [
    "meters",
    "subscription_plans",
    "plan_versions",
    "plan_quotas",
    "plan_prices",
    "catalog_state",
    "user_subscriptions",
    "subscription_schedules",
    "subscription_periods",
    "user_usage",
]
_OF_ACCOUNTS = ["user_subscriptions", "subscription_schedules", "subscription_periods", "user_usage"]
_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR {column} = nullif(current_setting('feature.account_id', true), '')::uuid"
)

_FREEZE = """
CREATE FUNCTION feature_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
_FROZEN = ["plan_versions", "plan_quotas", "plan_prices"]


def _protect(table: str, column: str = "account_id") -> None:
    """Row-level security binds the owner of the table too."""
    mine = _MINE.format(column=column)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({mine}) WITH CHECK ({mine})")


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "meters",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("display_unit", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('counter', 'gauge')", name=op.f("ck_meters_kind")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meters")),
    )
    op.create_table(
        "subscription_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("billing_period", sa.Text(), nullable=True),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rate_limit_multiplier", sa.Numeric(precision=4, scale=2), nullable=False),
        sa.Column("rate_limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_jobs_per_month", sa.BigInteger(), nullable=True),
        sa.Column("max_storage_mb", sa.BigInteger(), nullable=True),
        sa.Column("max_api_calls_per_day", sa.BigInteger(), nullable=True),
        sa.Column("max_compute_minutes_per_month", sa.BigInteger(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "billing_period IN ('monthly', 'yearly')", name=op.f("ck_subscription_plans_billing_period")
        ),
        sa.CheckConstraint("jsonb_typeof(features) = 'object'", name=op.f("ck_subscription_plans_features_is_object")),
        sa.CheckConstraint("price_cents >= 0", name=op.f("ck_subscription_plans_price_cents")),
        sa.CheckConstraint("rate_limit_multiplier > 0", name=op.f("ck_subscription_plans_rate_limit_multiplier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_plans")),
        sa.UniqueConstraint("name", name=op.f("uq_subscription_plans_name")),
    )
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("recommended", sa.Boolean(), nullable=False),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rate_limit_multiplier", sa.Numeric(precision=4, scale=2), nullable=False),
        sa.Column("rate_limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_jobs_in_flight", sa.BigInteger(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["subscription_plans.id"], name=op.f("fk_plan_versions_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_versions")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_plan_versions_plan_id_number")),
    )
    op.create_table(
        "plan_quotas",
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("limit_amount", sa.BigInteger(), nullable=True),
        sa.Column("window_kind", sa.Text(), nullable=False),
        sa.Column("at_limit", sa.Text(), server_default="block", nullable=False),
        sa.Column("on_downgrade", sa.Text(), nullable=True),
        sa.Column(
            "notify_percent", postgresql.ARRAY(sa.SmallInteger()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.CheckConstraint("at_limit IN ('block')", name=op.f("ck_plan_quotas_at_limit")),
        sa.CheckConstraint("on_downgrade IN ('read_only')", name=op.f("ck_plan_quotas_on_downgrade")),
        sa.CheckConstraint("window_kind IN ('day', 'period', 'none')", name=op.f("ck_plan_quotas_window_kind")),
        sa.CheckConstraint("limit_amount >= 0", name=op.f("ck_plan_quotas_limit_amount")),
        sa.ForeignKeyConstraint(["meter"], ["meters.key"], name=op.f("fk_plan_quotas_meter")),
        sa.ForeignKeyConstraint(["plan_version_id"], ["plan_versions.id"], name=op.f("fk_plan_quotas_plan_version_id")),
        sa.PrimaryKeyConstraint("plan_version_id", "meter", name=op.f("pk_plan_quotas")),
    )
    op.create_table(
        "plan_prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("interval IN ('month', 'year')", name=op.f("ck_plan_prices_interval")),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_plan_prices_amount_minor")),
        sa.ForeignKeyConstraint(["plan_version_id"], ["plan_versions.id"], name=op.f("fk_plan_prices_plan_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_prices")),
        sa.UniqueConstraint(
            "plan_version_id", "interval", "currency", name=op.f("uq_plan_prices_plan_version_id_interval_currency")
        ),
    )
    op.create_table(
        "catalog_state",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("default_plan_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("billing_zone", sa.Text(), nullable=False),
        sa.Column("rate_limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("document_hash", sa.LargeBinary(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_catalog_state_one_row")),
        sa.ForeignKeyConstraint(
            ["default_plan_id"], ["subscription_plans.id"], name=op.f("fk_catalog_state_default_plan_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_state")),
    )
    op.create_table(
        "user_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trial_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_at_period_end", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=True),
        sa.Column("stripe_subscription_id", sa.Text(), nullable=True),
        sa.Column("stripe_customer_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('trial', 'active', 'past_due', 'cancelled', 'expired', 'incomplete', 'paused')",
            name=op.f("ck_user_subscriptions_status"),
        ),
        sa.CheckConstraint("current_period_start < current_period_end", name=op.f("ck_user_subscriptions_period")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_user_subscriptions_account_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["subscription_plans.id"], name=op.f("fk_user_subscriptions_plan_id")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_versions.id"], name=op.f("fk_user_subscriptions_plan_version_id")
        ),
        sa.ForeignKeyConstraint(["price_id"], ["plan_prices.id"], name=op.f("fk_user_subscriptions_price_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_subscriptions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_subscriptions")),
        sa.UniqueConstraint("stripe_subscription_id", name=op.f("uq_user_subscriptions_stripe_subscription_id")),
    )
    op.create_index(
        "ix_user_subscriptions_account_id_started_at", "user_subscriptions", ["account_id", "started_at"], unique=False
    )
    op.create_index(op.f("ix_user_subscriptions_plan_id"), "user_subscriptions", ["plan_id"], unique=False)
    op.create_index(op.f("ix_user_subscriptions_user_id"), "user_subscriptions", ["user_id"], unique=False)
    op.create_index(
        "uq_user_subscriptions_live",
        "user_subscriptions",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('trial', 'active', 'past_due')"),
    )
    op.create_table(
        "subscription_schedules",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("anchor_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interval_unit", sa.Text(), nullable=False),
        sa.Column("interval_count", sa.Integer(), nullable=False),
        sa.Column("billing_zone", sa.Text(), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "interval_unit IN ('day', 'week', 'month', 'year')", name=op.f("ck_subscription_schedules_interval_unit")
        ),
        sa.CheckConstraint("interval_count > 0", name=op.f("ck_subscription_schedules_interval_count")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_subscription_schedules_account_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["user_subscriptions.id"], name=op.f("fk_subscription_schedules_subscription_id")
        ),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_subscription_schedules")),
    )
    op.create_index(
        op.f("ix_subscription_schedules_account_id"), "subscription_schedules", ["account_id"], unique=False
    )
    op.create_index(
        "ix_subscription_schedules_due",
        "subscription_schedules",
        ["next_due_at"],
        unique=False,
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_table(
        "subscription_periods",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("account_id"), "="),
            (sa.text("tstzrange(period_start, period_end)"), "&&"),
            using="gist",
            name="ex_subscription_periods_no_overlap",
        ),
        sa.CheckConstraint("period_start < period_end", name=op.f("ck_subscription_periods_period")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_subscription_periods_account_id")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_versions.id"], name=op.f("fk_subscription_periods_plan_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["user_subscriptions.id"], name=op.f("fk_subscription_periods_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_periods")),
    )
    op.create_index(
        op.f("ix_subscription_periods_subscription_id"), "subscription_periods", ["subscription_id"], unique=False
    )
    op.create_table(
        "user_usage",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("api_calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("jobs_created", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("storage_used_mb", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("compute_minutes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("period_start < period_end", name=op.f("ck_user_usage_period")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_user_usage_account_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_usage_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_usage")),
        sa.UniqueConstraint("account_id", "period_start", name=op.f("uq_user_usage_account_id_period_start")),
    )
    op.create_index(op.f("ix_user_usage_user_id"), "user_usage", ["user_id"], unique=False)
    for table in _OF_ACCOUNTS:
        _protect(table)
    op.execute(_FREEZE)
    for table in _FROZEN:
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION feature_refuse_change()"
        )
    for table in _TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO feature_app")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION feature_refuse_change()")
