"""Background work on the same PostgreSQL: a job is a row in the caller's transaction."""
