"""Second factor, password resets, profiles; members' portal sessions and metadata of a host application's accounts.

New columns have no default that rewrites a table, and new constraints are validated after they are in force, so that
nobody waits behind this on a live database.

Revision ID: 202511240900
Revises: 202510080850
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202511240900"
down_revision = "202510080850"
branch_labels = None
depends_on = None

_TABLES = ["totp_secrets", "sign_in_challenges", "recovery_codes", "password_resets", "portal_links"]
_MINE = (
    "current_setting('feature.scope', true) = 'system'"
    " OR account_id = nullif(current_setting('feature.account_id', true), '')::uuid"
)
# Each table with the constraints that its new columns bring.
_CHECKS = {
    "users": {"theme": "theme IN ('auto', 'light', 'dark')"},
    "accounts": {"metadata_is_object": "jsonb_typeof(metadata) = 'object'"},
    "sessions": {
        "one_owner": "(user_id IS NULL) <> (portal_account_id IS NULL)",
        "subject_in_portal": "portal_subject IS NULL OR portal_account_id IS NOT NULL",
    },
}


def _link(table: str, *columns: sa.Column[object]) -> None:
    """A table of tokens that work once and for a time."""
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        *columns,
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("token_hash", name=op.f(f"uq_{table}_token_hash")),
    )


def _of_user(table: str) -> None:
    op.create_foreign_key(op.f(f"fk_{table}_user_id"), table, "users", ["user_id"], ["id"])


def upgrade() -> None:
    op.create_table(
        "totp_secrets",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_secrets")),
    )
    _link(
        "sign_in_challenges",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("purpose IN ('login', 'enable')", name=op.f("ck_sign_in_challenges_purpose")),
        sa.CheckConstraint(
            "(purpose = 'enable') = (secret IS NOT NULL)", name=op.f("ck_sign_in_challenges_secret_to_enable")
        ),
        sa.CheckConstraint("attempts BETWEEN 0 AND 10", name=op.f("ck_sign_in_challenges_attempts")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_codes_user_id_code_hash")),
    )
    _link("password_resets", sa.Column("user_id", sa.Uuid(), nullable=False))
    for table in ("totp_secrets", "sign_in_challenges", "recovery_codes", "password_resets"):
        _of_user(table)
    for table in ("sign_in_challenges", "password_resets"):
        op.create_index(op.f(f"ix_{table}_user_id"), table, ["user_id"])
        op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])
    _link(
        "portal_links",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_portal_links_account_id")),
    )
    op.create_index(op.f("ix_portal_links_account_id"), "portal_links", ["account_id"])
    op.create_index(op.f("ix_portal_links_expires_at"), "portal_links", ["expires_at"])
    op.execute("ALTER TABLE portal_links ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE portal_links FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY portal_links_scope ON portal_links USING ({_MINE}) WITH CHECK ({_MINE})")
    for table in _TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO feature_app")

    for name in ("name", "display_zone", "language", "theme"):
        op.add_column("users", sa.Column(name, sa.Text(), nullable=True))
    op.add_column(
        "accounts",
        sa.Column(
            "metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.create_index("ix_account_members_foreign_subject", "account_members", ["foreign_subject"])
    op.alter_column("user_subscriptions", "user_id", nullable=True)  # a host application's account has no user
    op.alter_column("sessions", "user_id", nullable=True)
    op.add_column("sessions", sa.Column("portal_account_id", sa.Uuid(), nullable=True))
    op.add_column("sessions", sa.Column("portal_subject", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_sessions_portal_account_id"),
        "sessions",
        "accounts",
        ["portal_account_id"],
        ["id"],
        postgresql_not_valid=True,
    )
    op.execute("ALTER TABLE sessions VALIDATE CONSTRAINT fk_sessions_portal_account_id")
    op.create_index(
        "ix_sessions_portal_account_id",
        "sessions",
        ["portal_account_id"],
        postgresql_where=sa.text("portal_account_id IS NOT NULL"),
    )
    for table, checks in _CHECKS.items():
        for name, condition in checks.items():
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")


def downgrade() -> None:
    # A session of a portal belongs to nobody whom the older version knows.
    op.execute("DELETE FROM sessions WHERE user_id IS NULL")
    for table, checks in _CHECKS.items():
        for name in checks:
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}")
    op.drop_index("ix_sessions_portal_account_id", "sessions")
    op.drop_column("sessions", "portal_subject")
    op.drop_column("sessions", "portal_account_id")
    # What a host application's account subscribed to is kept; the column then stays as it is. The scope: row-level
    # security hides the rows from their owner, too.
    op.execute("SET LOCAL feature.scope = 'system'")
    held = op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT 1 FROM user_subscriptions WHERE user_id IS NULL)"))
    if not held:
        op.alter_column("user_subscriptions", "user_id", nullable=False)
    op.alter_column("sessions", "user_id", nullable=False)
    op.drop_index("ix_account_members_foreign_subject", "account_members")
    op.drop_column("accounts", "metadata")
    for name in ("theme", "language", "display_zone", "name"):
        op.drop_column("users", name)
    for table in reversed(_TABLES):
        op.drop_table(table)
