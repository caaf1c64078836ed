"""`feature serve` and `feature worker`: one part each, for those who start them with their own tools."""

import os
import runpy
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import ChangeReload

from backend.cli.database import held
from backend.cli.output import CommandError
from backend.cli.parts import API_PORT, WORKER, refuse_development_defaults
from backend.cli.ports import describe_users
from backend.cli.protocol import Protocol
from backend.cli.workers import Workers
from backend.core.settings import get_settings

APPLICATION = "backend.app:serving"
LOOPBACK = "localhost"

_BACKEND = Path(__file__).resolve().parents[1]
_BACKLOG = 2_048
_DRAIN_SECONDS = 8


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; localhost: both loopback ones.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=1, max=65_535)] = API_PORT,
    reload: Annotated[bool, typer.Option(help="Restart when a file of the server is edited.")] = False,
) -> None:
    """Serves the API."""
    settings = get_settings()
    refuse_development_defaults(settings)
    with held(settings) as server:
        os.environ["DATABASE_URL"] = server.url  # for the processes that are started from here
        get_settings.cache_clear()  # and for the application, where it runs in this one
        config = uvicorn.Config(
            APPLICATION,
            factory=True,
            http=Protocol,
            host=host,
            port=port,
            backlog=_BACKLOG,
            workers=settings.web_processes,
            reload=reload,
            reload_dirs=[str(_BACKEND)] if reload else None,
            log_level=settings.log_level.lower(),
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the application decides itself whom it believes
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        _run(config, listen(host, port))


def worker() -> None:
    """Runs the background work."""
    with held(get_settings()) as server:
        os.environ["DATABASE_URL"] = server.url
        sys.argv = [WORKER]
        runpy.run_module(WORKER, run_name="__main__", alter_sys=True)


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets: for localhost on both loopback addresses, where the machine has IPv6. Raises CommandError."""
    addresses = _addresses(host)
    try:
        return [_listening(family, address, port) for family, address in addresses]
    except OSError as error:
        raise CommandError(f"{host}:{port} cannot be used: {error.strerror}.{describe_users(port)}") from error


def _run(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    server = uvicorn.Server(config)
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=sockets).run()
    elif config.workers > 1:
        Workers(config, sockets).run()
    else:
        server.run(sockets=sockets)
        if not server.started:
            raise typer.Exit(1)


def _addresses(host: str) -> Sequence[tuple[socket.AddressFamily, str]]:
    if host != LOOPBACK:
        return [(socket.AF_INET6 if ":" in host else socket.AF_INET, host)]
    if has_ipv6_loopback():
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    return [(socket.AF_INET, "127.0.0.1")]


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _listening(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener
