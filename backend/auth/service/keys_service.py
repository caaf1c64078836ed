"""API keys: shown once, stored as a hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from backend.auth.errors import KeyOver, KeyUnknown, TooManyKeys, TooManySecrets
from backend.auth.service.versions import note_account_change
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, UserId, uuid7
from backend.db.models import Account, ApiKey, ReplacedSecret
from backend.db.session import ReadSession, SystemSession
from backend.security.tokens import KeyForm, NewKey, digest, new_key

SERVICE_SCOPES = ("usage:read", "usage:write", "accounts:create", "keys:verify")
PERSONAL_SCOPES = ("usage:read", "usage:write")
MOST_KEYS = 100
"""Of one account: those that are neither revoked nor expired."""
MOST_OVERLAP = timedelta(days=7)
USUAL_OVERLAP = timedelta(hours=24)
MOST_REQUESTS_PER_MINUTE = 1_000_000
_MOST_SECRETS = 10
_MAX_NAME = 100
# What is said of an end further away than this is not meant; and later ones could not be shown in every zone.
_LONGEST = timedelta(days=3_660)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key. `key` is shown now and never again."""

    id: UUID
    key: str
    prefix: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key that is not revoked. `replaced_until`: until then a secret of before its rotation works, too."""

    row: ApiKey
    replaced_until: datetime | None


async def create_key(
    session: SystemSession,
    *,
    name: str,
    account_id: AccountId | None,
    user_id: UserId | None,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None = None,
    rate_limit_per_minute: int | None = None,
) -> CreatedKey:
    """A personal key of an account, or without one a service key.

    A personal key without scopes reads and spends for its account; a service key may do what its scopes name. With a
    user it may never do more than they may in the account. Raises InvalidInput, TooManyKeys.
    """
    kind = "service" if account_id is None else "personal"
    known = SERVICE_SCOPES if kind == "service" else PERSONAL_SCOPES
    if unknown := [scope for scope in scopes if scope not in known]:
        raise InvalidInput(f"{unknown[0][:80]!r} is no scope of a {kind} key; there are: {', '.join(known)}.")
    if not 1 <= len(name) <= _MAX_NAME or not name.strip() or not name.isprintable():
        raise InvalidInput(f"A key's name has 1 to {_MAX_NAME} characters that can be seen, in one line.")
    if expires_at is not None and not now < expires_at <= now + _LONGEST:
        raise InvalidInput("expires_at is a time ahead, at most ten years; leave it out for a key that stays.")
    if rate_limit_per_minute is not None and not 0 <= rate_limit_per_minute <= MOST_REQUESTS_PER_MINUTE:
        raise InvalidInput(f"rate_limit_per_minute is from 0 to {MOST_REQUESTS_PER_MINUTE:,}, or left out for none.")
    if account_id is not None:
        await note_account_change(session, account_id)  # and holds the account, so that the keys can be counted
        await _ensure_room(session, account_id, now)
    new = await _new(session, account_id)
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
        expires_at=expires_at,
        rate_limit_per_minute=rate_limit_per_minute,
    )
    session.add(key)
    return CreatedKey(key.id, new.key, new.prefix, tuple(key.scopes))


async def list_keys(
    session: ReadSession,
    *,
    account_id: AccountId | None = None,
    of_user: UserId | None = None,
    before: UUID | None = None,
    most: int,
    now: datetime,
) -> list[ListedKey]:
    """Keys that are not revoked, expired ones among them, the newest first: those made before the one named.

    Of one account, of one user, or of all.
    """
    until = (
        select(func.max(ReplacedSecret.good_until))
        .where(ReplacedSecret.key_id == ApiKey.id, ReplacedSecret.good_until > now)
        .scalar_subquery()
    )
    wanted = select(ApiKey, until).where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.id.desc()).limit(most)
    if account_id is not None:
        wanted = wanted.where(ApiKey.account_id == account_id)
    if of_user is not None:
        wanted = wanted.where(ApiKey.user_id == of_user)
    if before is not None:
        wanted = wanted.where(ApiKey.id < before)
    return [ListedKey(row, until) for row, until in await session.execute(wanted)]


async def find_key(
    session: ReadSession, *, key_id: UUID, account_id: AccountId, of_user: UserId | None = None
) -> ApiKey:
    """A key of the account that is not revoked; with `of_user` one of theirs. Raises KeyUnknown."""
    wanted = [ApiKey.id == key_id, ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None)]
    if of_user is not None:
        wanted.append(ApiKey.user_id == of_user)
    key = await session.scalar(select(ApiKey).where(*wanted))
    if key is None:
        raise KeyUnknown("No key of yours has this id.")
    return key


async def keys_named(session: ReadSession, *, named: str, account_id: AccountId | None = None) -> Sequence[ApiKey]:
    """The key with this id, or all with this prefix or name, that are not revoked. Raises KeyUnknown.

    Customers choose the names of their keys, so a name is one of a service key, or of a key of the account that is
    given. It is the whole name, and the account's keys are all that is looked at then.
    """
    wanted: ColumnElement[bool]
    try:
        wanted = ApiKey.id == UUID(named)
    except ValueError:
        of_those = ApiKey.kind == "service" if account_id is None else ApiKey.account_id == account_id
        wanted = or_(ApiKey.prefix == named, and_(ApiKey.name == named, of_those))
    if account_id is not None:
        wanted = and_(wanted, ApiKey.account_id == account_id)
    keys = (await session.scalars(select(ApiKey).where(wanted, ApiKey.revoked_at.is_(None)))).all()
    if not keys:
        raise KeyUnknown(f"No key in force has the id, prefix or name {named[:80]!r}.")
    return keys


async def keys_beginning(session: ReadSession, *, beginning: str, most: int) -> Sequence[UUID]:
    """The ids of keys of all accounts, revoked ones too, whose shown part begins so: the newest first, to `most`."""
    begins = func.starts_with(ApiKey.prefix, beginning)
    return (await session.scalars(select(ApiKey.id).where(begins).order_by(ApiKey.id.desc()).limit(most))).all()


async def rotate_key(
    session: SystemSession, *, key: ApiKey, overlap: timedelta = USUAL_OVERLAP, now: datetime
) -> CreatedKey:
    """Another secret for a key, which stays what it is. Those it had before work until `overlap` is over.

    None of them works longer than was said when it was replaced, and with no overlap they all end at once. Raises
    KeyUnknown, KeyOver, TooManySecrets, InvalidInput.
    """
    if not timedelta(0) <= overlap <= MOST_OVERLAP:
        raise InvalidInput(f"overlap_seconds is from 0 to {int(MOST_OVERLAP.total_seconds())}, seven days.")
    await _hold(session, key)
    if key.expires_at is not None and key.expires_at <= now:
        raise KeyOver("This key has expired, and a new secret would not change that. Make a new key.")
    until, of_key = now + overlap, ReplacedSecret.key_id == key.id
    await session.execute(
        update(ReplacedSecret).where(of_key, ReplacedSecret.good_until > until).values(good_until=until)
    )
    if overlap:
        in_force = select(func.count()).select_from(ReplacedSecret).where(of_key, ReplacedSecret.good_until > now)
        others = await session.scalar(in_force)
        if others is not None and others >= _MOST_SECRETS:
            raise TooManySecrets(
                f"{others} secrets that this key had before still work. Rotate with overlap_seconds 0 to end them now,"
                " or wait."
            )
    # One that ended at once is kept a while, too: who still presents it is told what became of it.
    session.add(ReplacedSecret(key_hash=key.key_hash, key_id=key.id, account_id=key.account_id, good_until=until))
    new = await _new(session, key.account_id)
    key.key_hash, key.prefix, key.rotated_at = digest(new.key), new.prefix, now
    return CreatedKey(key.id, new.key, new.prefix, tuple(key.scopes))


async def end_key(session: SystemSession, *, key: ApiKey, now: datetime) -> None:
    """Revokes a key with all its secrets, at once and everywhere. Raises KeyUnknown."""
    await _hold(session, key)
    key.revoked_at = now


async def revoke_key(
    session: SystemSession, *, named: str, account_id: AccountId | None = None, now: datetime
) -> Sequence[ApiKey]:
    """Revokes those of `keys_named`, and returns them. Raises KeyUnknown."""
    keys = await keys_named(session, named=named, account_id=account_id)
    for key in sorted(keys, key=lambda key: (str(key.account_id), key.id)):
        await end_key(session, key=key, now=now)
    return keys


async def _hold(session: SystemSession, key: ApiKey) -> None:
    """Tells caches of a change, and keeps the key from others until the end: the account first, as everywhere."""
    if key.account_id is not None:
        await note_account_change(session, key.account_id)
    await session.refresh(key, with_for_update=True)
    if key.revoked_at is not None:
        raise KeyUnknown("No key of yours has this id.")


async def _ensure_room(session: SystemSession, account_id: AccountId, now: datetime) -> None:
    in_force = await session.scalar(
        select(func.count())
        .select_from(ApiKey)
        .where(
            ApiKey.account_id == account_id,
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        )
    )
    if in_force is not None and in_force >= MOST_KEYS:
        raise TooManyKeys(
            f"This account has {in_force} keys in force, as many as it may. Revoke one first.", most=MOST_KEYS
        )


async def _new(session: ReadSession, account_id: AccountId | None) -> NewKey:
    form: KeyForm = "service"
    if account_id is not None:
        mode = await session.scalar(select(Account.mode).where(Account.id == account_id))
        form = "test" if mode == "test" else "live"
    return new_key(form)
