"""As whom the server runs. PostgreSQL refuses root, so for root there are several ways: the first that works."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.db.embedded.binaries import Binaries
from backend.db.embedded.errors import EmbeddedError
from backend.db.embedded.layout import Layout

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNMAPPED = 65_534

# The parent may be gone before the death signal is set: then the parent seen here is another, and nothing is started.
_ONLY_WITH_PARENT = 'parent=$1; shift; [ "$PPID" = "$parent" ] && exec "$@"'


@dataclass(frozen=True)
class Launcher:
    """A way to run the server's programs. `uid` and `gid` own the files they make, as seen from here."""

    name: str
    prefix: tuple[str, ...]
    uid: int
    gid: int
    binaries: Binaries

    def command(self, program: str, *arguments: str) -> list[str]:
        """Runs a program to its end; it gets SIGINT when the process that started it dies."""
        return [*self.prefix, self.binaries.program(program), *arguments]

    def server_command(self, *arguments: str) -> list[str]:
        """Runs the server, never longer than this process runs."""
        guard = ["/bin/sh", "-c", _ONLY_WITH_PARENT, "sh", str(os.getpid())]
        return [*self.prefix, *guard, self.binaries.program("postgres"), *arguments]

    def works(self, folder: Path) -> bool:
        """Whether the programs can be run this way and the folder be written."""
        check = 'test -w "$1" && test -x "$1" && "$2" --version'
        command = [*self.prefix, "/bin/sh", "-c", check, "sh", str(folder), self.binaries.program("postgres")]
        try:
            return subprocess.run(command, env=environment(), capture_output=True, check=False).returncode == 0  # noqa: S603 - fixed programs
        except OSError:
            return False


def environment() -> dict[str, str]:
    """For the server's programs: nothing of the caller's, whose PG* and LC_* would change what they do."""
    return {"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC"}


def choose_launcher(layout: Layout, binaries: Binaries) -> Launcher:
    """The first way that works here. Makes no cluster. Raises EmbeddedError, which names DATABASE_URL."""
    setpriv = shutil.which("setpriv", path=_PATH)
    if setpriv is None:
        message = (
            "The embedded PostgreSQL needs the program setpriv (Linux, package util-linux). "
            "Install it, or set DATABASE_URL to a server of yours."
        )
        raise EmbeddedError(message)
    if os.geteuid() != 0:
        launcher = Launcher("user", (setpriv, "--pdeathsig", "INT"), os.geteuid(), os.getegid(), binaries)
        if launcher.works(layout.root):
            return launcher
        message = (
            f"The programs of PostgreSQL in {binaries.bin_dir} do not run here, or {layout.root} cannot be written. "
            "Set DATABASE_URL to a server of yours."
        )
        raise EmbeddedError(message)
    for launcher in _ways_for_root(layout, binaries, setpriv):
        if _offered(layout, launcher):
            return launcher
    message = (
        "The embedded PostgreSQL cannot run as root here: user namespaces are not allowed, and the user nobody cannot "
        f"reach {layout.root}. Run as a normal user, set FEATURE_HOME to a folder that every user can reach "
        "(/var/lib/feature-platform), or set DATABASE_URL to a server of yours."
    )
    raise EmbeddedError(message)


def _ways_for_root(layout: Layout, binaries: Binaries, setpriv: str) -> Iterator[Launcher]:
    owner = layout.data.stat() if layout.data.exists() else None
    folder = layout.root.stat()
    unshare = shutil.which("unshare", path=_PATH)
    if unshare is not None and (owner is None or owner.st_uid == 0):
        mapped = (unshare, "-U", f"--map-user={_UNMAPPED}", f"--map-group={_UNMAPPED}")
        # The death signal after unshare: a change of credentials clears it.
        yield Launcher("user namespace", (*mapped, setpriv, "--pdeathsig", "INT"), 0, 0, binaries)
    if owner is not None and owner.st_uid != 0:
        yield from _as_user(setpriv, owner.st_uid, owner.st_gid, layout, binaries)
    elif owner is None and folder.st_uid != 0:
        yield from _as_user(setpriv, folder.st_uid, folder.st_gid, layout, binaries)
    elif owner is None:
        nobody = pwd.getpwnam("nobody")
        yield from _as_user(setpriv, nobody.pw_uid, nobody.pw_gid, layout, binaries)


def _as_user(setpriv: str, uid: int, gid: int, layout: Layout, binaries: Binaries) -> Iterator[Launcher]:
    prefix = (setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--pdeathsig", "INT")
    yield Launcher(f"uid {uid}", prefix, uid, gid, binaries)
    copied = binaries.copied_to(layout.root)
    if copied != binaries:
        yield Launcher(f"uid {uid}, copied programs", prefix, uid, gid, copied)


def _offered(layout: Layout, launcher: Launcher) -> bool:
    """Tries a way in a folder made for it, so that nothing that exists is touched."""
    if launcher.uid != layout.root.stat().st_uid:
        layout.root.chmod(0o711)  # our own folder: the server's user must pass through it to reach its data
    trial = layout.root / "trial"
    trial.mkdir(mode=0o700, exist_ok=True)
    try:
        os.chown(trial, launcher.uid, launcher.gid)
        return launcher.works(trial)
    finally:
        trial.rmdir()


def run(launcher: Launcher, program: str, arguments: Sequence[str], *, text: str | None = None) -> None:
    """Runs one of the server's programs to its end. Raises EmbeddedError with what it said."""
    command = launcher.command(program, *arguments)
    done = subprocess.run(  # noqa: S603 - a program of the chosen set
        command, input=text, env=environment(), cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = (
            f"{program} failed while making the embedded database: {(done.stderr or done.stdout).strip()[-2_000:]}"
        )
        raise EmbeddedError(message)
