"""Where the tests' own PostgreSQL keeps its data."""

import hashlib
import os
from pathlib import Path

from backend.core.settings import REPOSITORY

_MEMORY = Path("/dev/shm")
_ROOM = 2 * 1024**3


def home() -> Path:
    """FEATURE_TESTS_HOME, or a folder in memory if there is room, or one in `var`.

    Each test has a database of its own, so the disk would be most of what they wait for. Only a machine that goes down
    tells the difference: a server that is killed has lost nothing in memory either. `make prove` runs on the disk.
    """
    given = os.environ.get("FEATURE_TESTS_HOME")
    if given:
        return Path(given).resolve()
    name = f"feature-tests-{os.getuid()}-{hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:12]}"
    return _of_ours(_MEMORY / name) or REPOSITORY / "var" / "tests"


def _of_ours(folder: Path) -> Path | None:
    """Made if there is room for it; None where it can not be had."""
    try:
        if not folder.exists() and _free(folder.parent) < _ROOM:
            return None
        folder.mkdir(exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return None
        folder.chmod(0o711)  # the server's own user goes through it
    except OSError:
        return None
    return folder


def _free(folder: Path) -> int:
    """Bytes; 0 where there is no such folder."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize
