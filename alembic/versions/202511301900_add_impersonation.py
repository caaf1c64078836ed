"""Operators act as a customer for half an hour, in a session of its own that says who they are.

Revision ID: 202511301900
Revises: 202511301800
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301900"
down_revision = "202511301800"
branch_labels = None
depends_on = None

_OF_USERS = "impersonator_id IS NULL OR (user_id IS NOT NULL AND user_id <> impersonator_id)"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("impersonator_id", sa.Uuid(), nullable=True))
    op.add_column("sessions", sa.Column("may_write", sa.Boolean(), server_default="true", nullable=False))
    op.execute(f"ALTER TABLE sessions ADD CONSTRAINT ck_sessions_impersonator CHECK ({_OF_USERS}) NOT VALID")
    op.execute(
        "ALTER TABLE sessions ADD CONSTRAINT fk_sessions_impersonator_id_users"
        " FOREIGN KEY (impersonator_id) REFERENCES users (id) NOT VALID"
    )
    op.execute("ALTER TABLE sessions VALIDATE CONSTRAINT ck_sessions_impersonator")
    op.execute("ALTER TABLE sessions VALIDATE CONSTRAINT fk_sessions_impersonator_id_users")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and holds up nobody meanwhile
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_sessions_impersonator_id")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_sessions_impersonator_id ON sessions (impersonator_id)"
            " WHERE impersonator_id IS NOT NULL"
        )
        op.execute("SET lock_timeout = '2s'")


def downgrade() -> None:
    op.drop_index("ix_sessions_impersonator_id", "sessions")
    op.drop_constraint("fk_sessions_impersonator_id_users", "sessions")
    op.drop_constraint("ck_sessions_impersonator", "sessions")
    op.drop_column("sessions", "may_write")
    op.drop_column("sessions", "impersonator_id")
