"""The protocol of `feature serve` beside uvicorn's: the same bytes in, the same bytes out. And what is ours alone."""

import asyncio
import logging
import re
import select
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from backend.app import create_app
from backend.cli.protocol import Protocol
from backend.db.session import Database
from backend.tests.factories.users import settings_for_tests
from backend.tests.fakes.clock import ManualClock
from backend.tests.fakes.raw_server import (
    IDLE,
    LAST,
    PATIENCE,
    App,
    Served,
    config,
    no_access_log,
    rest,
    undated,
    until,
)
from backend.tests.http.calls import Caller, client_of, customer

AUTHORIZE, PING = "/v1/gateway/authorize", "/v1/ping"

# Steps of the application in the test's server: what it says, in different orders and sizes, right and wrong.
ANSWERS = """
200 length:3 content-type:text/plain | last abc; 200 length:0 | last; 500 length:4 | last oops
200 Content-Length:3 X-UPPER:Yes | last abc; 200 length:3 X-UPPER:Yes | last abc
204 | last; 204 length:0 | last; 304 length:3 | last; 103 length:0 | last; 999 length:0 | last
200 | more ab | more | last c; 200 | last abc; 200 | more abc | last
200 transfer-encoding:chunked | last abc; 200 length:3 transfer-encoding:chunked | last abc
200 length:5 | more ab | more | last cde; 200 length:3 | more abc | last; 200 length:3 | more a | more bc | last
200 length:5 | last abc; 200 length:2 | last abc; 200 length:5 | more a | last b; 200 length:0 | last abc
200 length:abc | last abc; 200 length:-3 | last abc; 200 length:003 | last abc; 200 length:%203 | last abc
200 length:3 length:3 | last abc; 200 length:7 length:3 | last abc; 200 length:3 length:7 | last abc
200 length:7 x-a:content-length:3 | last abc; 200 length:7 x-a:a%0D%0Acontent-length:%203 | last abc
200 length:3 connection:close | last abc; 200 length:3 Connection:Keep-Alive,%20CLOSE | last abc
200 length:3 connection:keep-alive | last abc; 200 length:3 x%20a:b | last abc; 200 length:3 :b | last abc
raise; 200 | raise; 200 length:3 x-a:1 | raise; 200 length:3 | more a | raise; 200 length:3 | last abc | raise
nothing; 200; 200 length:3; 200 length:3 | more a; last abc; 200 length:3 x%20a:b | raise
200 | 200 | last abc; 200 length:3 | 200 length:3 | last abc; 200 length:3 | last abc | last abc
200 length:3 | last abc | 200 length:3 | last abc; 200 length:3 | odd trailers; 200 length:3 | odd no-body | last abc
200 length:3 | odd array; odd no-fields | last abc; odd lists | last abc; odd iterator | last abc
odd text-as-name | last abc; odd text-as-value | last abc; odd many | last abc
"""
REQUESTS = {
    "get": [b"GET /?a=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: \xc3\xa9\r\n\r\n"],
    "post": [b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"],
    "post-chunked": [
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-A: 1\r\n\r\n"
    ],
    "in-pieces": [b"%c" % byte for byte in b"POST /?a HTTP/1.1\r\nContent-Length: 5\r\nA: b\r\n\r\nhello"],
    "head": [b"HEAD / HTTP/1.1\r\n\r\n"],
    "options": [b"OPTIONS * HTTP/1.1\r\n\r\n"],
    "connect": [b"CONNECT a:80 HTTP/1.1\r\n\r\n"],
    "http-1.0": [b"GET / HTTP/1.0\r\n\r\n"],
    "http-1.0-kept": [b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
    "http-2.0": [b"GET / HTTP/2.0\r\n\r\n"],
    "closing": [b"GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n"],
    "upgrade": [b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"],
    "two": [b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"],
    "ten": [b"".join(b"GET /%d HTTP/1.1\r\nX-Say: %b200 | last\r\n\r\n" % (n, b"nap | " * (n % 3)) for n in range(10))],
    "mixed": [
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabHEAD / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Say: 204 | last\r\n\r\nGET / HTTP/1.1\r\nX-Say: 200 | last abc\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ],
    "expecting": [b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"],
    "expecting-nothing": [
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n",
        b"X-Say: 200 length:3 | read | last abc\r\n\r\nab",
    ],
    "percent": [b"GET /a%20b/%C3%A9%2f%zz%?%41 HTTP/1.1\r\n\r\n"],
    "fragment": [b"GET /?a#b HTTP/1.1\r\n\r\n"],
    "slashes": [b"GET //a//b/../c/.;d=e?f?g HTTP/1.1\r\n\r\n"],
    "absolute": [b"GET http://h:81/?a=1 HTTP/1.1\r\n\r\n"],
    "long": [b"GET /?%b HTTP/1.1\r\n\r\n" % (b"q" * 65_533)],
    "too-long": [b"GET /?%b HTTP/1.1\r\n\r\n" % (b"q" * 65_534)],
    "garbage": [b"\x16\x03\x01garbage\r\n\r\n"],
    "empty-lines": [b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"],
    "two-lengths": [b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    "smuggling": [b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    "broken-chunk": [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
}
# With every byte where the letter A stands.
PLACES = [
    b"GET /-A- HTTP/1.1\r\n\r\n",
    b"GET /?-A- HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nx-x: -A-\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Say: 200 length:3 x-x:-%A- | last abc\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Say: 200 length:3 x-%A-:x | last abc\r\n\r\n",
]


def saying(steps: str, method: str = "GET", fields: str = "") -> bytes:
    return f"{method} / HTTP/1.1\r\n{fields}X-Say: {steps}\r\n\r\n".encode()


def asking(path: str, who: Caller | None = None, fields: bytes = b"", method: bytes = b"GET") -> bytes:
    credential = f"Authorization: {who.headers['Authorization']}\r\n".encode() if who else b""
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method, path.encode(), credential, fields)


@pytest.fixture(scope="module")
def ours() -> Iterator[Served]:
    with Served(Protocol) as served:
        yield served


@pytest.fixture(scope="module")
def both(ours: Served) -> Iterator[tuple[Served, Served]]:
    with Served(HttpToolsProtocol) as stock:
        yield ours, stock


# As uvicorn


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("steps", re.split(r"; |\n", ANSWERS.strip()))
def test_an_answer_is_sent_as_by_uvicorn(both: tuple[Served, Served], steps: str, method: str) -> None:
    ours, stock = (served.talk(saying(steps, method)) for served in both)
    assert ours == stock


@pytest.mark.parametrize("pieces", REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request_is_understood_as_by_uvicorn(both: tuple[Served, Served], pieces: Sequence[bytes]) -> None:
    ours, stock = (served.talk(*pieces) for served in both)
    assert ours == stock


@pytest.mark.parametrize("place", PLACES)
def test_every_byte_is_taken_as_by_uvicorn(both: tuple[Served, Served], place: bytes) -> None:
    for byte in range(256):
        letter = b"%02X" % byte if b"%A" in place else b"%c" % byte
        ours, stock = (served.talk(place.replace(b"A", letter, 1)) for served in both)
        assert ours == stock, letter


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_whoever_waits_for_the_head_before_sending_the_rest_gets_it(both: tuple[Served, Served], expect: str) -> None:
    found = []
    for served in both:
        with served.connect() as connection:
            steps = "200 length:3 | read | last abc"
            connection.sendall(saying(steps, "POST", f"Connection: keep-alive\r\nContent-Length: 2\r\n{expect}"))
            head = connection.recv(65_536)
            connection.sendall(b"ab" + LAST)
            found.append(undated(head + rest(connection)))
    assert found[0] == found[1]
    assert b"100 Continue" not in found[0]


def test_who_reads_slowly_reads_everything(both: tuple[Served, Served]) -> None:
    found, large = [], saying("200 length:8000000 | last 8000000")
    for served in both:
        with served.connect() as connection:
            connection.sendall(large)
            until(served.is_choked)
            connection.sendall(saying("200 length:3 | last abc") + large + LAST)
            found.append(undated(rest(connection)))
    assert found[0] == found[1]
    assert len(found[0]) > 16_000_000


# One connection


def test_a_head_goes_ahead_of_what_has_no_length_and_with_what_has_one(ours: Served) -> None:
    with ours.connect() as connection:
        connection.sendall(saying("200 | gate chunks | last abc"))
        assert connection.recv(65_536).endswith(b"transfer-encoding: chunked\r\n\r\n")
        assert ours.app.is_short
        ours.app.open("chunks")
        assert connection.recv(65_536) == b"3\r\nabc\r\n0\r\n\r\n"
        connection.sendall(saying("200 length:3 | gate whole | last abc"))
        until(lambda: "at whole" in ours.app.seen)
        assert not select.select([connection], [], [], 0.05)[0]
        ours.app.open("whole")
        assert connection.recv(65_536).endswith(b"\r\n\r\nabc")


def test_an_idle_connection_is_closed_in_time(ours: Served) -> None:
    with ours.connect() as connection:
        connection.sendall(saying("200 length:3 | last abc"))
        assert connection.recv(65_536).endswith(b"abc")
        answered = time.monotonic()
        assert rest(connection) == b""
        assert time.monotonic() - answered > IDLE * 0.9


def test_a_connection_in_use_is_not_closed(ours: Served) -> None:
    """Neither one that was used just now, nor one whose answer takes long."""
    with ours.connect() as connection:
        for _ in range(3):
            connection.sendall(saying("200 length:3 | last abc"))
            assert connection.recv(65_536).endswith(b"abc")
            time.sleep(IDLE * 0.4)
        connection.sendall(saying("200 length:3 | gate long | last abc"))
        time.sleep(IDLE * 1.3)
        ours.app.open("long")
        assert connection.recv(65_536).endswith(b"abc")


def test_a_server_that_stops_finishes_what_is_under_way() -> None:
    with Served(Protocol) as served, served.connect() as busy, served.connect() as idle:
        idle.sendall(saying("200 length:3 | last abc"))
        assert idle.recv(65_536).endswith(b"abc")
        busy.sendall(saying("200 length:3 | gate stop | last abc"))
        until(lambda: "at stop" in served.app.seen)
        served.server.should_exit = True
        assert rest(idle) == b""
        served.app.open("stop")
        assert rest(busy).endswith(b"connection: close\r\n\r\nabc")


def test_who_leaves_in_the_middle_disturbs_nobody(ours: Served, caplog: pytest.LogCaptureFixture) -> None:
    with ours.connect() as connection:
        connection.sendall(saying("read | 200 length:3 | gate left | read | last abc"))
        until(lambda: "at left" in ours.app.seen)
    ours.app.open("left")
    until(lambda: ours.app.seen[-1] == "last abc")
    assert ours.app.seen[-3:] == ["http.disconnect", "read", "last abc"]
    assert ours.talk(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
    assert not [record for record in caplog.records if record.name == "uvicorn.error" and record.levelno > logging.INFO]


def test_a_front_that_fails_is_not_the_fault_of_who_asks() -> None:
    """The application is asked, whose errors are logged and answered."""

    class Broken:
        def at_once(self, query: bytes, scope: Scope) -> None:
            raise RuntimeError

    app = App()
    app.front = Broken()
    with Served(Protocol, app) as served:
        assert served.talk(asking(AUTHORIZE)).startswith(b"HTTP/1.1 200 OK")


# The application over a socket


@pytest.fixture
async def app(database_url: str, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Any]:
    made = create_app(
        settings_for_tests(database_url=database_url, feature_home=tmp_path, log_level="ERROR"), clock=clock
    )
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def who(database: Database) -> Caller:
    return await customer(database, plan="pro")


@pytest.fixture
def state() -> ServerState:
    found = ServerState()
    found.default_headers = [(b"date", b"today")]
    return found


@pytest.fixture
async def port(app: Any, state: ServerState) -> AsyncIterator[int]:
    given = config(app, Protocol)

    def connection() -> Protocol:
        no_access_log()
        return Protocol(given, state, {})

    async with await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def exchange(port: int, *pieces: bytes | float) -> list[bytes]:
    """The answers to these, with pauses of so many seconds, but for that to a last request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in (*pieces, LAST):
        if isinstance(piece, bytes):
            writer.write(piece)
        else:
            await asyncio.sleep(piece)
    found = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    await writer.wait_closed()
    assert b"connection: close" in found
    return found.split(b"HTTP/1.1 ")[1:-1]


def counted() -> float:
    labels = {"method": "GET", "route": AUTHORIZE, "status": "200"}
    return REGISTRY.get_sample_value("feature_requests_total", labels) or 0


async def used(app: Any, who: Caller) -> int:
    async with client_of(app) as client:
        found = (await client.get("/v1/subscription/usage", headers=who.headers)).json()
    return int({item["meter"]: item for item in found["meters"]}["api_calls"]["used"])


async def warm(port: int, who: Caller, path: str = AUTHORIZE) -> bytes:
    """Asks until the answer comes from memory, whose fields are ready made, in another order; that answer."""
    for _ in range(30):
        (answer,) = await exchange(port, asking(path, who, b"X-Request-ID: abc-1\r\n"))
        assert answer.startswith(b"200 ")
        if answer.index(b"ratelimit-policy") < answer.index(b"x-request-id"):
            return answer
    raise AssertionError("no answer came from memory")


@pytest.mark.parametrize("path", [AUTHORIZE, PING])
async def test_fields_are_the_same_over_a_socket_and_without(app: Any, port: int, who: Caller, path: str) -> None:
    head, _, content = (await warm(port, who, path)).decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    async with client_of(app) as client:
        answer = await client.get(path, headers={**who.headers, "X-Request-ID": "abc-1"})
    others = ["date: today", *(f"{name}: {value}" for name, value in answer.headers.multi_items())]
    numbers = re.compile(r"(?<=;[rt]=)\d+|(?<=remaining: )\d+|(?<=reset: )\d+")
    assert status == f"200 {answer.reason_phrase}"
    assert sorted(numbers.sub("0", line) for line in lines) == sorted(numbers.sub("0", line) for line in others)
    assert {"x-request-id: abc-1", f"content-length: {len(content)}"} <= set(lines)


async def test_two_questions_in_a_packet_are_two_answers_and_two_calls(
    app: Any, port: int, state: ServerState, who: Caller
) -> None:
    await warm(port, who)
    before = counted(), await used(app, who), state.total_requests
    answers = await exchange(port, asking(AUTHORIZE, who) + asking(AUTHORIZE, who))
    assert [answer[:4] for answer in answers] == [b"200 ", b"200 "]
    left = [int(re.findall(rb";r=(\d+)", answer)[1]) for answer in answers]
    assert left[0] - left[1] == 1
    assert (counted(), await used(app, who), state.total_requests) == (before[0] + 2, before[1] + 2, before[2] + 3)


async def test_a_question_with_a_body_is_answered_and_so_is_what_follows(port: int, who: Caller) -> None:
    await warm(port, who)
    bodies: list[tuple[bytes | float, ...]] = [
        (b"Content-Length: 5\r\n\r\nhello",),
        (b"Content-Length: 5\r\n\r\nhe", 0.05, b"llo"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0.05, b"0\r\nX-A: 1\r\n\r\n"),
        (b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",),
    ]
    for body in bodies:
        question, ping = await exchange(port, asking(AUTHORIZE, who)[:-2], *body, asking(PING, who))
        assert question.startswith(b"200 OK\r\n")
        assert question.endswith(b"\r\n\r\n")
        assert b'"message":"pong"' in ping


async def test_what_comes_with_a_question_takes_its_time_and_its_turn(port: int, who: Caller) -> None:
    """It is under way, so that the connection is not idle; and a question behind it waits."""
    await warm(port, who)
    spend = asking("/v1/usage/consume", who, b"Content-Type: application/json\r\nContent-Length: 27\r\n", b"POST")
    question = asking(AUTHORIZE, who)
    answers = await exchange(port, question + spend, IDLE * 1.3, b'{"meter":"jobs","amount":1}' + question)
    assert [b"x-feature-plan" in answer for answer in answers] == [True, False, True]
    assert b'"allowed":true' in answers[1]
