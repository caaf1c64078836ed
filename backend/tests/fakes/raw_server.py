"""Servers of uvicorn in threads, with an application that says what it is told to, and sockets to talk to them."""

import asyncio
import contextlib
import logging
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import uvicorn
from starlette.types import Message, Receive, Scope, Send

from backend.enforcement.answer import CARRIER

PATIENCE = 10.0
# Seconds for which a connection may be idle.
IDLE = 0.6
LAST = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"

ODD: dict[str, Callable[[], Message]] = {
    "trailers": lambda: {"type": "http.response.trailers"},
    "no-body": lambda: {"type": "http.response.body"},
    "array": lambda: {"type": "http.response.body", "body": bytearray(b"abc")},
    "no-fields": lambda: {"type": "http.response.start", "status": 200},
    "lists": lambda: start([b"content-length", b"3"], [b"x-a", b"1"]),
    "iterator": lambda: {**start(), "headers": iter([(b"content-length", b"3"), (b"x-a", b"1")])},
    "text-as-name": lambda: start((b"content-length", b"3"), ("x-a", b"1")),
    "text-as-value": lambda: start((b"content-length", b"3"), (b"x-a", "1")),
    "many": lambda: start((b"content-length", b"3"), *((b"x-%d" % number, b"v") for number in range(1_200))),
}


def start(*fields: Any, status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(fields)}


class App:
    """Takes the steps that the field X-Say of a request names; without it, it says what it was asked for.

    `200 name:value` starts an answer (`length`: `content-length`; percent signs for what is no plain text); `more abc`
    and `last abc` are parts of it (a number: as many bytes); `odd lists` is a message of ODD; `gate x` waits until x is
    opened; and there are `read`, `nap`, `raise` and `nothing`.
    """

    front: Any = None
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.seen: list[str] = []
        self.is_short = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loop, self.is_short = asyncio.get_running_loop(), CARRIER in scope.get("extensions", ())
        steps = dict(scope["headers"]).get(b"x-say")
        if steps is None:
            await self._echo(scope, receive, send)
            return
        for step in steps.decode().split(" | "):
            await self._take(step, receive, send)
            self.seen.append(step)

    async def _take(self, step: str, receive: Receive, send: Send) -> None:
        kind, _, rest = step.partition(" ")
        if kind == "raise":
            raise RuntimeError
        if kind == "nap":
            await asyncio.sleep(0.02)
        elif kind == "read":
            self.seen.append((await receive())["type"])
        elif kind == "gate":
            self.seen.append(f"at {rest}")
            await self.gates[rest].wait()
        elif kind in ("more", "last"):
            part = b"x" * int(rest) if rest.isdecimal() else rest.encode()
            await send({"type": "http.response.body", "body": part, "more_body": kind == "more"})
        elif kind != "nothing":
            named = [re.sub("^length:", "content-length:", field).partition(":") for field in rest.split()]
            fields = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in named]
            message = ODD[rest]() if kind == "odd" else start(*fields, status=int(kind))
            await send(message)
            message.clear()  # it is its sender's

    async def _echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        content, is_open = b"", True
        while is_open:
            message = await receive()
            content, is_open = content + message.get("body", b""), message.get("more_body", False)
        asked = {name: scope[name] for name in sorted(scope) if name not in ("server", "client", "extensions", "state")}
        text = repr((asked, content)).encode()
        await send(start((b"content-length", b"%d" % len(text)), (b"content-type", b"text/plain")))
        await send({"type": "http.response.body", "body": text})

    def open(self, gate: str) -> None:
        self.loop.call_soon_threadsafe(self.gates[gate].set)


class Served:
    """A server in a thread of its own."""

    def __init__(self, http: Any, app: App | None = None) -> None:
        self.app = app or App()
        self.server = uvicorn.Server(config(self.app, http))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self) -> "Served":
        self._address = self._listener.getsockname()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def connect(self) -> socket.socket:
        no_access_log()
        return socket.create_connection(self._address, PATIENCE)

    def talk(self, *pieces: bytes) -> bytes:
        """All that is answered to these, and to a last request that ends the connection."""
        with self.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found = b""
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
                if found := connection.recv(65_536):
                    connection.sendall(LAST)
            return undated(found + rest(connection))

    def is_choked(self) -> bool:
        return any(each.flow.write_paused for each in self.server.server_state.connections)  # type: ignore[union-attr]  # each is a connection of ours


def config(app: Any, http: Any) -> uvicorn.Config:
    """As `feature serve` does it, but for the time."""
    given: dict[str, Any] = {"log_config": None, "lifespan": "off", "timeout_keep_alive": IDLE}
    return uvicorn.Config(app, http=http, access_log=False, proxy_headers=False, server_header=False, **given)


def no_access_log() -> None:
    """As served; pytest listens to every logger that tells no other, and uvicorn asks whether anybody does."""
    logging.getLogger("uvicorn.access").handlers.clear()


def rest(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 20):
            found += part
    return bytes(found)


def undated(found: bytes) -> bytes:
    return re.sub(rb"(?m)^date: [^\r]+\r\n", b"", found)


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)
