"""The PostgreSQL that comes with the product: one server for each data folder, shared by all who hold it.

`server.py` is the face; `supervisor.py` is the process behind it. Nothing above `backend.core` is imported here.
"""

from backend.db.embedded.choice import database_url
from backend.db.embedded.errors import EmbeddedError
from backend.db.embedded.server import EmbeddedPostgres, ServerInfo

__all__ = ["EmbeddedError", "EmbeddedPostgres", "ServerInfo", "database_url"]
