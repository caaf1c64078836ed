"""Noticing that a file was edited."""

import time
from pathlib import Path

_EVERY = 1.0


class Edits:
    """Looks at the Python files below `folder`, at most once a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._newest()
        self._next_look = 0.0

    def found(self) -> bool:
        """Whether a file was changed, made or removed since the last time this said so."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _EVERY
        newest = self._newest()
        changed, self._seen = newest != self._seen, newest
        return changed

    def _newest(self) -> dict[Path, int]:
        found = {}
        for path in self._folder.rglob("*.py"):
            try:
                found[path] = path.stat().st_mtime_ns
            except FileNotFoundError:  # removed between the listing and the look
                continue
        return found
