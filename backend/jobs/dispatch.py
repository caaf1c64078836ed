"""Hands the facts of the outbox to those who listen, each once: the answer to a fact commits with its mark."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from backend.db import outbox
from backend.db.models import OutboxMessage
from backend.db.session import Database, SystemSession, is_unavailable

# Writes to the database and nothing else: what leaves the house is a job of its own.
Listener = Callable[[SystemSession, OutboxMessage], Awaitable[None]]

_log = structlog.get_logger(__name__)


async def dispatch(database: Database, listeners: Mapping[str, Listener], *, now: datetime, batch: int = 100) -> int:
    """Handles up to `batch` messages in order, in one transaction, and returns how many there were.

    A message that its listener cannot handle is reported and let go, so that it holds up nothing; a database that
    does not answer raises, and the same messages come again.
    """
    async with database.system() as session:
        messages = await outbox.take(session, limit=batch, now=now)
        for message in messages:
            listener = listeners.get(message.topic)
            if listener is not None:
                await _handle(session, listener, message)
        return len(messages)


def each(*listeners: Listener) -> Listener:
    """Several listeners of one topic: what one of them cannot handle, the others still do."""

    async def listener(session: SystemSession, message: OutboxMessage) -> None:
        for one in listeners:
            await _handle(session, one, message)

    return listener


async def _handle(session: SystemSession, listener: Listener, message: OutboxMessage) -> None:
    try:
        async with session.begin_nested():
            await listener(session, message)
    except Exception as error:
        if is_unavailable(error):
            raise
        _log.exception("outbox message let go", message_id=str(message.id), topic=message.topic)
