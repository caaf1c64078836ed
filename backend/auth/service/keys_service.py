"""API keys: shown once, stored as a hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from backend.auth.errors import KeyUnknown
from backend.auth.service.versions import note_account_change
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, UserId, uuid7
from backend.db.models import ApiKey
from backend.db.session import SystemSession
from backend.security.tokens import digest, new_key

SERVICE_SCOPES = ("usage:read", "usage:write", "accounts:create", "keys:verify")
PERSONAL_SCOPES = ("usage:read", "usage:write")
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key. `key` is shown now and never again."""

    id: UUID
    key: str
    prefix: str
    scopes: tuple[str, ...]


async def create_key(
    session: SystemSession,
    *,
    name: str,
    account_id: AccountId | None,
    user_id: UserId | None,
    scopes: Sequence[str],
    now: datetime,
) -> CreatedKey:
    """A personal key of an account, or without one a service key.

    A personal key without scopes reads and spends for its account; a service key may do what its scopes name.
    Raises InvalidInput.
    """
    kind = "service" if account_id is None else "personal"
    known = SERVICE_SCOPES if kind == "service" else PERSONAL_SCOPES
    if unknown := [scope for scope in scopes if scope not in known]:
        raise InvalidInput(f"{unknown[0]!r} is no scope of a {kind} key; there are: {', '.join(known)}.")
    if not 1 <= len(name) <= _MAX_NAME:
        raise InvalidInput(f"A key's name has 1 to {_MAX_NAME} characters.")
    new = new_key(kind)
    key = ApiKey(
        id=uuid7(),
        account_id=account_id,
        user_id=user_id,
        kind=kind,
        name=name,
        prefix=new.prefix,
        key_hash=digest(new.key),
        scopes=sorted(set(scopes)),
        created_at=now,
    )
    session.add(key)
    if account_id is not None:
        await note_account_change(session, account_id)
    return CreatedKey(key.id, new.key, new.prefix, tuple(key.scopes))


async def revoke_key(session: SystemSession, *, named: str, now: datetime) -> int:
    """Revokes the key with this id, or all with this prefix or name; returns how many. Raises KeyUnknown."""
    try:
        wanted = ApiKey.id == UUID(named)
    except ValueError:
        wanted = or_(ApiKey.prefix == named, ApiKey.name == named)
    keys = (await session.scalars(select(ApiKey).where(wanted, ApiKey.revoked_at.is_(None)))).all()
    if not keys:
        raise KeyUnknown(f"No key in force has the id, prefix or name {named[:80]!r}.")
    for key in keys:
        key.revoked_at = now
        if key.account_id is not None:
            await note_account_change(session, key.account_id)
    return len(keys)
