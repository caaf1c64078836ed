"""The folder of one embedded server, and how its files are made.

Everything is below `<home>/postgres`, but the socket where that path is too long for one. Nothing outside is changed.
"""

import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from backend.db.embedded.errors import EmbeddedError

LONGEST_SOCKET_FOLDER = 80  # with the socket's own name well under the 107 bytes that the kernel takes


@dataclass(frozen=True)
class Layout:
    """Names of all files. `users_lock` is held shared by everyone who uses the server, `supervisor_lock`
    exclusively by the one process that runs it."""

    root: Path

    @classmethod
    def below(cls, home: Path) -> "Layout":
        return cls(home.absolute() / "postgres")

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def unfinished_data(self) -> Path:
        return self.root / "data.unfinished"

    @property
    def users_lock(self) -> Path:
        return self.root / "users.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def keep(self) -> Path:
        return self.root / "keep.json"

    @property
    def passwords(self) -> Path:
        return self.root / "passwords.json"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    def data_major(self) -> int | None:
        """The version that made the data, or None when there is none yet."""
        try:
            return int((self.data / "PG_VERSION").read_text().strip())
        except FileNotFoundError:
            return None

    def prepare(self) -> None:
        """Makes the folder if it is missing. Raises EmbeddedError where that is not allowed or it is another user's."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.root.stat().st_uid
        except OSError as error:
            message = (
                f"The folder {self.root} of the embedded PostgreSQL cannot be made: {error.strerror}. "
                "Set FEATURE_HOME to a folder of yours, or DATABASE_URL to a server."
            )
            raise EmbeddedError(message) from error
        if os.geteuid() not in (0, owner):
            message = (
                f"The folder {self.root} of the embedded PostgreSQL belongs to another user (uid {owner}). Run as that "
                "user, set FEATURE_HOME to a folder of yours, or DATABASE_URL to a server."
            )
            raise EmbeddedError(message)

    def open(self, path: Path) -> int:
        """A file descriptor of a file of ours, made if missing, readable by the folder's owner alone."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._give_to_owner(handle)
        return handle

    def write(self, path: Path, text: str) -> None:
        """Replaces a file as a whole: a reader sees the old text or the new one. Survives a power cut."""
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._give_to_owner(handle)
            os.write(handle, text.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.replace(path)

    def socket_folder(self, last: str | None, uid: int, gid: int) -> Path:
        """A folder for the socket with a short enough name; `last` is the one used before, kept while it is ours."""
        inside = self.root / "socket"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            inside.mkdir(mode=0o700, exist_ok=True)
            folder = inside
        elif last is not None and _is_private(Path(last), uid):
            return Path(last)
        else:
            folder = Path(tempfile.mkdtemp(prefix="feature-postgres-", dir="/tmp"))
        os.chown(folder, uid, gid)
        return folder

    def _give_to_owner(self, handle: int) -> None:
        """As root in another user's folder: that user must be able to open the file later."""
        if os.geteuid() == 0:
            owner = self.root.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)


def _is_private(folder: Path, uid: int) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and stat.S_IMODE(status.st_mode) == 0o700
