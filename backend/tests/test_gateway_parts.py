"""What a proxy asks, and refusals that are sealed: the parts of the gateway by themselves."""

import json
from datetime import timedelta
from typing import Any, cast

import pytest
from starlette.types import Message, Receive, Scope, Send

from backend.enforcement.gate import Gate, Metering
from backend.enforcement.layer import FREE, METERING
from backend.gateway.denials import DECISION_FIELD, STATUS_FIELD, Denial, Denying, Sealer
from backend.gateway.front import Front
from backend.gateway.question import AUTHORIZE, Question, read_question
from backend.security.encryption import Encryption, KeyRing, new_ring
from backend.tests.fakes.clock import ManualClock
from backend.tests.moments import NOW

DENIAL = Denial(402, (("content-type", "application/problem+json"), ("retry-after", "7")), '{"detail": "Größe: 10 €"}')
ONE_CALL = Metering("api_calls", 1)
OPEN: dict[str, Any] = {"type": "http", "method": "GET", "path": AUTHORIZE, "query_string": b"", "headers": []}


# Questions


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", Question(ONE_CALL, False)),
        (b"deny=", Question(ONE_CALL, False)),
        (b"deny=403", Question(ONE_CALL, True)),
        (b"meter=jobs&amount=3", Question(Metering("jobs", 3), False)),
        (b"amount=3&deny=403&meter=jobs", Question(Metering("jobs", 3), True)),
        (b"%6Deter=j%6Fbs", Question(Metering("jobs", 1), False)),
        (b"amount=" + b"9" * 18, Question(Metering("api_calls", 10**18 - 1), False)),
    ],
)
def test_a_question_is_read_as_the_route_reads_it(query: bytes, expected: Question) -> None:
    assert read_question(query) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        "amount=0",
        "amount=-1",
        "amount=1e3",
        "amount=+5",
        "amount=%2B5",
        "amount=1.0",
        "amount=01",
        "amount=",
        "amount=%D9%A1",  # a digit, but not of ASCII
        "amount=" + "9" * 19,
        "amount=1&amount=1",
        "meter=",
        "meter=Jobs",
        "meter=jobs%0A",
        "meter=" + "a" * 65,
        "meter=jobs&meter=jobs",
        "account_id=1",
        "&".join(f"x{number}=1" for number in range(2_000)),
        "%FF=%00",
    ],
)
def test_what_is_no_question_is_left_to_the_route_and_still_denied_as_asked(parameters: str) -> None:
    assert read_question(parameters.encode()) == Question(None, False)
    assert read_question(f"{parameters}&deny=403".encode()) == Question(None, True)


@pytest.mark.parametrize("deny", ["402", "true", "0403", "403 ", "%00"])
def test_no_other_way_of_denying_is_known(deny: str) -> None:
    assert read_question(f"deny={deny}".encode()) == Question(None, False)


def test_what_a_pass_remembers_does_not_grow_with_the_amounts() -> None:
    assert len({Metering("api_calls", amount).name for amount in range(1, 1_000)}) == 1


# The front


class NoGate(Gate):
    """Knows nobody, and counts how often it was asked for whom."""

    def __init__(self) -> None:
        nobody = cast(Any, None)
        super().__init__(engine=nobody, passes=nobody, rates=nobody, treasury=nobody)
        self.asked = 0

    def quick(self, *_: Any) -> None:
        self.asked += 1


