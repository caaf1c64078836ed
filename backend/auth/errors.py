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


class ChallengeInvalid(Unauthenticated):
    """The challenge of a second factor is unknown, used or too old; signing in again gives a new one."""

    code = "challenge_invalid"
    title = "Sign in again"


class CodeRefused(Unauthenticated):
    """The one-time or recovery code is wrong, or was used before; the attempt counts."""

    code = "code_refused"
    title = "This code is not right"
    keeps_writes = True


class SecondFactorActive(PlatformError):
    """Two-factor sign-in is on already; it is turned off before it is set up anew."""

    code = "second_factor_active"
    status = 409
    title = "Two-factor sign-in is on"


class SecondFactorMissing(PlatformError):
    """Two-factor sign-in is not on, so there is nothing to turn off."""

    code = "second_factor_missing"
    status = 409
    title = "Two-factor sign-in is off"


class ProofRefused(PlatformError):
    """The password or code that was sent as a proof is wrong or too old; the attempt counts, the session goes on."""

    code = "proof_refused"
    status = 400
    title = "This proof is not right"
    keeps_writes = True


class ProofNeeded(PlatformError):
    """The sign-in is too long ago for this; the same request with `current_password` is answered."""

    code = "proof_needed"
    status = 403
    title = "Confirm that it is you"


class RoleMissing(PlatformError):
    """The caller's role in the acting account does not allow this; an owner or admin of the account can change it."""

    code = "role_missing"
    status = 403
    title = "Your role may not do that"


class AccountUnknown(PlatformError):
    """No account that you may name has this id."""

    code = "account_unknown"
    status = 404
    title = "No such account"


class TimeZoneFixed(PlatformError):
    """The zone in which an account's days and periods begin is given when it is made, and stays."""

    code = "time_zone_fixed"
    status = 409
    title = "The time zone stays"


class MemberUnknown(PlatformError):
    """The account has no such member."""

    code = "member_unknown"
    status = 404
    title = "No such member"


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


class TooManyKeys(PlatformError):
    """The account has as many keys as it may; revoking one that is not needed makes room."""

    code = "too_many_keys"
    status = 409
    title = "Too many keys"


class TooManySecrets(PlatformError):
    """The key was rotated often in a short time, and the secrets before still work; ending them makes room."""

    code = "too_many_secrets"
    status = 409
    title = "Too many secrets of this key still work"


class KeyOfAnother(PlatformError):
    """The key acts for somebody else, who alone gets a secret of it; who manages the account can revoke it."""

    code = "key_of_another"
    status = 403
    title = "This key is somebody else's"


class KeyOver(PlatformError):
    """The key has expired; a new one is made instead."""

    code = "key_over"
    status = 409
    title = "This key has expired"


class UserUnknown(PlatformError):
    """No user has this address or id."""

    code = "user_unknown"
    status = 404
    title = "No such user"


class EmailTaken(PlatformError):
    """The address belongs to a user; only commands and operators are told."""

    code = "email_taken"
    status = 409
    title = "This address has a user"
