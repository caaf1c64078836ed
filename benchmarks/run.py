"""One run at a time."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.processes import WORK


@contextmanager
def alone() -> Iterator[None]:
    """Two runs at once would measure each other."""
    WORK.mkdir(parents=True, exist_ok=True)
    handle = os.open(WORK / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("Another run is at work.")
    try:
        yield
    finally:
        os.close(handle)
