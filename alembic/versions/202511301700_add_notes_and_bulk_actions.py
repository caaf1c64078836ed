"""What operators note about users, and acts on many users at once.

Revision ID: 202511301700
Revises: 202511301600
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202511301700"
down_revision = "202511301600"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "char_length(text) BETWEEN 1 AND 2000 AND text ~ '[^[:space:]]'", name=op.f("ck_user_notes_text")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_user_notes_created_by_users")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_notes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_notes")),
    )
    op.create_index("ix_user_notes_user", "user_notes", ["user_id", "id"])
    op.create_table(
        "bulk_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('running', 'finished', 'stopped')", name=op.f("ck_bulk_actions_state")),
        sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name=op.f("ck_bulk_actions_ended_at")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_bulk_actions_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_actions")),
    )
    running = sa.text("state = 'running'")
    op.create_index("ix_bulk_actions_running", "bulk_actions", ["id"], postgresql_where=running)
    op.create_index("uq_bulk_actions_ticket", "bulk_actions", ["ticket"], unique=True, postgresql_where=running)
    op.create_table(
        "bulk_action_users",
        sa.Column("bulk_action_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done', 'left_out')", name=op.f("ck_bulk_action_users_state")),
        sa.CheckConstraint("(state = 'left_out') = (detail IS NOT NULL)", name=op.f("ck_bulk_action_users_detail")),
        sa.ForeignKeyConstraint(
            ["bulk_action_id"],
            ["bulk_actions.id"],
            name=op.f("fk_bulk_action_users_bulk_action_id_bulk_actions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bulk_action_users_user_id_users")),
        sa.PrimaryKeyConstraint("bulk_action_id", "user_id", name=op.f("pk_bulk_action_users")),
    )
    op.create_index(
        "ix_bulk_action_users_waiting",
        "bulk_action_users",
        ["bulk_action_id", "user_id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON user_notes TO feature_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON bulk_actions, bulk_action_users TO feature_app")


def downgrade() -> None:
    op.drop_table("bulk_action_users")
    op.drop_table("bulk_actions")
    op.drop_table("user_notes")
