"""Bodies and answers of sign-in."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class SecondFactorNeeded(BaseModel):
    """The password was right, and a code is needed, too."""

    requires_2fa: Literal[True] = True
    challenge_id: str
