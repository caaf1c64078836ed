"""Secrets that are made on first run: one file each, for its owner alone."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path


def load_or_create(path: Path, make: Callable[[], str]) -> str:
    """The content of the file; made by `make` when there is none. The first of several processes wins."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8")
    with _draft(path, make()) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)  # fails where another process was first, and changes nothing then
    return path.read_text(encoding="utf-8")


def replace(path: Path, content: str) -> None:
    """Puts another content in place of the file's, at once or not at all."""
    with _draft(path, content) as draft:
        draft.replace(path)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time changes the files of a folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # and with it the lock


@contextlib.contextmanager
def _draft(path: Path, content: str) -> Iterator[Path]:
    """The content on the disk beside the file, and gone afterwards unless it was moved."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
