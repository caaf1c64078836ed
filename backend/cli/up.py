"""`feature up`: everything in one command, and nothing left behind."""

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Annotated

import typer

from backend.cli.banner import BannerLine, addresses, banner
from backend.cli.children import Children, Part
from backend.cli.database import Server, child_environment, held
from backend.cli.edits import Edits
from backend.cli.node import OLDEST, find_node
from backend.cli.output import CommandError, say
from backend.cli.parts import API_PORT, WORKER, refuse_development_defaults
from backend.cli.ports import answers, users_of
from backend.cli.prepare import ROOT, run_seed
from backend.cli.welcome import first_steps
from backend.core.settings import Settings, get_settings
from backend.db import migrate as migrations

WEB_PORT = 5173

_API, _WORK, _WEB = "the API", "the worker", "the web app"
_FRONTEND = ROOT / "frontend"
_VITE = _FRONTEND / "node_modules" / "vite" / "bin" / "vite.js"
_BUILT = _FRONTEND / "dist" / "index.html"
_READY_SECONDS = 60.0
_STOP_SECONDS = 12.0
_TICK = 0.1


def up(
    reload: Annotated[bool, typer.Option(help="Restart what is edited.")] = False,
    with_parent: Annotated[bool, typer.Option(help="Stop when the process that started this one ends.")] = False,
) -> None:
    """Starts database, API, background work and web app. Ctrl-C stops all of it."""
    settings = get_settings()
    _refuse_what_cannot_work(settings, reload=reload)
    run = _Run(with_parent=with_parent)
    children = Children()
    try:
        with _alone(settings), held(settings) as server:
            _prepare(server, settings)
            for part in _parts(server, settings, reload=reload):
                children.start(part)
            try:
                if run.wait_until(children, _everything_answers):
                    say(banner([*_lines(settings), *_ways_in(server, settings)]))
                    run.watch(children, Edits(ROOT / "backend") if reload else None)
            finally:
                run.end()
                children.stop(seconds=_STOP_SECONDS)
    except KeyboardInterrupt:
        say("Stopped.")


class _Run:
    """Whether to go on: until a signal comes, the parent ends or a part dies."""

    def __init__(self, *, with_parent: bool) -> None:
        self._stopping = False
        self._parent = os.getppid() if with_parent else None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def wait_until(self, children: Children, ready: Callable[[], bool]) -> bool:
        """True once `ready`, False when asked to stop before. Raises CommandError when a part died or takes long."""
        limit = time.monotonic() + _READY_SECONDS
        while self._go_on(children):
            if ready():
                return True
            if time.monotonic() > limit:
                raise CommandError(f"Not ready after {_READY_SECONDS:.0f} s; everything is stopped. See above for why.")
            time.sleep(_TICK)
        return False

    def watch(self, children: Children, edits: Edits | None) -> None:
        """Returns when asked to stop. Raises CommandError when a part died."""
        while self._go_on(children):
            time.sleep(_TICK)
            if edits and edits.found():
                children.restart(_WORK, seconds=_STOP_SECONDS)

    def end(self) -> None:
        """From here on signals change nothing: what was started is being stopped."""
        self._stopping = True

    def _go_on(self, children: Children) -> bool:
        if self._stopping or (self._parent is not None and os.getppid() != self._parent):
            return False
        if dead := children.ended():
            name, end = dead
            raise CommandError(
                f"{name[0].upper()}{name[1:]} {end}; everything else is stopped, too."
                " Nothing that was answered is lost: start again."
            )
        return True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            raise KeyboardInterrupt


def _refuse_what_cannot_work(settings: Settings, *, reload: bool) -> None:
    problems = [str(user) for port in (API_PORT, WEB_PORT) for user in users_of(port)]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise CommandError(f"Nothing was started:\n{listed}\nStop what is named, then start again.")
    refuse_development_defaults(settings)
    if not _VITE.is_file():
        raise CommandError("The web app's packages are not installed. Run `make install`.")
    if not reload and not _BUILT.is_file():
        raise CommandError("The web app is not built. Run `make run`, which builds and starts it.")


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Of two that are started on one folder of data, the ports name the one that runs, and this the one that is about
    to. Raises CommandError."""
    home = settings.feature_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "up.lock").open("w")
    except OSError as error:
        raise CommandError(
            f"{home} cannot be written: {error.strerror}. Set FEATURE_HOME to a folder that can."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError("Nothing was started: another `make run` on this data is starting.") from error
        yield


def _prepare(server: Server, settings: Settings) -> None:
    """Schema and plans."""
    migrations.upgrade(server.url)
    run_seed(server, settings)


def _ways_in(server: Server, settings: Settings) -> Sequence[BannerLine]:
    """Of who has started it; once it answers, for a start that fails must not end the key of the one before."""
    return [] if settings.is_production else first_steps(server, settings)


def _parts(server: Server, settings: Settings, *, reload: bool) -> Sequence[Part]:
    # They run in the checkout; a path in the environment begins where this command was typed.
    paths = {"FEATURE_HOME": settings.feature_home, "PLANS_FILE": settings.plans_file}
    environment = {**child_environment(server), **{name: str(path.absolute()) for name, path in paths.items()}}
    feature = [sys.executable, "-m", "backend.cli.main"]
    return [
        Part(_API, [*feature, "serve", *(["--reload"] if reload else [])], ROOT, environment),
        Part(_WORK, [sys.executable, "-m", WORKER], ROOT, environment),
        Part(_WEB, _vite(reload=reload), _FRONTEND, _without_secrets(environment)),
    ]


def _vite(*, reload: bool) -> list[str]:
    """Gives out the web app from its sources, or as it was built: a page is then some ten files instead of hundreds."""
    node = find_node()
    if node is None:
        wanted = ".".join(str(part) for part in OLDEST)
        raise CommandError(f"No Node {wanted} or newer was found. Run `make install`.")
    return [node[0], str(_VITE), "dev" if reload else "preview", "--logLevel", "warn", "--clearScreen", "false"]


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The web app's tools need the system's variables, and none of ours but the API's address."""
    hidden = ("DATABASE_URL", "PGPASSWORD", "JWT_", "STRIPE_", "SMTP_", "ENCRYPTION_")
    return {name: value for name, value in environment.items() if not name.startswith(hidden)}


def _everything_answers() -> bool:
    return answers(API_PORT, "/health") and answers(WEB_PORT, "/")


def _lines(settings: Settings) -> list[BannerLine]:
    return addresses(api=settings.api_base_url, web=settings.frontend_base_url)
