"""Bodies and answers of sign-in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.db.models import Session

Email = Annotated[str, Field(min_length=3, max_length=320)]
Secret = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(min_length=1, max_length=64)]


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
    """One place where the user is signed in, or, where `is_operator`, an operator who acts as them."""

    id: UUID
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    is_current: bool
    is_operator: bool


class SessionList(BaseModel):
    """Sessions that are not over, the one last seen first."""

    items: list[SessionSchema]


class EndedSessions(BaseModel):
    """How many sessions ended."""

    ended_count: int


class OtpBody(_Body):
    """The challenge of a sign-in and the newest code of the authenticator."""

    challenge_id: Secret
    otp: Code


class RecoveryBody(_Body):
    """The challenge of a sign-in and a recovery code, in capitals or not, with its dashes or without."""

    challenge_id: Secret
    recovery_code: Code


class ProofBody(_Body):
    """One fresh proof that it is really the user."""

    password: Annotated[str, Field(max_length=1_000)] | None = None
    otp: Code | None = None
    recovery_code: Code | None = None


class EnrolBody(_Body):
    """The password, needed from who signed in more than 15 minutes ago and has one."""

    current_password: Annotated[str, Field(max_length=1_000)] | None = None


class RenewCodesBody(_Body):
    """One fresh proof that it is really the user."""

    otp: Code | None = None
    current_password: Annotated[str, Field(max_length=1_000)] | None = None


class ResetBody(_Body):
    """The token of a reset link and the password from now on: 12 to 128 characters, of any kind."""

    token: Secret
    new_password: Annotated[str, Field(max_length=1_000)]


class ChangePasswordBody(_Body):
    """The present password (left out by who has none yet) and the one from now on."""

    current_password: Annotated[str, Field(max_length=1_000)] | None = None
    new_password: Annotated[str, Field(max_length=1_000)]


class EnrolmentAnswer(BaseModel):
    """What an authenticator needs, as text, as an address and as a picture. It is shown once."""

    model_config = ConfigDict(from_attributes=True)

    secret: str
    otpauth_url: str
    qr_svg: str
    challenge_id: str


class RecoveryCodesAnswer(BaseModel):
    """Ten codes, each of which stands in for the authenticator once. They are shown once."""

    recovery_codes: list[str]


class ProfileBody(_Body):
    """What changes; what is left out stays, and null clears."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    display_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] | None = None
    theme: Literal["auto", "light", "dark"] | None = None


class ProfileAnswer(BaseModel):
    """How the web app shows things to the user; null is what the browser says."""

    model_config = ConfigDict(from_attributes=True)

    name: str | None
    display_zone: str | None
    language: str | None
    theme: Literal["auto", "light", "dark"] | None


class SecondFactorNeeded(BaseModel):
    """The password was right, and a code is needed, too."""

    requires_2fa: Literal[True] = True
    challenge_id: str


def session_schema(row: Session, *, current: UUID) -> SessionSchema:
    is_operator = row.impersonator_id is not None
    return SessionSchema(
        id=row.id,
        user_agent=None if is_operator else row.user_agent,
        address=None if is_operator else row.address,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        is_current=row.id == current,
        is_operator=is_operator,
    )
