"""E-mail addresses, in the one form in which they are compared and stored."""

from email_validator import EmailNotValidError, validate_email

from backend.auth.errors import AddressRefused


def normal(address: str, *, local: bool = False) -> str:
    """The address in lower case, its domain in the form that mail servers use. Raises AddressRefused.

    `local` admits names without a dot, like `admin@localhost`, for users that a command makes.
    """
    try:
        found = validate_email(
            address.strip(), check_deliverability=False, test_environment=True, globally_deliverable=not local
        )
    except EmailNotValidError as error:
        raise AddressRefused(f"email: {error}") from error
    return found.normalized.lower()
