"""Bodies and answers of sign-in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.db.models import Session

Email = Annotated[str, Field(min_length=3, max_length=320)]
Secret = Annotated[str, Field(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RegisterBody(_Body):
    """A new user. The password has 12 to 128 characters, of any kind."""

    email: Email
    password: Annotated[str, Field(max_length=1_000)]


class LoginBody(_Body):
    """Address and password."""

    email: Email
    password: Annotated[str, Field(max_length=1_000)]


class EmailBody(_Body):
    """An address."""

    email: Email


class TokenBody(_Body):
    """The token of a link."""

    token: Secret


class RefreshBody(_Body):
    """The refresh token; left out where it comes as a cookie."""

    refresh_token: Secret | None = None


class Message(BaseModel):
    """What happened, in a sentence."""

    message: str


class TokenAnswer(BaseModel):
    """Tokens. `refresh_token` is null where it was set as a cookie."""

    access_token: str
    refresh_token: str | None
    token_type: Literal["bearer"] = "bearer"
    expires_in: int


class SessionSchema(BaseModel):
    """One place where the user is signed in."""

    id: UUID
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    is_current: bool


class SessionList(BaseModel):
    """Sessions that are not over, the one last seen first."""

    items: list[SessionSchema]


class SecondFactorNeeded(BaseModel):
    """The password was right, and a code is needed, too."""

    requires_2fa: Literal[True] = True
    challenge_id: str


def session_schema(row: Session, *, current: UUID) -> SessionSchema:
    return SessionSchema(
        id=row.id,
        user_agent=row.user_agent,
        address=row.address,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        is_current=row.id == current,
    )
