"""The audit log: who did what to whom, in the transaction of the act. What cannot be written down is not done."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from backend.core.ids import UserId, uuid7
from backend.db.models import AuditEvent
from backend.db.session import SystemSession

REDACTED = "(not written down)"
_SECRET = re.compile(r"password|secret|token|otp|hash|credential|recovery|(^|_)key$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user, by a request; a command on the server itself; or the system, by a rule.

    Where an operator acts as a customer, `user_id` is the customer and `real_user_id` the operator.
    """

    kind: Literal["user", "command", "system"]
    user_id: UserId | None = None
    real_user_id: UserId | None = None
    address: str | None = None
    request_id: str | None = None


COMMAND = Actor("command")
SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Target:
    """What was acted upon: its kind, like `user`, and its id."""

    kind: str
    id: str | UUID


def record(
    session: SystemSession,
    actor: Actor,
    action: str,
    target: Target | None,
    *,
    now: datetime,
    reason: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> UUID:
    """Writes one act down with this transaction; returns the id of its event.

    `before` and `after` are the fields that changed, as plain JSON values. Secrets among them are left out by name.
    """
    event = AuditEvent(
        id=uuid7(),
        at=now,
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.user_id,
        real_actor_id=actor.real_user_id,
        target_kind=target.kind if target else None,
        target_id=str(target.id) if target else None,
        reason=reason,
        before=redacted(before),
        after=redacted(after),
        address=actor.address,
        request_id=actor.request_id,
    )
    session.add(event)
    return event.id


def redacted(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The same without what must not be read by operators, at any depth."""
    return None if values is None else {name: _redacted(name, value) for name, value in values.items()}


def _redacted(name: str, value: Any) -> Any:
    if _SECRET.search(name) and value is not None and not isinstance(value, bool):
        return REDACTED
    if isinstance(value, Mapping):
        return redacted(value)
    if isinstance(value, list | tuple):
        return [_redacted(name, each) for each in value]
    return value
