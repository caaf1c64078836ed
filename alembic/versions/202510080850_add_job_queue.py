"""The job queue's own tables, as the locked library has them.

Revision ID: 202510080850
Revises: 202510080840
"""

from procrastinate.schema import SchemaManager

from alembic import op

revision = "202510080850"
down_revision = "202510080840"
branch_labels = None
depends_on = None

_GRANT = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT c.oid::regclass FROM pg_class c
        WHERE c.relname LIKE 'procrastinate\\_%' AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO feature_app', name);
    END LOOP;
    FOR name IN SELECT c.oid::regclass FROM pg_class c
        WHERE c.relname LIKE 'procrastinate\\_%' AND c.relkind = 'S' AND c.relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO feature_app', name);
    END LOOP;
END $$
"""

_DROP = """
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP TABLE %s CASCADE', c.oid::regclass) FROM pg_class c
            WHERE c.relname LIKE 'procrastinate\\_%' AND c.relkind = 'r'
                AND c.relnamespace = current_schema()::regnamespace
        UNION ALL
        SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', p.oid::regprocedure) FROM pg_proc p
            WHERE p.proname LIKE 'procrastinate\\_%' AND p.pronamespace = current_schema()::regnamespace
        UNION ALL
        SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t
            WHERE t.typname LIKE 'procrastinate\\_%' AND t.typtype IN ('e', 'c')
                AND t.typnamespace = current_schema()::regnamespace
                AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'r')
    LOOP
        EXECUTE statement;
    END LOOP;
END $$
"""


def upgrade() -> None:
    # Straight to the driver: the library's text holds several statements and percent signs.
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())
    op.execute(_GRANT)


def downgrade() -> None:
    op.execute(_DROP)
