"""Puts the commands together and gives the exit codes: 0 done, 1 error, 2 changes pending, 64 bad usage."""

import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from typer.exceptions import Abort, TyperException

from backend.cli import accounts, audit, db, doctor, env, explain, keys, plans, prepare, secrets, serve, up, users
from backend.cli.output import CommandError, say
from backend.core.errors import PlatformError
from backend.db.embedded import EmbeddedError

BAD_USAGE = 64
INTERRUPTED = 130  # as shells count it: 128 and the signal's number

_USAGE = 2  # the exit code by which typer tells bad usage from other errors

app = typer.Typer(
    name="feature",
    help="Feature Platform: plans, quotas, rate limits, usage and billing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Groups, one line each: `feature db shell`.
app.add_typer(accounts.app, name="account")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="key")
app.add_typer(plans.app, name="plans")
app.add_typer(secrets.app, name="secrets")
app.add_typer(users.app, name="user")

# Single commands.
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("migrate")(prepare.migrate)
app.command("seed")(prepare.seed)
app.command("env")(env.env)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code. Expected failures are a sentence on stderr, never a traceback."""
    try:
        result = app(args=list(arguments), prog_name="feature", standalone_mode=False)
    except TyperException as error:
        say(error.format_message())
        if error.exit_code != _USAGE:
            return 1
        say("See: feature --help")
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
        say(f"The database refused: {error.orig}")
        return 1
    return result if isinstance(result, int) else 0


def main() -> None:
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
