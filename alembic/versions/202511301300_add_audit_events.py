"""What operators did: appended in the act's own transaction, and sealed in batches.

Revision ID: 202511301300
Revises: 202511301200
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "202511301300"
down_revision = "202511301200"
branch_labels = None
depends_on = None

# An event is written once. It is given its place in a seal once, and goes when its seal says that it was let go.
_GUARD = """
    CREATE FUNCTION audit_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT 1 FROM audit_seals s WHERE s.number = OLD.seal AND s.forgotten_at IS NOT NULL) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'an audit event is deleted with its seal marked as forgotten only'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF OLD.seal IS NULL AND NEW.seal IS NOT NULL
            AND (to_jsonb(NEW) - 'seal' - 'place') = (to_jsonb(OLD) - 'seal' - 'place') THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'an audit event is never changed' USING ERRCODE = 'restrict_violation';
    END
    $$
"""


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("forgotten_mac", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_audit_seals_number")),
        sa.CheckConstraint("events >= 1", name=op.f("ck_audit_seals_events")),
        sa.CheckConstraint("(forgotten_at IS NULL) = (forgotten_mac IS NULL)", name=op.f("ck_audit_seals_forgotten")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seals")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(collation="C"), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("real_actor_id", sa.Uuid(), nullable=True),
        sa.Column("target_kind", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("seal", sa.BigInteger(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("actor_kind IN ('user', 'command', 'system')", name=op.f("ck_audit_events_actor_kind")),
        sa.CheckConstraint(
            "(actor_kind = 'user') = (actor_id IS NOT NULL) AND (real_actor_id IS NULL OR actor_id IS NOT NULL)",
            name=op.f("ck_audit_events_actor"),
        ),
        sa.CheckConstraint("(target_kind IS NULL) = (target_id IS NULL)", name=op.f("ck_audit_events_target")),
        sa.CheckConstraint("(seal IS NULL) = (place IS NULL)", name=op.f("ck_audit_events_sealed")),
        sa.ForeignKeyConstraint(["seal"], ["audit_seals.number"], name=op.f("fk_audit_events_seal_audit_seals")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_unsealed", "audit_events", ["id"], postgresql_where=sa.text("seal IS NULL"))
    op.create_index("uq_audit_events_place", "audit_events", ["seal", "place"], unique=True)
    op.create_index("ix_audit_events_actor", "audit_events", ["actor_id", "id"])
    op.create_index("ix_audit_events_real_actor", "audit_events", ["real_actor_id", "id"])
    op.create_index("ix_audit_events_target", "audit_events", ["target_id", "id"])
    op.create_index("ix_audit_events_request", "audit_events", ["request_id"])
    op.create_index("ix_audit_events_at", "audit_events", ["at"])
    op.create_index("ix_audit_events_action", "audit_events", ["action", "id"])
    op.execute(_GUARD)
    op.execute(
        "CREATE TRIGGER audit_events_guard BEFORE UPDATE OR DELETE ON audit_events"
        " FOR EACH ROW EXECUTE FUNCTION audit_events_guard()"
    )
    # Who reads and writes for a customer sees none of it: not the policy of a row, the scope of the transaction.
    for table in ("audit_events", "audit_seals"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        system = "current_setting('feature.scope', true) = 'system'"
        op.execute(f"CREATE POLICY {table}_scope ON {table} USING ({system}) WITH CHECK ({system})")
    op.execute("GRANT SELECT, INSERT, DELETE, UPDATE (seal, place) ON audit_events TO feature_app")
    op.execute("GRANT SELECT, INSERT, UPDATE (forgotten_at, forgotten_mac) ON audit_seals TO feature_app")


def downgrade() -> None:
    op.drop_table("audit_events")
    op.drop_table("audit_seals")
    op.execute("DROP FUNCTION audit_events_guard()")
