"""What is said when the embedded server cannot run."""


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be used here. The message says why and what to do."""
