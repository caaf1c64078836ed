"""Refusals on their way into the log: folded in memory, written once a second, never waited for.

Equal ones of a second become one row. There is room for so many kinds, and where the database does not answer the
oldest are dropped and counted: the log says what was refused, but nothing that is paid for rests on it.
"""

from collections.abc import Callable, Hashable
from datetime import datetime
from uuid import UUID

import structlog

from backend.core.metrics import DENIALS_LOST
from backend.db.behind import Behind
from backend.db.session import UNAVAILABLE, Database, is_unavailable
from backend.usage.denials import Denied, Folded, store

INTERVAL = 1.0
MOST_KINDS = 4_096

log = structlog.get_logger(__name__)


class Denials:
    """One for a process; its task lives while there is something to write."""

    def __init__(self, database: Database, *, most: int = MOST_KINDS, interval: float = INTERVAL) -> None:
        self._database = database
        self._most = most
        self._kinds: dict[Hashable, Folded] = {}
        self._behind = Behind("denials", interval=interval, flush=self.flush, waits=lambda: bool(self._kinds))

    def __len__(self) -> int:
        return len(self._kinds)

    def note(
        self, kind: Hashable, decision_id: UUID, request_id: str, at: datetime, make: Callable[[], Denied]
    ) -> UUID:
        """One refusal; `make` says what it was, and is asked for the first of its kind only.

        Returns the id by which it will be found, which its answer is to say.
        """
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = Folded(make(), at, at)
            self._make_room()
        known_as = found.add(decision_id, request_id, at)
        self._behind.wake()
        return known_as

    async def close(self) -> None:
        """Writes what is there, if that can be done now."""
        await self._behind.close()
        self._lose(len(self._kinds))
        self._kinds.clear()

    async def flush(self) -> bool:
        """Writes what there is in one statement. False: the database does not answer, and they are kept."""
        writing, self._kinds = self._kinds, {}
        if not writing:
            return True
        try:
            async with self._database.system() as session:
                await store(session, list(writing.values()))
        except UNAVAILABLE as error:
            if is_unavailable(error):
                log.warning("the database does not answer", kept=len(writing))
                self._keep(writing)
                return False
            log.error("denials not written", exc_info=error)  # the next ones shall not fail with them
            self._lose(len(writing))
        except BaseException:
            self._keep(writing)
            raise
        return True

    def _keep(self, writing: dict[Hashable, Folded]) -> None:
        later, self._kinds = self._kinds, writing
        for kind, folded in later.items():
            known = writing.get(kind)
            if known is None:
                writing[kind] = folded
            else:
                known.absorb(folded)
        self._make_room()

    def _make_room(self) -> None:
        """Dictionaries keep the order in which kinds came."""
        while len(self._kinds) > self._most:
            del self._kinds[next(iter(self._kinds))]
            self._lose(1)

    def _lose(self, number: int) -> None:
        if number:
            DENIALS_LOST.inc(number)
