"""The way of a proxy's question, before everything else: most are answered from memory by what stands here.

What is not (an unknown credential, no allowance left, a refusal) goes on to the enforcement layer like any metered
request, and to the route that documents it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.clock import Clock
from backend.core.metrics import REQUESTS
from backend.enforcement.gate import Gate, Passage
from backend.enforcement.headers import NO_STORE, NOSNIFF, Fields, passage_fields, passage_lines
from backend.enforcement.layer import FREE, HALT, METERING
from backend.gateway.answers import names_of
from backend.gateway.denials import DENIALS, Denying, Sealer
from backend.gateway.question import AUTHORIZE, Question, read_question

# What is remembered of questions; a longer one is read each time.
_MOST_QUESTIONS, _LONGEST_QUESTION = 1_000, 200
GATEWAY = "/v1/gateway/"

_BODY: Message = {"type": "http.response.body", "body": b""}
_EMPTY = (b"content-length", b"0")


class Front:
    """Wraps the application, for requests whose path begins with GATEWAY."""

    def __init__(self, app: ASGIApp, *, gate: Gate, sealer: Sealer, clock: Clock) -> None:
        self._app = app
        self._gate = gate
        self._sealer = sealer
        self._clock = clock
        self._questions: dict[bytes, Question] = {}
        self._passed = REQUESTS.of("GET", AUTHORIZE, 200)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != AUTHORIZE:
            if scope["path"].startswith(DENIALS):
                scope[FREE] = True  # it is the second half of an answer that was counted
            await self._app(scope, receive, send)
            return
        if METERING not in scope and scope["method"] == "GET":
            passed = self.at_once(scope["query_string"], scope)
            if passed is not None:
                await send({"type": "http.response.start", "status": 200, "headers": fields_of(passed)})
                await send(_BODY)
                return
        if self._question(scope["query_string"]).denies_by_403:
            send = Denying(send, self._sealer, now=self._clock.now()).send
        await self._app(scope, receive, send)

    def at_once(self, query: bytes, scope: Scope) -> Passage | None:
        """Whether memory answers, by what was asked and the fields of the scope; nothing else of it is read.

        None: nothing is spent, and what was found out is in the scope, which is to go the long way. For servers that
        ask before they make more of a request than this.
        """
        question = self._question(query)
        if question.metering is None:
            return None
        found = self._gate.pass_by(scope["headers"], question.metering, self._clock.now())
        if isinstance(found, Passage):
            self._passed.number += 1
            return found
        scope[METERING], scope[HALT] = question.metering, found
        return None

    def _question(self, query: bytes) -> Question:
        return self._questions.get(query) or self._read(query)

    def _read(self, query: bytes) -> Question:
        question = read_question(query)
        if len(query) > _LONGEST_QUESTION:
            return question
        if len(self._questions) >= _MOST_QUESTIONS:
            self._questions.clear()
        self._questions[query] = question
        return question


def fields_of(passage: Passage) -> Fields:
    """The header fields of a 200 without a body."""
    return [
        _EMPTY,
        NOSNIFF,
        NO_STORE,
        *_names(passage),
        (b"x-request-id", passage.request_id),
        *passage_fields(passage),
    ]


def lines_of(passage: Passage) -> bytes:
    """The same as they go over the wire."""
    found = passage.found
    if not found.names:
        found.names = b"".join([b"%b: %b\r\n" % field for field in (_EMPTY, *_names(passage))])
    return found.names + passage_lines(passage)


def _names(passage: Passage) -> Fields:
    return [(name.encode(), value.encode()) for name, value in names_of(passage.entitlements)]
