"""/v1/keys: keys of the acting account, by who is signed in. A key makes no keys."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.auth.api.deps import AccountRead, CurrentPrincipal, Now, SystemWrite
from backend.auth.api.schemas import Message
from backend.auth.errors import (
    KeyOfAnother,
    KeyOver,
    KeyUnknown,
    RoleMissing,
    ScopeMissing,
    TooManyKeys,
    TooManySecrets,
    Unauthenticated,
)
from backend.auth.service.key_answers import KeyAnswers
from backend.auth.service.keys_service import (
    MOST_OVERLAP,
    MOST_REQUESTS_PER_MINUTE,
    PERSONAL_SCOPES,
    USUAL_OVERLAP,
    CreatedKey,
    ListedKey,
    create_key,
    end_key,
    find_key,
    list_keys,
    rotate_key,
)
from backend.core.ids import AccountId, UserId
from backend.core.moment import Moment
from backend.core.problem import StrictRoute, problem_responses
from backend.db.idempotency import IdempotencyKeyReused, RequestInProgress, RequestKey

router = APIRouter(prefix="/v1/keys", tags=["Keys"], route_class=StrictRoute)

_MOST_LISTED = 100
_KEEPER = (Unauthenticated, ScopeMissing, RoleMissing)
_ONCE = (RequestInProgress, IdempotencyKeyReused)


@dataclass(frozen=True, slots=True)
class Keeper:
    """A signed-in user who may have keys in the acting account; `of_user`: only their own, None is all."""

    account_id: AccountId
    user_id: UserId
    of_user: UserId | None


def _keeper(principal: CurrentPrincipal) -> Keeper:
    """Who manages an account manages all its keys; who may spend there has keys of their own."""
    if principal.kind != "user" or principal.user_id is None or principal.account_id is None:
        raise ScopeMissing("Keys are made by a user of this service who is signed in; keys and guests make none.")
    principal.ensure("spend")
    return Keeper(principal.account_id, principal.user_id, None if principal.may("manage") else principal.user_id)


def _answers(request: Request) -> KeyAnswers:
    return KeyAnswers(request.app.state.encryption)


CurrentKeeper = Annotated[Keeper, Depends(_keeper)]
Answers = Annotated[KeyAnswers, Depends(_answers)]
RequestKeyHeader = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="The same key: the same effect, once."),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewKeyBody(_Body):
    """A key to make. Without `scopes` it reads and spends for its account; without `expires_at` it stays.

    `rate_limit_per_minute` is a limit of its own, beside that of the account: left out none, 0 lets nothing pass.
    """

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(max_length=20)] | None = None
    expires_at: Moment | None = None
    rate_limit_per_minute: Annotated[int, Field(ge=0, le=MOST_REQUESTS_PER_MINUTE)] | None = None


class RotationBody(_Body):
    """For how long the secret of before works, too: a day if left out, 0 ends it now."""

    overlap_seconds: Annotated[int, Field(ge=0, le=int(MOST_OVERLAP.total_seconds()))] = int(
        USUAL_OVERLAP.total_seconds()
    )


class NewKeyAnswer(BaseModel):
    """`key` is shown now and never again: only its hash is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    prefix: str
    scopes: list[str]


class KeySchema(BaseModel):
    """A key that is not revoked. `prefix` is how it begins; `last_used_at` is right to two minutes.

    `replaced_until`: until then a secret of before its rotation works, too. `user_id` is who made it, and whose role
    bounds what it may do; null is the account's own.
    """

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    user_id: UUID | None
    is_mine: bool
    rate_limit_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None
    replaced_until: datetime | None


class KeyList(BaseModel):
    """Keys, the newest first. `next_after` is where the next page begins; null where this is the last one.

    `manages_all`: whether these are the keys of everybody in the account, or only the caller's.
    """

    items: list[KeySchema]
    next_after: UUID | None
    manages_all: bool
    scopes: list[str]


