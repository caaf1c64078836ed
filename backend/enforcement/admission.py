"""Who is calling, and whether they may call this often: what is asked before any route runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feature_platform.core.decision import whole_seconds
from feature_platform.core.gcra import RateLimit

from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.auth.principal import Principal
from backend.auth.service.credentials import Credentials, Presented, Refused
from backend.catalog.service import Catalogs
from backend.catalog.terms import Catalog
from backend.core.settings import Settings
from backend.db.session import Database
from backend.enforcement.acting import USAGE_WRITE, ensure_may
from backend.enforcement.address import Address, is_in
from backend.enforcement.errors import AccountSuspended, RateLimited
from backend.enforcement.headers import Rated
from backend.ratelimit.memory import MemoryRateStore
from backend.ratelimit.model import Bucket, account_subject, address_subject, key_subject
from backend.ratelimit.store import RateStore
from backend.subscription.entitlements import Entitlements, resolve

API_SCOPE, SERVICE_SCOPE, GUARD_SCOPE = "api", "service", "guard"
_GUARD_FACTOR = 10
_STANDARD = RateLimit(requests=100, per_seconds=60, burst=100)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is known of a caller: a verified principal, nobody, or somebody with a bad credential."""

    principal: Principal | Refused | None
    entitlements: Entitlements | None
    rated: Rated | None
    bucket: Bucket | None = None
    """The account's bucket, where that is what counted."""

    def spender(self) -> tuple[Principal, Entitlements]:
        """Who spends, and on which terms. Raises what stands against it: Unauthenticated, ScopeMissing, RoleMissing."""
        principal = self.principal
        if isinstance(principal, Refused):
            raise principal
        if principal is None:
            raise Unauthenticated("Send a token or an API key: `Authorization: Bearer ...`.")
        if self.entitlements is None:
            raise ScopeMissing("A service key has no account of its own; sign in, or use a personal key.")
        ensure_may(principal, USAGE_WRITE)
        return principal, self.entitlements


class Admission:
    """Verifies the credential and counts the request, by account, service key or address.

    A refused call costs the account nothing. It costs the address a unit of a guard, ten times as large as the
    anonymous limit and kept by each process; an address that has used it up is refused before anything is looked up.
    Whose credential and limits are in memory is not asked for it.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        catalogs: Catalogs,
        credentials: Credentials,
        rates: RateStore,
    ) -> None:
        self._settings = settings
        self._database = database
        self._catalogs = catalogs
        self._credentials = credentials
        self._rates = rates
        self._guards = MemoryRateStore()
        standard = RateLimit(
            settings.rate_limit_default_requests or _STANDARD.requests,
            settings.rate_limit_default_window_seconds or _STANDARD.per_seconds,
            settings.rate_limit_default_requests or _STANDARD.burst,
        )
        self._standard = standard
        self._guard_limit = RateLimit(
            standard.requests * _GUARD_FACTOR, standard.per_seconds, standard.burst * _GUARD_FACTOR
        )

    async def admit(
        self, authorization: str | None, *, account: str | None, address: Address, now: datetime
    ) -> Admitted:
        """Raises RateLimited, AccountSuspended; a bad credential is returned, for public routes do not mind it.

        `account` is what the header `Feature-Account` names.
        """
        await self._ask_guard(address)
        presented = await self._credentials.present(authorization, now=now)
        async with self._database.read() as session:
            principal: Principal | Refused | None = None
            if isinstance(presented, Presented):
                principal = await self._credentials.resolve(session, presented, account=account, now=now)
            else:
                principal = presented
            catalog = await self._catalogs.current(session)
            entitlements = None
            if isinstance(principal, Principal) and principal.account_id is not None:
                entitlements = await resolve(session, account_id=principal.account_id, catalogs=self._catalogs, now=now)
        if entitlements is not None and entitlements.account.status != "active":
            assert isinstance(principal, Principal)
            raise AccountSuspended(entitlements, principal)
        rated = await self._count(principal, entitlements, catalog, address)
        if rated is not None and not rated.verdict.allowed:
            raise too_many(rated, entitlements, principal)
        bucket = Bucket(API_SCOPE, account_subject(entitlements.account.id)) if entitlements is not None else None
        return Admitted(principal, entitlements, rated, bucket)

    async def note_refusal(self, address: Address) -> None:
        """A refused call takes one unit of the address's guard."""
        if not is_in(address, self._settings.rate_limit_allowlist):
            await self._guards.take(Bucket(GUARD_SCOPE, address_subject(address)), self._guard_limit)

    async def _ask_guard(self, address: Address) -> None:
        if is_in(address, self._settings.rate_limit_allowlist):
            return
        bucket = Bucket(GUARD_SCOPE, address_subject(address))
        verdict = await self._guards.take(bucket, self._guard_limit, cost=0)
        if verdict.remaining == 0:
            seconds = whole_seconds(self._guard_limit.interval)
            raise RateLimited(
                "This address has sent too many calls that were refused. Slow down.",
                headers={"Retry-After": str(seconds)},
                retry_after=seconds,
                retryable=True,
            )

    async def _count(
        self,
        principal: Principal | Refused | None,
        entitlements: Entitlements | None,
        catalog: Catalog,
        address: Address,
    ) -> Rated | None:
        if entitlements is not None:
            limit = entitlements.rate_limit(API_SCOPE) or self._standard.times(entitlements.terms.rate_limit_multiplier)
            return await self._take(API_SCOPE, account_subject(entitlements.account.id), limit)
        if isinstance(principal, Principal) and principal.key_id is not None:
            own = catalog.rate_limits.get(SERVICE_SCOPE)
            return await self._take(SERVICE_SCOPE, key_subject(principal.key_id), own) if own else None
        if is_in(address, self._settings.rate_limit_allowlist):
            return None
        return await self._take(
            API_SCOPE, address_subject(address), catalog.rate_limits.get(API_SCOPE) or self._standard
        )

    async def _take(self, scope: str, subject: Any, limit: RateLimit) -> Rated:
        return Rated(scope, await self._rates.take(Bucket(scope, subject), limit))


class TooMany(RateLimited):
    """A refusal by a rate limit, with the verdict that its header fields show, and whom it was."""

    entitlements: Entitlements | None = None
    principal: Principal | None = None

    def __init__(self, detail: str, *, rated: Rated, headers: dict[str, str], **fields: Any) -> None:
        super().__init__(detail, headers=headers, **fields)
        self.rated = rated


def too_many(rated: Rated, entitlements: Entitlements | None, principal: Principal | Refused | None) -> TooMany:
    """The refusal of a rate limit, in words."""
    verdict, limit = rated.verdict, rated.verdict.limit
    assert verdict.retry_after is not None  # a request costs one unit, and every bucket holds at least one
    seconds = max(1, whole_seconds(verdict.retry_after))
    whose = entitlements.terms.display_name if entitlements else "an anonymous caller"
    error = TooMany(
        f"{limit.requests} requests in {limit.per_seconds} s are allowed for {whose}. Wait {seconds} s.",
        rated=rated,
        headers={"Retry-After": str(seconds)},
        limit=limit.requests,
        per_seconds=limit.per_seconds,
        retry_after=seconds,
        retryable=True,
        plan=entitlements.terms.name if entitlements else None,
        fixes=[{"kind": "wait", "text": f"Wait {seconds} s."}],
    )
    error.entitlements = entitlements
    error.principal = principal if isinstance(principal, Principal) else None
    return error
