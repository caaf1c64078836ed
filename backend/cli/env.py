"""`feature env`: the shell's variables for the described commands, typed as they stand."""

import os
import shlex
import sys
from pathlib import Path

from backend.cli.database import held
from backend.cli.output import Json, data, data_json
from backend.core.settings import get_settings

KEEP_SECONDS = 3_600.0


def env(json: Json = False) -> None:
    """Prints variables for `eval "$(.venv/bin/feature env)"`, and starts the embedded database if it is down.

    The server stays for an hour after its last use, or until `feature db stop`.
    """
    settings = get_settings()
    with held(settings, keep_for=KEEP_SECONDS) as server:
        folders = [str(Path(sys.executable).parent)]
        if server.programs:
            folders.append(str(server.programs))
        variables = {**server.environment(), "FEATURE_HOME": str(settings.feature_home.absolute())}
    if json:
        rest = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part not in folders]
        data_json({**variables, "PATH": os.pathsep.join([*folders, *rest])})
        return
    quoted = shlex.quote(os.pathsep.join(folders))
    data(f'export PATH={quoted}"${{PATH:+:$PATH}}"')
    for name, value in variables.items():
        data(f"export {name}={shlex.quote(value)}")
