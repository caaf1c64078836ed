"""Those who look on: an answer that goes on, read as it comes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

from backend.tests.http.calls import Headers

LIVE = "/v1/usage/live"

Event = tuple[str, str | None, Any]
"""What kind it is of, its id, and what it says. Comments are of the kind `:`."""


def events_of(text: str) -> list[Event]:
    """As the standard reads a stream."""
    found: list[Event] = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if not name and line:
                found.append((":", None, value.strip()))
            elif name:
                fields[name] = value.removeprefix(" ")
        if "data" in fields:
            found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
    return found


class Listener:
    """One who looks on, without a network. What has come is in `events`; whoever stops reading holds the sender up."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.text = ""
        self.is_over = False
        self._gone = asyncio.Event()
        self._came = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    @property
    def events(self) -> list[Event]:
        return events_of(self.text[: self.text.rfind("\n\n") + 2])

    def of(self, kind: str) -> list[Any]:
        """What the events of one kind say."""
        return [said for found, _, said in self.events if found == kind]

    @property
    def last_id(self) -> str:
        return [name for _, name, _ in self.events if name is not None][-1]

    def leave(self) -> None:
        self._gone.set()

    async def until(self, is_there: Any, seconds: float = 10) -> None:
        """Waits for what is to come."""
        async with asyncio.timeout(seconds):
            while not is_there(self):
                self._came.clear()
                await self._came.wait()

    async def run(self, app: FastAPI, headers: Headers, query: str = "", path: str = LIVE) -> None:
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *fields],
            "client": ("192.0.2.1", 4_000),
            "server": ("localhost", 8_000),
        }
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await self.reads.wait()
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.text += message.get("body", b"").decode()
                self.is_over = not message.get("more_body", False)
            self._came.set()

        await app(scope, receive, send)
        self.is_over = True
        self._came.set()


@contextlib.asynccontextmanager
async def listening(
    app: FastAPI, headers: Headers, *, last_event_id: str | None = None, query: str = "", path: str = LIVE
) -> AsyncIterator[Listener]:
    """Somebody who looks on until the end, or until they have been refused."""
    listener = Listener()
    extra = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    running = asyncio.create_task(listener.run(app, {**headers, **extra}, query, path))
    try:
        await listener.until(lambda found: found.status is not None)
        if listener.status == 200:
            # What was before is sent at once; how the counters of an account stand comes with it.
            await listener.until(
                lambda found: found.of("meters") or found.is_over or (path != LIVE and found.text.count("\n\n") > 0)
            )
        yield listener
    finally:
        listener.leave()
        listener.reads.set()
        await asyncio.wait([running], timeout=5)
        assert running.done()
        running.result()
