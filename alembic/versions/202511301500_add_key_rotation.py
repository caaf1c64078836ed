"""Keys: rotation with overlap, last use, a limit of their own.

Revision ID: 202511301500
Revises: 202511301400
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301500"
down_revision = "202511301400"
branch_labels = None
depends_on = None

_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("rate_limit_per_minute", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(op.f("ck_api_keys_rate_limit_not_negative"), "api_keys", "rate_limit_per_minute >= 0")
    op.create_table(
        "replaced_secrets",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_replaced_secrets_account_id")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_replaced_secrets_key_id")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_replaced_secrets")),
    )
    op.create_index(op.f("ix_replaced_secrets_account_id"), "replaced_secrets", ["account_id"], unique=False)
    op.create_index(op.f("ix_replaced_secrets_key_id"), "replaced_secrets", ["key_id"], unique=False)
    op.create_index(op.f("ix_replaced_secrets_good_until"), "replaced_secrets", ["good_until"], unique=False)
    op.execute("ALTER TABLE replaced_secrets ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE replaced_secrets FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY replaced_secrets_scope ON replaced_secrets USING ({_MINE}) WITH CHECK ({_MINE})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON replaced_secrets TO feature_app")


def downgrade() -> None:
    op.drop_table("replaced_secrets")
    op.drop_constraint(op.f("ck_api_keys_rate_limit_not_negative"), "api_keys", type_="check")
    op.drop_column("api_keys", "rotated_at")
    op.drop_column("api_keys", "last_used_at")
    op.drop_column("api_keys", "rate_limit_per_minute")
