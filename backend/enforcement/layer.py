"""The one layer around the finished application: identity of the request, admission, header fields, the last resort.

It wraps the whole stack, the part that renders 500s included, so that every answer carries its fields whatever the
endpoint returned, streamed or raised. A metered route is paid for here, before it runs: only this layer sees how the
answer ended, and takes the spend of a failed call back.
"""

import contextlib
import time
from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.auth.principal import Principal
from backend.core.clock import Clock
from backend.core.errors import PlatformError, Unavailable
from backend.core.log import REQUEST_ID
from backend.core.settings import Settings
from backend.db.session import is_unavailable
from backend.enforcement.address import Address, client_address, is_in
from backend.enforcement.admission import Admission, Admitted, TooMany, too_many
from backend.enforcement.answer import CARRIER, Answer, Carrier, InternalError, note_passed
from backend.enforcement.bulkhead import Bulkhead
from backend.enforcement.denials import Denials
from backend.enforcement.desk import Desk
from backend.enforcement.errors import AccountSuspended, AddressDenied, HeadersTooLarge
from backend.enforcement.gate import METERED, Gate, Halt, Metering, Passage, caller_of
from backend.enforcement.headers import passage_decision
from backend.enforcement.impersonation import Impersonations
from backend.enforcement.incoming import MAX_HEADER_BYTES, Incoming, text_of
from backend.enforcement.journal import boot_nanoseconds
from backend.enforcement.passes import Strict, pass_name
from backend.enforcement.witness import Witness

_REFUSED_BY_CREDENTIAL = 401
_SERVER_ERROR = 500
# Signing in is much work for a process, and anybody can ask for it.
_SIGN_IN = "/v1/auth/"
_SIGN_INS_AT_ONCE = 8
_MOST_SIGN_INS_WAITING = 128
# What an endpoint answers to input that it cannot use; such a call was not served.
_BAD_INPUT = frozenset({400, 422})

# In the scope of a request that was asked about before it came here: what it costs, and what was found out.
METERING, HALT = "feature.metering", "feature.halt"
# A request that no limit counts.
FREE = "feature.free"

log = structlog.get_logger("requests")


