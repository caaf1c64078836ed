"""Which server is used: the one that DATABASE_URL names, else the embedded one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from backend.db.embedded.server import EmbeddedPostgres


@contextlib.contextmanager
def database_url(given: str | None, home: Path, *, keep_for: float = 0) -> Iterator[str]:
    """Yields the address to connect to, `postgresql://...`, good for as long as the block runs.

    `given` is DATABASE_URL and is used as it stands; without it the embedded server in `home` is started, or joined.
    An address that `feature env` printed names that same server: it is joined, too, and started if it is down.
    `keep_for` is in seconds, see `EmbeddedPostgres.hold`. Raises EmbeddedError.
    """
    server = EmbeddedPostgres(home)
    if given and not server.is_named_by(given):
        yield given
        return
    with server.hold(keep_for=keep_for) as info:
        yield info.url(unquote(urlsplit(given).path.lstrip("/"))) if given else info.url()
