"""Writes frontend/openapi.json, from which the web app's client is generated: `python scripts/openapi.py [--check]`."""

import json
import sys
import tempfile
from pathlib import Path

from pydantic import SecretStr

from backend.app import create_app
from backend.core.settings import REPOSITORY, Settings

TARGET = REPOSITORY / "frontend" / "openapi.json"


def document() -> str:
    """The API as JSON. Building the application connects to nothing."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            _env_file=None,
            feature_home=Path(home),
            database_url=SecretStr("postgresql://nowhere/none"),
        )
        return json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the file; with --check only says whether it is up to date."""
    found = document()
    if "--check" not in arguments:
        TARGET.write_text(found, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == found:
        return 0
    print(  # noqa: T201 - a command line prints
        "frontend/openapi.json is not what the API is. Run: make client", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
