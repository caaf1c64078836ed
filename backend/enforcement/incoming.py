"""The header fields of a request that the enforcement layer reads, found in one pass over them."""

import re
from collections.abc import Iterable

from backend.core.errors import InvalidInput
from backend.core.ids import request_id

MAX_HEADER_BYTES = 16 * 1024
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Incoming:
    """`size` is that of all fields together, in bytes. Raises InvalidInput for two credentials."""

    __slots__ = ("account", "authorization", "forwarded", "has_two_credentials", "request_id", "size")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.authorization: bytes | None = None
        self.account = b""
        self.forwarded: list[str] = []
        self.has_two_credentials = False
        size, given = 0, None
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"authorization":
                self.has_two_credentials = self.authorization is not None
                self.authorization = value
            elif name == b"feature-account":
                self.account = value
            elif name == b"x-request-id":
                given = value
            elif name == b"x-forwarded-for":
                self.forwarded.append(value.decode("latin-1"))
        self.size = size
        self.request_id = own_or_new(given).decode()

    @property
    def is_too_large(self) -> bool:
        return self.size > MAX_HEADER_BYTES

    def ensure_one_credential(self) -> None:
        """Raises InvalidInput where it is open who is calling."""
        if self.has_two_credentials:
            raise InvalidInput("The field Authorization is there twice; send one credential.")


def own_or_new(given: bytes | None) -> bytes:
    """What a request is called: as its sender calls it, where that is a name."""
    return given if given is not None and REQUEST_ID.fullmatch(given) else request_id().encode()


def text_of(value: bytes | None) -> str | None:
    """A field's value as text; bytes that are none become what no credential or id contains."""
    return None if value is None else value.decode("latin-1")
