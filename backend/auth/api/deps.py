"""What routes ask for. The outermost layer of the application has verified the credential and read the clock."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.auth.principal import Principal
from backend.auth.service.credentials import Refused
from backend.core.ids import AccountId, UserId
from backend.core.settings import Settings
from backend.db.session import AccountSession, Database, ReadSession, SystemSession


def _now(request: Request) -> datetime:
    now: datetime = request.state.now
    return now


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _principal(request: Request) -> Principal:
    """The verified caller. `request.state.principal` is None without a credential, an error with a bad one."""
    found: Principal | Refused | None = request.state.principal
    if isinstance(found, Refused):
        raise found
    if found is None:
        raise Unauthenticated("Send a token or an API key: `Authorization: Bearer ...`.")
    return found


Now = Annotated[datetime, Depends(_now)]
CurrentDatabase = Annotated[Database, Depends(_database)]
CurrentSettings = Annotated[Settings, Depends(_settings)]
CurrentPrincipal = Annotated[Principal, Depends(_principal)]


def _own_account(principal: CurrentPrincipal) -> AccountId:
    if principal.account_id is None:
        raise ScopeMissing("A service key has no account of its own; sign in, or use a personal key.")
    return principal.account_id


OwnAccount = Annotated[AccountId, Depends(_own_account)]


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """A user of ours in a session; keys, guests of a portal and users of another issuer are none."""

    user_id: UserId
    session_id: UUID


def _signed_in(principal: CurrentPrincipal) -> SignedInUser:
    if principal.user_id is None or principal.session_id is None:
        raise ScopeMissing("This is for a user of this service who is signed in; keys and guests have no such thing.")
    return SignedInUser(principal.user_id, principal.session_id)


SignedIn = Annotated[SignedInUser, Depends(_signed_in)]


def _session_id(principal: CurrentPrincipal) -> UUID:
    if principal.session_id is None:
        raise ScopeMissing("This credential is no session: keys are revoked, and tokens of another issuer end there.")
    return principal.session_id


SessionId = Annotated[UUID, Depends(_session_id)]


async def _system_write(database: CurrentDatabase) -> AsyncIterator[SystemSession]:
    async with database.system() as session:
        yield session


async def _account_write(database: CurrentDatabase, account_id: OwnAccount) -> AsyncIterator[AccountSession]:
    async with database.account(account_id) as session:
        yield session


async def _account_read(database: CurrentDatabase, account_id: OwnAccount) -> AsyncIterator[ReadSession]:
    async with database.read(account_id) as session:
        yield session


async def _public_read(database: CurrentDatabase) -> AsyncIterator[ReadSession]:
    async with database.read() as session:
        yield session


# `scope="function"`: the transaction is committed before the answer is sent, so a failed commit is never a 200.
SystemWrite = Annotated[SystemSession, Depends(_system_write, scope="function")]
AccountWrite = Annotated[AccountSession, Depends(_account_write, scope="function")]
AccountRead = Annotated[ReadSession, Depends(_account_read, scope="function")]
PublicRead = Annotated[ReadSession, Depends(_public_read, scope="function")]
