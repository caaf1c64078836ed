"""The way of a proxy's question, before everything else: most are answered from memory by what stands here.

What is not (an unknown credential, no allowance left, a refusal) goes on to the enforcement layer like any metered
request, and to the route that documents it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.clock import Clock
from backend.core.ids import request_id
from backend.core.metrics import REQUESTS
from backend.core.settings import Settings
from backend.enforcement.gate import Gate, Metering, Passage
from backend.enforcement.headers import passage_fields
from backend.enforcement.incoming import MAX_HEADER_BYTES, REQUEST_ID
from backend.enforcement.layer import FREE, HALT, METERING
from backend.enforcement.passes import Pass, pass_name
from backend.gateway.answers import names_of
from backend.gateway.denials import DENIALS, Denying, Sealer
from backend.gateway.question import AUTHORIZE, Question, read_question

# What is remembered of questions; a longer one is read each time.
_MOST_QUESTIONS, _LONGEST_QUESTION = 1_000, 200
GATEWAY = "/v1/gateway/"

_BODY: Message = {"type": "http.response.body", "body": b""}
_FIXED = (
    (b"content-length", b"0"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class Front:
    """Wraps the application, for requests whose path begins with GATEWAY."""

    def __init__(self, app: ASGIApp, *, gate: Gate, sealer: Sealer, settings: Settings, clock: Clock) -> None:
        self._app = app
        self._gate = gate
        self._sealer = sealer
        self._clock = clock
        self._looks_at_addresses = bool(settings.rate_limit_denylist)
        self._questions: dict[bytes, Question] = {}
        self._passed = REQUESTS.labels("GET", AUTHORIZE, 200)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != AUTHORIZE:
            if scope["path"].startswith(DENIALS):
                scope[FREE] = True  # it is the second half of an answer that was counted
            await self._app(scope, receive, send)
            return
        question = self._questions.get(scope["query_string"]) or self._read(scope["query_string"])
        if question.metering is not None and scope["method"] == "GET":
            headers = self._pass(scope, question.metering)
            if headers is not None:
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send(_BODY)
                return
            scope[METERING] = question.metering
        if question.denies_by_403:
            send = Denying(send, self._sealer, now=self._clock.now()).send
        await self._app(scope, receive, send)

    def _read(self, query: bytes) -> Question:
        question = read_question(query)
        if len(query) > _LONGEST_QUESTION:
            return question
        if len(self._questions) >= _MOST_QUESTIONS:
            self._questions.clear()
        self._questions[query] = question
        return question

    def _pass(self, scope: Scope, metering: Metering) -> list[tuple[bytes, bytes]] | None:
        """The header fields of a request that passes from memory. None: nothing is decided; nothing is spent."""
        authorization, account, given, size = None, b"", None, 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"authorization":
                if authorization is not None:
                    return None
                authorization = value
            elif name == b"feature-account":
                account = value
            elif name == b"x-request-id":
                given = value
        if authorization is None or size > MAX_HEADER_BYTES or self._looks_at_addresses:
            return None
        now = self._clock.now()
        found = self._gate.quick(pass_name(authorization, account), metering, now, int(now.timestamp()))
        if not isinstance(found, Passage):
            scope[HALT] = found
            return None
        self._passed.inc()
        own = given if given is not None and REQUEST_ID.fullmatch(given) else request_id().encode()
        return [
            *_FIXED,
            (b"x-request-id", own),
            *self._names(found.found),
            *passage_fields(found),
        ]

    def _names(self, found: Pass) -> list[tuple[bytes, bytes]]:
        if not found.names:
            found.names = [(name.encode(), value.encode()) for name, value in names_of(found.seat.entitlements)]
        return found.names
