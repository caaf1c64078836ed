"""What commands print, and where."""

import json
import sys
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class CommandError(Exception):
    """A command cannot do what it was asked. The message is for people and says what to do."""


def say(text: str) -> None:
    """To people: progress, warnings, errors."""
    print(text, file=sys.stderr, flush=True)


def data(text: str) -> None:
    """What was asked for, for people and programs alike."""
    print(text, flush=True)


def data_json(value: Any) -> None:
    """The same as JSON; `value` holds JSON's types only."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)