class Application:
    """Keeps the scopes that came through."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


async def nothing() -> Message:
    raise AssertionError("nobody reads here")


async def nowhere(_: Message) -> None:
    raise AssertionError("nobody answers here")


@pytest.fixture
def behind() -> Application:
    return Application()


@pytest.fixture
def gate() -> NoGate:
    return NoGate()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(Encryption(KeyRing.parse(new_ring(), None)))


@pytest.fixture
def front(behind: Application, gate: NoGate, sealer: Sealer) -> Front:
    return Front(behind, gate=gate, sealer=sealer, clock=ManualClock(NOW))


async def test_questions_are_remembered_and_their_number_and_length_have_an_end(front: Front) -> None:
    remembered = vars(front)["_questions"]
    for number in range(1, 2_501):
        await front({**OPEN, "query_string": b"amount=%d" % number}, nothing, nowhere)
        assert len(remembered) <= 1_000
    assert remembered[b"amount=2500"] == Question(Metering("api_calls", 2_500), False)
    for number in range(10):
        await front({**OPEN, "query_string": b"x=%d" % number + b"y" * 60_000}, nothing, nowhere)
    assert max(map(len, remembered)) < 1_000


async def test_what_memory_does_not_know_goes_on_with_what_it_costs(
    front: Front, behind: Application, gate: NoGate
) -> None:
    headers = [(b"authorization", b"Bearer x")]
    await front({**OPEN, "query_string": b"amount=7", "headers": headers}, nothing, nowhere)
    assert behind.scopes[-1][METERING] == Metering("api_calls", 7)
    assert gate.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": []},
        {"headers": [(b"authorization", b"Bearer x")] * 2},
        {"headers": [(b"authorization", b"Bearer x"), (b"x", b"y" * 16_384)]},
        {"headers": [(b"authorization", b"Bearer x")], "query_string": b"amount=0"},
        {"headers": [(b"authorization", b"Bearer x")], "method": "HEAD"},
        {"headers": [(b"authorization", b"Bearer x")], "method": "POST"},
        {"headers": [(b"authorization", b"Bearer x")], "path": "/v1/gateway/authorize/"},
        {"type": "websocket"},
        {"type": "lifespan"},
    ],
)
async def test_memory_is_not_even_asked(
    front: Front, behind: Application, gate: NoGate, changes: dict[str, Any]
) -> None:
    await front({**OPEN, **changes}, nothing, nowhere)
    assert (gate.asked, len(behind.scopes)) == (0, 1)


async def test_only_denials_are_free(front: Front, behind: Application) -> None:
    for path, is_free in (("/v1/gateway/denials/x", True), ("/v1/gateway/denials", False), ("/v1/ping", False)):
        await front({**OPEN, "path": path}, nothing, nowhere)
        assert (FREE in behind.scopes[-1]) is is_free


# Denials


def test_a_denial_opens_for_a_minute_as_it_was(sealer: Sealer) -> None:
    sealed = sealer.seal(DENIAL, now=NOW)
    for seconds in (0, 1, 60):
        assert sealer.open(sealed, now=NOW + timedelta(seconds=seconds)) == DENIAL
    for seconds in (61, 3_600, -1):
        assert sealer.open(sealed, now=NOW + timedelta(seconds=seconds)) is None


def test_it_stands_in_a_path_and_in_a_field_as_it_is(sealer: Sealer) -> None:
    assert set(sealer.seal(DENIAL, now=NOW)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_what_was_changed_cut_or_made_elsewhere_opens_nothing(sealer: Sealer) -> None:
    sealed = sealer.seal(DENIAL, now=NOW)
    name, _, rest = sealed.partition(".")
    for at in range(0, len(rest) - 1, 5):
        letter = "A" if rest[at] != "A" else "B"
        assert sealer.open(f"{name}.{rest[:at]}{letter}{rest[at + 1 :]}", now=NOW) is None
        assert sealer.open(f"{name}.{rest[:at]}", now=NOW) is None
    for odd in ("", ".", name, rest, "é", f"{name}.é", f"{name}.\ud800", "x" * 10_000):
        assert sealer.open(odd, now=NOW) is None
    assert Sealer(Encryption(KeyRing.parse(new_ring(), None))).open(sealed, now=NOW) is None


def test_no_other_secret_of_the_platform_is_a_denial() -> None:
    encryption = Encryption(KeyRing.parse(new_ring(), None))
    content = json.dumps([int(NOW.timestamp()), 200, [], "welcome"])
    for about in ("", "totp:1", "mail"):
        assert Sealer(encryption).open(encryption.encrypt(content, about=about), now=NOW) is None


async def answered(sealer: Sealer, status: int, *parts: bytes) -> list[Message]:
    """What leaves, if a route answers this in parts."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    denying = Denying(send, sealer, now=NOW)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % sum(map(len, parts))), (b"x-a", b"1")]
    await denying.send({"type": "http.response.start", "status": status, "headers": headers})
    for number, part in enumerate(parts, 1):
        await denying.send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})
    return sent


@pytest.mark.parametrize(
    ("status", "expected"), [(400, 403), (401, 401), (402, 403), (403, 403), (429, 403), (503, 403)]
)
async def test_a_refusal_is_a_403_that_carries_itself(sealer: Sealer, status: int, expected: int) -> None:
    start, *body = await answered(sealer, status, b"one ", "zwölf".encode())
    assert start["status"] == expected
    assert b"".join(part["body"] for part in body) == "one zwölf".encode()
    headers = dict(start["headers"])
    assert headers[STATUS_FIELD] == b"%d" % status
    fields = (("content-type", "text/plain"), ("x-a", "1"))
    assert sealer.open(headers[DECISION_FIELD].decode(), now=NOW) == Denial(status, fields, "one zwölf")


async def test_what_passes_is_sent_on_as_it_comes(sealer: Sealer) -> None:
    start, first, second = await answered(sealer, 200, b"one ", b"two")
    assert (start["status"], first["body"], second["body"]) == (200, b"one ", b"two")
    assert DECISION_FIELD not in dict(start["headers"])
