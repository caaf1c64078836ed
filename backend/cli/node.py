"""Finding Node for the web app."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (20, 19)

_VERSION = re.compile(r"v(\d+)\.(\d+)")


def find_node() -> tuple[str, tuple[int, int]] | None:
    """The first Node that is new enough, with its version: the environment's own, then the machine's."""
    folders = [str(Path(sys.executable).parent), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    for folder in folders:
        path = shutil.which("node", path=folder)
        if path is None:
            continue
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if (match := _VERSION.match(answer.stdout)) and (int(match[1]), int(match[2])) >= OLDEST:
            return path, (int(match[1]), int(match[2]))
    return None
