"""The database: models, sessions with their scope, the outbox, migrations, the embedded server."""