@router.get("", responses=problem_responses(*_KEEPER))
async def read_keys(
    keeper: CurrentKeeper,
    session: AccountRead,
    now: Now,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 50,
    after: Annotated[UUID | None, Query(description="`next_after` of the page before.")] = None,
) -> KeyList:
    """The keys that are not revoked: of the whole account for who manages it, otherwise the caller's own."""
    found = await list_keys(
        session, account_id=keeper.account_id, of_user=keeper.of_user, before=after, most=limit + 1, now=now
    )
    shown = found[:limit]
    return KeyList(
        items=[_schema(key, keeper) for key in shown],
        next_after=shown[-1].row.id if len(found) > limit else None,
        manages_all=keeper.of_user is None,
        scopes=list(PERSONAL_SCOPES),
    )


@router.post("", status_code=201, responses=problem_responses(*_KEEPER, TooManyKeys, *_ONCE, body=True))
async def make_key(
    body: NewKeyBody,
    keeper: CurrentKeeper,
    session: SystemWrite,
    answers: Answers,
    response: Response,
    now: Now,
    idempotency_key: RequestKeyHeader = None,
) -> NewKeyAnswer:
    """A key for the acting account. It can never do more than its maker may there at the moment it is used."""

    async def make() -> CreatedKey:
        return await create_key(
            session,
            name=body.name,
            account_id=keeper.account_id,
            user_id=keeper.user_id,
            scopes=body.scopes or (),
            expires_at=body.expires_at,
            rate_limit_per_minute=body.rate_limit_per_minute,
            now=now,
        )

    request = _request(keeper, "/v1/keys", idempotency_key, body)
    return _answer(response, *await answers.once(session, request, make))


@router.post(
    "/{key_id:uuid}/rotate",
    responses=problem_responses(*_KEEPER, KeyUnknown, KeyOfAnother, KeyOver, TooManySecrets, *_ONCE, body=True),
)
async def rotate_one_key(
    key_id: UUID,
    keeper: CurrentKeeper,
    session: SystemWrite,
    answers: Answers,
    response: Response,
    now: Now,
    body: RotationBody | None = None,
    idempotency_key: RequestKeyHeader = None,
) -> NewKeyAnswer:
    """Another secret for a key; its id and all else stay. Secrets of before work until the overlap is over."""
    wanted = body or RotationBody()

    async def rotate() -> CreatedKey:
        key = await find_key(session, key_id=key_id, account_id=keeper.account_id, of_user=keeper.of_user)
        if key.user_id not in (None, keeper.user_id):
            raise KeyOfAnother("This key acts for another member. Revoke it, or ask them to rotate it.")
        return await rotate_key(session, key=key, overlap=timedelta(seconds=wanted.overlap_seconds), now=now)

    request = _request(keeper, f"/v1/keys/{key_id}/rotate", idempotency_key, wanted)
    return _answer(response, *await answers.once(session, request, rotate))


@router.delete("/{key_id:uuid}", responses=problem_responses(*_KEEPER, KeyUnknown))
async def revoke_one_key(key_id: UUID, keeper: CurrentKeeper, session: SystemWrite, now: Now) -> Message:
    """Ends a key with all its secrets, at once and everywhere."""
    key = await find_key(session, key_id=key_id, account_id=keeper.account_id, of_user=keeper.of_user)
    await end_key(session, key=key, now=now)
    return Message(message="The key is revoked.")


def _request(keeper: Keeper, route: str, key: str | None, body: BaseModel) -> RequestKey | None:
    """Somebody else's request under the same key is another one: its answer is not for them."""
    if key is None:
        return None
    content = body.model_dump_json().encode()
    return RequestKey(keeper.account_id, "POST", f"{route} of {keeper.user_id}", key, content)


def _answer(response: Response, made: CreatedKey, is_repeated: bool) -> NewKeyAnswer:
    if is_repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return NewKeyAnswer.model_validate(made)


def _schema(key: ListedKey, keeper: Keeper) -> KeySchema:
    row = key.row
    return KeySchema(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=row.scopes,
        user_id=row.user_id,
        is_mine=row.user_id == keeper.user_id,
        rate_limit_per_minute=row.rate_limit_per_minute,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        rotated_at=row.rotated_at,
        replaced_until=key.replaced_until,
    )
