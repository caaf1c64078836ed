"""Starts what is measured: the product, what it is compared with, and the stores of both, each where it belongs."""

import contextlib
import http.client
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from backend.catalog.problems import InvalidCatalog
from backend.core.errors import PlatformError
from benchmarks.database import NEVER_REACHED, Cluster, Prepared
from benchmarks.load import request
from benchmarks.peer_environment import python, valkey_server
from benchmarks.processes import HOST, WORK, Child, Cores, NotStarted, Placement, free_port, move
from benchmarks.proxy import ONE_WAY

ACCOUNTS = 100  # their requests are sent in turn, so that no account is hotter than another

PING = "/v1/ping"
AUTHORIZE = "/v1/gateway/authorize"
EVENTS = "/v1/usage/events"
HEALTH = "/health"

_QUIET = ("--host", HOST, "--log-level", "error", "--no-access-log", "--no-server-header")
_PEER_LIMIT = 1_000_000_000  # requests a day that no run reaches
_POOL = 1_024  # redis-py refuses from its 100th connection on
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """A server that takes requests. `roots`: the processes whose trees do its work, its store's included.

    `problem` says why it cannot be measured; then there is nothing to send to.
    """

    name: str
    port: int = 0
    roots: tuple[int, ...] = ()
    requests: tuple[str, ...] = ()
    problem: str = ""
    database: Prepared | None = None


@dataclass(frozen=True)
class Product:
    """A way to run the product. `shared`: the rate limits too are in PostgreSQL; `far`: the store is 1 ms away.

    `is_probed`: one request is spent to see that the path is there. `on`: a database that is there already.
    """

    path: str = PING
    workers: int = 1
    strict: bool = False
    shared: bool = False
    far: bool = False
    limit: int = NEVER_REACHED
    accounts: int = ACCOUNTS
    is_probed: bool = True
    on: Prepared | None = None


class Servers:
    """What is started here ends with the block."""

    def __init__(self, cluster: Cluster, placement: Placement) -> None:
        self._cluster = cluster
        self._placement = placement
        self._stack = contextlib.ExitStack()
        self._valkey: tuple[int, int] | None = None
        self._keys: tuple[str, ...] = tuple(f"pk_bench_{number:038d}" for number in range(ACCOUNTS))
        move(cluster.roots, placement.others)

    def __enter__(self) -> "Servers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def product(self, how: Product) -> Target:
        """The product, on a database of its own, or the one that is named."""
        name = "product" + (", strict" if how.strict else "") + (", store 1 ms away" if how.far else "")
        try:
            made = how.on or self._cluster.prepare(accounts=how.accounts, limit=how.limit, strict=how.strict)
        except (InvalidCatalog, PlatformError) as error:
            return Target(name, problem=f"not available: the plans are refused: {error}")
        home = WORK / "homes" / made.plans.stem
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, home, ignore_errors=True)
        database_port = self._away(self._cluster.port) if how.far else self._cluster.port
        environment = {
            "DATABASE_URL": made.url.replace(f":{self._cluster.port}/", f":{database_port}/"),
            "FEATURE_HOME": str(home),
            "PLANS_FILE": str(made.plans),
            "LOG_LEVEL": "ERROR",
            "WEB_PROCESSES": str(how.workers),
            "RATE_LIMIT_STORE": "postgresql" if how.shared or how.workers > 1 else "auto",
        }
        port = free_port()
        command = [sys.executable, "-m", "backend.cli.main", "serve", "--host", HOST, "--port", str(port)]
        child = self._start(name, command, port, environment)
        _wait_for(HEALTH, port, child)
        requests = tuple(request(how.path, key=key) for key in made.keys)
        target = Target(name, port, (child.pid, *self._cluster.roots), requests, database=made)
        if how.is_probed:
            status, body = fetch(port, how.path, made.keys[0])
            if status // 100 != 2:
                said = f": {body[:200].decode(errors='replace')}" if status >= 500 else ""
                return Target(name, problem=f"not available: {status}{said}")
        return target

    def own(self, app: str, path: str, *, workers: int = 1) -> Target:
        """An application of `benchmarks.apps`, with the same requests as the product gets."""
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.apps:{app}", "--port", str(port), *_QUIET]
        child = self._start(app, [*command, "--workers", str(workers)], port, {})
        _wait_for(path, port, child)
        return Target(app, port, (child.pid,), self._requests(path))

    def peer(self, peer: str, *, workers: int = 1, far: bool = False, limit: int = _PEER_LIMIT) -> Target:
        """An application of `benchmarks.peers.app`, on an empty Valkey."""
        valkey_pid, valkey_port = self._store()
        store = self._away(valkey_port) if far else valkey_port
        port = free_port()
        app = ["-m", "uvicorn", "--factory", "benchmarks.peers.app:create", "--port", str(port), *_QUIET]
        environment = {
            "PEER": peer,
            "STORE_URL": f"redis://{HOST}:{store}?max_connections={_POOL}",
            "REQUESTS_PER_DAY": str(limit),
        }
        child = self._start(peer, [str(python()), *app, "--workers", str(workers)], port, environment)
        _wait_for(PING, port, child)
        return Target(peer, port, (child.pid, valkey_pid), self._requests(PING))

    def _requests(self, path: str) -> tuple[str, ...]:
        return tuple(request(path, key=key) for key in self._keys)

    def _start(self, name: str, command: Sequence[str], port: int, environment: dict[str, str]) -> Child:
        return self._child(name, command, port, self._placement.servers, environment)

    def _child(
        self, name: str, command: Sequence[str], port: int, cores: Cores, environment: dict[str, str] | None = None
    ) -> Child:
        child = Child(command, log=WORK / "logs" / f"{port}.log", cores=cores, environment=environment)
        self._stack.callback(child.stop)
        try:
            child.wait_for_port(port)
        except NotStarted as error:
            raise NotStarted(f"{name} {error}") from error
        return child

    def _store(self) -> tuple[int, int]:
        """Process id and port of the one Valkey, which keeps nothing on disk."""
        if self._valkey is None:
            port = free_port()
            command = [str(valkey_server()), "--bind", HOST, "--port", str(port), "--save", "", "--dir", str(WORK)]
            child = self._child("valkey", command, port, self._placement.others)
            self._valkey = (child.pid, port)
        return self._valkey

    def _away(self, target: int) -> int:
        """The port of a proxy before a store; it is no part of what is measured."""
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.proxy", str(port), str(target), str(ONE_WAY)]
        self._child("proxy", command, port, self._placement.others)
        return port


def fetch(port: int, path: str, key: str = "") -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _wait_for(path: str, port: int, child: Child) -> None:
    """Until the application answers; its port may be open before. Raises NotStarted."""
    limit = time.monotonic() + _READY_SECONDS
    while time.monotonic() < limit and not child.has_ended():
        with contextlib.suppress(OSError, http.client.HTTPException):
            if fetch(port, path)[0] < 500:
                return
        time.sleep(0.05)
    raise NotStarted(f"{path} is not answered: {child.said()}")


def clear_logs(folder: Path = WORK / "logs") -> None:
    """Forgets what earlier runs said."""
    shutil.rmtree(folder, ignore_errors=True)
