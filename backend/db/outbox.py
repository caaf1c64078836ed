"""The outbox: a lower layer states a fact in its own transaction, an upper one hears of it afterwards."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from backend.core.ids import AccountId, uuid7
from backend.db.models import OutboxMessage
from backend.db.session import SystemSession, WriteSession


def publish(session: WriteSession, *, topic: str, account_id: AccountId, payload: Mapping[str, Any]) -> None:
    """Adds a message to the current transaction. `payload` holds plain JSON values."""
    session.add(OutboxMessage(id=uuid7(), account_id=account_id, topic=topic, payload=dict(payload)))


async def take(session: SystemSession, *, limit: int, now: datetime) -> list[OutboxMessage]:
    """Marks up to `limit` messages as dispatched and returns them in order; two dispatchers never share one."""
    pending = (
        select(OutboxMessage)
        .where(OutboxMessage.dispatched_at.is_(None))
        .order_by(OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    messages = list((await session.scalars(pending)).all())
    if messages:
        ids = [message.id for message in messages]
        await session.execute(update(OutboxMessage).where(OutboxMessage.id.in_(ids)).values(dispatched_at=now))
    return messages
