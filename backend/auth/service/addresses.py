"""E-mail addresses, in the one form in which they are compared and stored."""

import re

from email_validator import EmailNotValidError, validate_email

from backend.auth.errors import AddressRefused

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")


def normal(address: str, *, local: bool = False) -> str:
    """The address in lower case and in ASCII, its domain as mail servers know it. Raises AddressRefused.

    `local` admits hosts that only this network knows, like `admin@localhost`, for users that a command makes.
    """
    name, _, host = address.strip().rpartition("@")
    known_here = local and _HOST.fullmatch(host.lower()) is not None
    try:
        found = validate_email(
            f"{name}@example.com" if known_here else address.strip(),
            allow_smtputf8=False,  # letters beyond ASCII have no lower case that everybody agrees on
            check_deliverability=False,
            test_environment=True,
        )
    except EmailNotValidError as error:
        raise AddressRefused(f"email: {error}") from error
    return f"{found.local_part}@{host if known_here else found.ascii_domain}".lower()
