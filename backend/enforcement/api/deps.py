"""What the routes of spending ask for."""

from typing import Annotated

from fastapi import Depends, Header, Request

from backend.auth.api.deps import CurrentPrincipal, Now
from backend.core.errors import InvalidInput
from backend.enforcement.acting import USAGE_READ, USAGE_WRITE, acting_account
from backend.enforcement.desk import Desk
from backend.enforcement.engine import Caller
from backend.subscription.entitlements import Entitlements
from backend.usage.model import Source

IdempotencyHeader = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="The same key: the same effect, once."),
]


def _desk(request: Request) -> Desk:
    """The engine, with the place where this answer's header fields take their decisions from."""
    state = request.app.state
    return Desk(state.engine, state.settings, request.state.metered, request.state.witness)


SpendingDesk = Annotated[Desk, Depends(_desk)]


class Callers:
    """Finds out for which account a request is."""

    def __init__(self, request: Request, principal: CurrentPrincipal, now: Now) -> None:
        self._request = request
        self.principal = principal
        self._now = now

    async def reader(self, account_id: str | None) -> Caller:
        return await self._caller(account_id, USAGE_READ)

    async def spender(self, account_id: str | None, properties: dict[str, object] | None = None) -> Caller:
        return await self._caller(account_id, USAGE_WRITE, properties)

    async def _caller(self, named: str | None, scope: str, properties: dict[str, object] | None = None) -> Caller:
        principal = self.principal
        database = self._request.app.state.database
        account_id = await acting_account(database, principal, named=named, scope=scope, now=self._now)
        own: Entitlements | None = self._request.state.entitlements
        return Caller(
            account_id=account_id,
            by=Source(key_id=principal.key_id, subject=principal.recorded_as, properties=properties),
            user_id=principal.user_id,
            now=self._now,
            entitlements=own if own is not None and own.account.id == account_id else None,
        )


CurrentCallers = Annotated[Callers, Depends()]


def one_key(in_body: str | None, in_header: str | None) -> str | None:
    """The identity of a spend: the header is an alias of the body's field. Raises InvalidInput for two keys."""
    if in_body is not None and in_header is not None and in_body != in_header:
        raise InvalidInput("idempotency_key and the header Idempotency-Key differ; send one of them.")
    return in_body if in_body is not None else in_header
