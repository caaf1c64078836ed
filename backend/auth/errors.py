"""What can be wrong with a caller."""

from collections.abc import Mapping
from typing import Any

from backend.core.errors import InvalidInput, PlatformError


class Unauthenticated(PlatformError):
    """No credential, or none that is good now. Why is not told to who holds a bad one."""

    code = "unauthenticated"
    status = 401
    title = "Sign in"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer", **(headers or {})}, **fields)


class ScopeMissing(PlatformError):
    """This kind of caller may not do this at all; said before any id is looked up."""

    code = "scope_missing"
    status = 403
    title = "This credential may not do that"


class InvalidCredentials(Unauthenticated):
    """Address and password do not belong together, or the address is not confirmed; which of them is not told."""

    code = "invalid_credentials"
    title = "You are not signed in"


class RefreshRefused(Unauthenticated):
    """The refresh token is not good; when it was spent before, its whole family is revoked and stays so."""

    code = "refresh_refused"
    title = "Sign in again"
    keeps_writes = True


class LinkInvalid(PlatformError):
    """The link's token is unknown, used or too old."""

    code = "link_invalid"
    status = 400
    title = "This link does not work"


class TooManyAttempts(PlatformError):
    """Too many tries in too short a time; waiting is all that helps."""

    code = "too_many_attempts"
    status = 429
    title = "Too many attempts"


class AddressRefused(InvalidInput):
    """This is no e-mail address."""

    code = "invalid_input"
    title = "This is no e-mail address"


class SessionUnknown(PlatformError):
    """No session of yours that is not over has this id."""

    code = "session_unknown"
    status = 404
    title = "No such session"


class KeyUnknown(PlatformError):
    """No key of yours has this id or prefix."""

    code = "key_unknown"
    status = 404
    title = "No such key"


class UserUnknown(PlatformError):
    """No user has this address."""

    code = "user_unknown"
    status = 404
    title = "No such user"


class EmailTaken(PlatformError):
    """The address belongs to a user; only commands and operators are told."""

    code = "email_taken"
    status = 409
    title = "This address has a user"
