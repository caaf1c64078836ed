"""Puts the commands together and gives the exit codes: 0 done, 1 error, 2 changes pending, 64 bad usage."""

import importlib
import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from typer.exceptions import Abort, TyperException

from backend.cli.output import CommandError, say
from backend.core.errors import PlatformError
from backend.db.embedded import EmbeddedError
from backend.db.session import is_unavailable

BAD_USAGE = 64
INTERRUPTED = 130  # as shells count it: 128 and the signal's number

_USAGE = 2  # the exit code by which typer tells bad usage from other errors

# Groups by their module: `feature db shell`.
_GROUPS = {
    "account": "accounts",
    "audit": "audit",
    "db": "db",
    "key": "keys",
    "plans": "plans",
    "secrets": "secrets",
    "user": "users",
}
# Single commands: functions of the same name in a module.
_COMMANDS = {
    "up": "up",
    "serve": "serve",
    "worker": "serve",
    "migrate": "prepare",
    "seed": "prepare",
    "env": "env",
    "doctor": "doctor",
    "explain": "explain",
}


def commands(only: str | None = None) -> typer.Typer:
    """All commands; or one, where there is one of this name, for loading all takes longer than most need."""
    names = [only] if only in _GROUPS or only in _COMMANDS else [*_GROUPS, *_COMMANDS]
    app = typer.Typer(
        name="feature",
        help="Feature Platform: plans, quotas, rate limits, usage and billing.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)  # so that one command by itself is still called by its name
    for name in names:
        module = importlib.import_module(f"backend.cli.{_GROUPS.get(name) or _COMMANDS[name]}")
        if name in _GROUPS:
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code. Expected failures are a sentence on stderr, never a traceback."""
    try:
        app = commands(arguments[0] if arguments else None)
        result = app(args=list(arguments), prog_name="feature", standalone_mode=False)
    except TyperException as error:
        say(error.format_message())
        if error.exit_code != _USAGE:
            return 1
        context = getattr(error, "ctx", None)  # of the command that was named, where one was
        say(f"See: {context.command_path if context else 'feature'} --help")
        return BAD_USAGE
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except (EmbeddedError, CommandError) as error:
        say(str(error))
        return 1
    except PlatformError as error:
        say(error.detail)
        return 1
    except ValidationError as error:
        for problem in error.errors():
            say(f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}")
        return 1
    except DBAPIError as error:
        say(f"The database {'does not answer' if is_unavailable(error) else 'refused'}: {error.orig}")
        return 1
    return result if isinstance(result, int) else 0


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