class EnforcementLayer:
    """Wraps `app`. Routes below /v1/ are admitted first; system routes are neither counted nor looked up."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        admission: Admission,
        gate: Gate,
        denials: Denials,
        impersonations: Impersonations,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._app = app
        self._impersonations = impersonations
        self._admission = admission
        self._gate = gate
        self._denials = denials
        self._settings = settings
        self._clock = clock
        self._metered = METERED
        self._errors_url = settings.api_base_url
        self._sign_ins = Bulkhead(at_once=_SIGN_INS_AT_ONCE, waiting=_MOST_SIGN_INS_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now, asked = self._clock.now(), scope.get(METERING)
        extensions = scope.get("extensions")
        # Taken out, for the two know each other: garbage would be looked for.
        carrier: Carrier | None = extensions.pop(CARRIER, None) if extensions else None
        metering: Metering | None = asked or self._metered.get((scope["method"], scope["path"]))
        found = scope.get(HALT)
        if metering is not None and asked is None:
            found = self._gate.pass_by(scope["headers"], metering, now)
            if isinstance(found, Halt) and found.verdict is None:
                with contextlib.suppress(Exception):  # the long way asks again, and says what is wrong
                    found = await self._gate.rate(found, metering, now)
            if isinstance(found, Passage):
                await self._let_pass(scope, receive, send, found, now, carrier)
                return
            if found is not None and found.strict is not None:
                drawn = await self._draw(scope, receive, send, found, found.strict, metering, now)
                if drawn is not None:
                    await self._let_pass(scope, receive, send, drawn, now, carrier)
                return
        incoming = Incoming(scope["headers"])
        answer = Answer(scope, send, incoming.request_id, now=now, errors_url=self._errors_url)
        answer.halt = found
        await self._guard(answer, self._take(scope, receive, answer, incoming, metering))
        if answer.status == _REFUSED_BY_CREDENTIAL and FREE not in scope:
            await self._admission.note_refusal(client_of(scope, incoming, self._settings))

    async def _let_pass(
        self, scope: Scope, receive: Receive, send: Send, passage: Passage, now: datetime, carrier: Carrier | None
    ) -> None:
        """A call that is paid for."""
        began, request_id = time.perf_counter(), passage.request_id.decode()
        told = _told(scope, request_id, passage, now)
        if carrier is None:
            answer = Answer(scope, send, request_id, now=now, errors_url=self._errors_url, began=began)
            answer.passage = passage
            await self._guard(answer, self._app(told, receive, answer.send))
            return
        carrier.passage = passage
        REQUEST_ID.set(request_id)  # for as long as its task lives
        try:
            await self._app(told, receive, send)
        except Exception as error:
            answer = Answer(scope, send, request_id, now=now, errors_url=self._errors_url, began=began)
            answer.passage, answer.status = passage, carrier.status
            answer.is_complete = carrier.response_complete
            if carrier.status is None:
                carrier.passage = None  # this answer adds its fields itself
            await self._guard(answer, _raising(error))
            return
        status = carrier.status or _SERVER_ERROR
        if status >= _SERVER_ERROR or status in _BAD_INPUT:
            self._gate.take_back(passage)
        note_passed(scope, status, began)

    async def _draw(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        halt: Halt,
        strict: Strict,
        metering: Metering,
        now: datetime,
    ) -> Passage | None:
        """A known caller whose spend is to be durable before the call runs. None: it was answered the long way."""
        answering: Awaitable[None] | None = None
        try:
            passage = await self._gate.draw(halt, strict, metering, now)
        except Exception as error:
            answering = _raising(error)
        else:
            if passage is not None:
                return passage
        answer = Answer(scope, send, halt.request_id.decode(), now=now, errors_url=self._errors_url)
        answer.halt = halt
        answering = answering or self._take(scope, receive, answer, Incoming(scope["headers"]), metering)
        await self._guard(answer, answering)
        return None

    async def _guard(self, answer: Answer, answering: Awaitable[None]) -> None:
        """However it ends, the caller has an answer, and a call that was not served has cost nothing."""
        token = answer.bind()
        try:
            await answering
        except PlatformError as error:
            await answer.refuse(error)
        except Exception as error:  # the last resort
            await self._fail(answer, error)
        status = answer.status or _SERVER_ERROR
        if status >= _SERVER_ERROR or status in _BAD_INPUT:
            if answer.passage is not None:
                self._gate.take_back(answer.passage)
            elif answer.give_back is not None:
                answer.give_back()
        answer.log()
        answer.unbind(token)

    async def _take(
        self, scope: Scope, receive: Receive, answer: Answer, incoming: Incoming, metering: Metering | None
    ) -> None:
        """The long way."""
        if scope["path"].startswith(_SIGN_IN):
            async with self._sign_ins:
                await self._admit(scope, answer, incoming, metering)
                await self._app(scope, receive, answer.send)
        else:
            await self._admit(scope, answer, incoming, metering)
            await self._app(scope, receive, answer.send)

    async def _admit(self, scope: Scope, answer: Answer, incoming: Incoming, metering: Metering | None) -> None:
        address = client_of(scope, incoming, self._settings)
        state = scope.setdefault("state", {})
        witness = Witness(self._denials, scope, answer.request_id, answer.now)
        state.update(
            request_id=answer.request_id,
            now=answer.now,
            client_address=address,
            principal=None,
            entitlements=None,
            rates={},
            metered=answer.metered,
            witness=witness,
        )
        if incoming.is_too_large:
            raise HeadersTooLarge(f"The header fields are over {MAX_HEADER_BYTES:,} bytes together.")
        if is_in(address, self._settings.rate_limit_denylist):
            raise AddressDenied("This address is on the deny list; ask the operator.")
        incoming.ensure_one_credential()
        if FREE in scope or not scope["path"].startswith("/v1/"):
            return
        asked_at = boot_nanoseconds()
        try:
            admitted = await self._halted(answer.halt, answer.now) or await self._admission.admit(
                text_of(incoming.authorization),
                account=text_of(incoming.account) or None,
                address=address,
                now=answer.now,
            )
        except TooMany as error:
            answer.rated = (error.rated,) if error.rated is not None else ()
            witness.too_often(error)
            await self._admission.note_refusal(address)
            raise
        except AccountSuspended as error:
            witness.suspended(error)
            raise
        answer.rated = admitted.rated
        rates = {rate.scope: rate.verdict for rate in admitted.rated}
        state.update(principal=admitted.principal, entitlements=admitted.entitlements, rates=rates)
        if isinstance(admitted.principal, Principal) and admitted.principal.impersonator_id is not None:
            await self._impersonations.let_in(
                admitted.principal,
                method=scope["method"],
                path=scope["path"],
                route=scope["app"].state.paths.of(scope),
                spends=metering is not None,
                address=str(address),
                request_id=answer.request_id,
                now=answer.now,
            )
        if metering is not None:
            await self._pay(state, answer, incoming, admitted, metering, asked_at)

    async def _halted(self, halt: Halt | None, now: datetime) -> Admitted | None:
        """What is known already of a call that was stopped on the quick way. Raises TooMany.

        None also where it took so long that it has to be read again.
        """
        if halt is None:
            return None
        rated = await self._gate.rated(halt)
        if not halt.found.is_fresh:
            return None
        entitlements = halt.found.seat.entitlements.seen_at(now)
        for rate in rated:
            if not rate.verdict.allowed:
                raise too_many(rate, entitlements, halt.found.principal)
        return Admitted(halt.found.principal, entitlements, rated)

    async def _pay(
        self,
        state: dict[str, Any],
        answer: Answer,
        incoming: Incoming,
        admitted: Admitted,
        metering: Metering,
        asked_at: int,
    ) -> None:
        """The long way: what was read is remembered, and the spend is decided where it can be."""
        principal, entitlements = admitted.spender()
        desk = Desk(self._gate.engine, self._settings, answer.metered, state["witness"])
        if metering.feature is not None:
            desk.require(entitlements, metering.feature)
        known = answer.halt.found if answer.halt else None
        if known is None and incoming.authorization is not None and admitted.bucket and admitted.rated:
            known = self._gate.remember(
                pass_name(incoming.authorization, incoming.account),
                principal,
                entitlements,
                bucket=admitted.bucket,
                rate=admitted.rated[0].verdict.limit,
                asked_at=asked_at,
            )
        caller = caller_of(principal, entitlements, answer.now)
        outcome = await self._gate.spend(caller, entitlements, metering, known_as=known)
        decision, answer.give_back = desk.settle(outcome), outcome.give_back
        state["spent"] = lambda: to_json(decision)

    async def _fail(self, answer: Answer, error: Exception) -> None:
        if answer.is_complete:  # it was answered and logged where it was raised, and is only passing through
            return
        if answer.status is not None:
            raise error  # cut off in the middle: the connection must break, or the answer would look whole
        if is_unavailable(error):
            await answer.refuse(
                Unavailable("The database does not answer; nothing was changed.", headers={"Retry-After": "1"})
            )
            return
        log.error("request_failed", path=answer.path, method=answer.method, exc_info=error)
        await answer.refuse(InternalError("Nothing was changed. The request id leads the operator to the cause."))


def _told(scope: Scope, request_id: str, passage: Passage, now: datetime) -> Scope:
    """What was found out of a request that is paid for, where its route looks for it."""
    found, state = passage.found, scope.setdefault("state", {})
    state["now"], state["request_id"] = now, request_id
    state["principal"], state["entitlements"] = found.principal, found.seat.entitlements
    state["spent"] = partial(passage_decision, passage)
    return scope


async def _raising(error: Exception) -> None:
    raise error


def client_of(scope: Scope, incoming: Incoming, settings: Settings) -> Address:
    """Where the request comes from."""
    peer = scope["client"][0] if scope.get("client") else None
    return client_address(peer, incoming.forwarded, settings.trusted_proxies)
