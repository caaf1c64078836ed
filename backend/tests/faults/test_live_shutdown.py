"""Looking on over a network, at a server as it is started: what is sent comes at once, and it never keeps one alive."""

import time
from pathlib import Path

import httpx
import pytest

from backend.db.session import Database
from backend.tests.faults.people import customer
from backend.tests.faults.server import Server
from backend.tests.http.listeners import LIVE, events_of

pytestmark = pytest.mark.faults

# A server that waits for its answers gives them eight.
PROMPT = 4.0


@pytest.mark.parametrize("processes", [1, 2])
async def test_those_who_look_on_do_not_keep_a_server_from_ending(
    database: Database, database_url: str, tmp_path: Path, processes: int
) -> None:
    who = await customer(database, plan="pro")
    server = Server(database_url, tmp_path, processes=processes)
    server.start()
    try:
        async with (
            httpx.AsyncClient(base_url=server.base_url, headers=who.headers, timeout=20) as client,
            client.stream("GET", LIVE) as answer,
            client.stream("GET", LIVE) as other,
        ):
            assert answer.status_code == other.status_code == 200
            assert answer.headers["transfer-encoding"] == "chunked"
            parts, text = answer.aiter_text(), ""
            body = {"meter": "jobs", "amount": 3}
            assert (await client.post("/v1/usage/consume", json=body)).status_code == 200
            began = time.monotonic()
            while "event: usage" not in text:
                text += await anext(parts)
            assert time.monotonic() - began < PROMPT
            assert [said["amount"] for kind, _, said in events_of(text) if kind == "usage"] == [3]
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < PROMPT
            text += "".join([part async for part in parts])
            assert text.endswith(": bye\n\n")
            assert (await other.aread()).decode().endswith(": bye\n\n")
    finally:
        server.stop()
