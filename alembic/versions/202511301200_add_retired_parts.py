"""How far each table that is kept in months has been retired: what is older is not missing, it was dropped by rule.

Revision ID: 202511301200
Revises: 202511301100
"""

import sqlalchemy as sa

from alembic import op

revision = "202511301200"
down_revision = "202511301100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retired_parts",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("table_name", name=op.f("pk_retired_parts")),
    )
    op.execute("GRANT SELECT ON retired_parts TO feature_app")


def downgrade() -> None:
    op.drop_table("retired_parts")
