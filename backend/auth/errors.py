"""What can be wrong with a caller."""

from collections.abc import Mapping
from typing import Any

from backend.core.errors import PlatformError


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
