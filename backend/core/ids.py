"""Identifiers: UUIDv7, made by the application, and the distinct types of the two ids that must never be confused."""

import itertools
import os
import re
import threading
import time
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
AccountId = NewType("AccountId", UUID)

_lock = threading.Lock()
_last = 0


_requests = itertools.count()
_process = ""
_REQUEST = re.compile(r"req_([0-9a-f]{8})[0-9a-f]{21,}")


def request_id() -> str:
    """A name for one request, unique among all processes, which bears its second; cheaper than a UUID."""
    return f"req_{time.time_ns() // 1_000_000_000:08x}{_process}{next(_requests):x}"


def second_of_request(name: str) -> datetime | None:
    """When a request was made that `request_id` has named; None for a name that has another form."""
    found = _REQUEST.fullmatch(name)
    return datetime.fromtimestamp(int(found[1], 16), UTC) if found else None


def first_id_of(at: datetime) -> UUID:
    """Not above any id that is made at this moment or later."""
    return UUID(int=max(0, int(at.timestamp() * 1_000)) << 80)


def _name_process() -> None:
    """Random for each process, also for those that were forked from one."""
    global _process
    _process = os.urandom(10).hex()


_name_process()
os.register_at_fork(after_in_child=_name_process)


def uuid7() -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7), strictly increasing within the process.

    The bits after the millisecond are random for the first id of a millisecond and count up within it, so that
    keys made together lie together in an index (method 2 of section 6.2).
    """
    return UUID(int=_next())


def uuid7_hex() -> str:
    """The same as 32 digits, where nobody needs the object."""
    return f"{_next():032x}"


def _next() -> int:
    global _last
    present = (time.time_ns() // 1_000_000) << 74
    with _lock:
        if present > _last:
            _last = present | int.from_bytes(os.urandom(9), "big") << 1
        else:  # the same millisecond, or a clock that was set back
            _last += 1
        value = _last
    low = value & ((1 << 74) - 1)
    return value >> 74 << 80 | 0x7 << 76 | (low >> 62) << 64 | 0b10 << 62 | low & ((1 << 62) - 1)
