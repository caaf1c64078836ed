"""When keys were used last: noted in memory, written in the background, so that no request waits for it."""

import json
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text

from backend.db.behind import Behind
from backend.db.session import UNAVAILABLE, Database, is_unavailable

INTERVAL = 5.0
MOST_KEYS = 50_000

# At most once a minute for each key, whichever process has seen it.
_WRITE = text("""
    WITH used AS (
        SELECT id, at FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS used (id uuid, at timestamptz)
    ), due AS MATERIALIZED (
        SELECT k.id, used.at FROM used JOIN api_keys k ON k.id = used.id
        WHERE k.last_used_at IS NULL OR k.last_used_at <= used.at - interval '1 minute'
        ORDER BY k.id FOR NO KEY UPDATE OF k
    )
    UPDATE api_keys SET last_used_at = due.at FROM due WHERE api_keys.id = due.id
""")

log = structlog.get_logger(__name__)


class KeyUses:
    """One for a process; its task lives while there is something to write."""

    def __init__(self, database: Database, *, interval: float = INTERVAL, most: int = MOST_KEYS) -> None:
        self._database = database
        self._most = most
        self._seen: dict[UUID, datetime] = {}
        self._behind = Behind("key uses", interval=interval, flush=self.flush, waits=lambda: bool(self._seen))

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, key_id: UUID, now: datetime) -> None:
        """A key was presented, and is in force. Where nobody can write and there are too many, it is not noted."""
        if key_id in self._seen or len(self._seen) < self._most:
            self._seen[key_id] = now
        self._behind.wake()

    async def close(self) -> None:
        """Writes what is there, if that can be done now."""
        await self._behind.close()

    async def flush(self) -> bool:
        """Writes what there is in one statement. False: the database does not answer, and it is kept."""
        writing, self._seen = self._seen, {}
        if not writing:
            return True
        rows = [{"id": str(key_id), "at": at.isoformat()} for key_id, at in writing.items()]
        try:
            async with self._database.system() as session:
                await session.execute(_WRITE, {"rows": json.dumps(rows)})
        except UNAVAILABLE as error:
            if not is_unavailable(error):
                log.error("uses of keys not written", exc_info=error)  # the next ones shall not fail with them
                return True
            log.warning("the database does not answer", kept=len(writing))
            self._seen = {**writing, **self._seen}
            return False
        return True
