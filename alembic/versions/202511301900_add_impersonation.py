"""Operators act as a user for half an hour, in a session of its own that says who they are.

The older rows are looked at in the next step, so that nobody's request waits for that. Whoever is behind this step does
not know of acting: it ends all such sessions, and older code refuses their tokens.

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


def downgrade() -> None:
    op.execute(
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'acting as users was taken away'"
        " WHERE impersonator_id IS NOT NULL AND revoked_at IS NULL"
    )
    op.drop_constraint("fk_sessions_impersonator_id_users", "sessions")
    op.drop_constraint("ck_sessions_impersonator", "sessions")
    op.drop_column("sessions", "may_write")
    op.drop_column("sessions", "impersonator_id")
