"""Who is calling, and whether they may call this often: what is asked before any route runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feature_platform.core.decision import whole_seconds
from feature_platform.core.gcra import RateLimit

from backend.auth.errors import ScopeMissing, Unauthenticated
from backend.auth.principal import Principal
from backend.auth.service.credentials import Credentials, Presented, Refused
from backend.auth.service.host_accounts import external_id_of
from backend.auth.service.key_holders import Fault, holder_of
from backend.auth.service.key_uses import KeyUses
from backend.catalog.service import Catalogs
from backend.catalog.terms import Catalog
from backend.core.settings import Settings
from backend.db.session import Database
from backend.enforcement.acting import USAGE_WRITE, ensure_may
from backend.enforcement.address import Address, is_in
from backend.enforcement.errors import AccountSuspended, RateLimited
from backend.enforcement.impersonation import own_takes
from backend.enforcement.key_limit import KEY_SCOPE, PER_SECONDS, own_take, take_in_turn
from backend.ratelimit.memory import MemoryRateStore
from backend.ratelimit.model import Bucket, Rated, Take, account_subject, address_subject, key_subject
from backend.ratelimit.store import RateStore
from backend.security.tokens import is_service_key
from backend.subscription.entitlements import Entitlements, resolve

API_SCOPE, SERVICE_SCOPE, GUARD_SCOPE = "api", "service", "guard"
_GUARD_FACTOR = 10
_STANDARD = RateLimit(requests=100, per_seconds=60, burst=100)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is known of a caller: a verified principal, nobody, or somebody with a bad credential."""

    principal: Principal | Refused | None
    entitlements: Entitlements | None
    rated: Sequence[Rated]
    """Those that counted the request: the account's comes first, the key's own last."""
    bucket: Bucket | None = None
    """The account's bucket, where it may be counted from memory: not for an operator who acts as a user."""

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


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a key is, and on which terms. `external_id` is the host application's own id of the account."""

    principal: Principal
    entitlements: Entitlements
    external_id: str | None
    catalog: Catalog


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
        uses: KeyUses,
    ) -> None:
        self._settings = settings
        self._database = database
        self._catalogs = catalogs
        self._credentials = credentials
        self._rates = rates
        self._uses = uses
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
        if isinstance(principal, Principal):
            rated = await self._let_in(principal, entitlements, catalog, now)
        else:
            rated = await self._count(self._anonymous(catalog, address))
            _ensure_all(rated, None, None)
        bucket = None
        if entitlements is not None and isinstance(principal, Principal) and principal.impersonator_id is None:
            bucket = Bucket(API_SCOPE, account_subject(entitlements.account.id))
        return Admitted(principal, entitlements, rated, bucket)

    async def find_key(self, key: str, *, now: datetime) -> Holder | Fault:
        """Whose a key of an account is that somebody else presents, or why it is nobody's.

        A service key is nobody's whom a host application serves, whatever else is wrong with it.
        """
        if is_service_key(key):
            return "key_unknown"
        async with self._database.read() as session:
            principal = await holder_of(session, key, now=now)
            if not isinstance(principal, Principal):
                return principal
            assert principal.account_id is not None  # else it were a service key
            catalog = await self._catalogs.current(session)
            entitlements = await resolve(session, account_id=principal.account_id, catalogs=self._catalogs, now=now)
            external_id = await external_id_of(session, account_id=principal.account_id)
        assert entitlements is not None  # a key of a deleted account is revoked
        return Holder(principal, entitlements, external_id, catalog)

    async def let_in(self, holder: Holder, *, now: datetime) -> Sequence[Rated]:
        """Counts one request of a key that was found, as if it had come by itself. Raises TooMany, AccountSuspended."""
        return await self._let_in(holder.principal, holder.entitlements, holder.catalog, now)

    async def _let_in(
        self, principal: Principal, entitlements: Entitlements | None, catalog: Catalog, now: datetime
    ) -> Sequence[Rated]:
        if principal.key_id is not None:
            self._uses.note(principal.key_id, now)
        if entitlements is not None and entitlements.account.status != "active":
            raise AccountSuspended(entitlements, principal)
        if principal.requests_per_minute == 0:
            raise _closed(entitlements, principal)
        rated = await self._count([*self._of_caller(principal, entitlements, catalog), own_take(principal)])
        _ensure_all(rated, entitlements, principal)
        return rated

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

    def _of_caller(
        self, principal: Principal, entitlements: Entitlements | None, catalog: Catalog
    ) -> Sequence[Take | None]:
        """The limit of the account, or the one of all service keys."""
        if entitlements is not None:
            limit = entitlements.rate_limit(API_SCOPE) or self._standard.times(entitlements.terms.rate_limit_multiplier)
            take = Take(Bucket(API_SCOPE, account_subject(entitlements.account.id)), limit)
            return [take] if principal.impersonator_id is None else own_takes(principal, take, self._standard)
        own = catalog.rate_limits.get(SERVICE_SCOPE)
        if own is None or principal.key_id is None:
            return []
        return [Take(Bucket(SERVICE_SCOPE, key_subject(principal.key_id)), own)]

    def _anonymous(self, catalog: Catalog, address: Address) -> Sequence[Take | None]:
        if is_in(address, self._settings.rate_limit_allowlist):
            return []
        limit = catalog.rate_limits.get(API_SCOPE) or self._standard
        return [Take(Bucket(API_SCOPE, address_subject(address)), limit)]

    async def _count(self, wanted: Sequence[Take | None]) -> Sequence[Rated]:
        return await take_in_turn(self._rates, [take for take in wanted if take is not None])


class TooMany(RateLimited):
    """A refusal by a rate limit, with the verdict that its header fields show, and whom it was.

    Without a verdict it is by a key's limit of 0, under which nothing is counted.
    """

    entitlements: Entitlements | None = None
    principal: Principal | None = None

    def __init__(self, detail: str, *, rated: Rated | None, headers: dict[str, str], **fields: Any) -> None:
        super().__init__(detail, headers=headers, **fields)
        self.rated = rated


def too_many(rated: Rated, entitlements: Entitlements | None, principal: Principal | Refused | None) -> TooMany:
    """The refusal of a rate limit, in words."""
    verdict, limit = rated.verdict, rated.verdict.limit
    assert verdict.retry_after is not None  # a request costs one unit, and every bucket holds at least one
    seconds = max(1, whole_seconds(verdict.retry_after))
    whose = "an anonymous caller" if principal is None else "a service key"
    if entitlements is not None:
        whose = entitlements.terms.display_name
    if rated.scope == KEY_SCOPE:
        whose = "this key"
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


def _closed(entitlements: Entitlements | None, principal: Principal) -> TooMany:
    """The refusal of a key whose own limit lets nothing pass."""
    error = TooMany(
        "This key's own limit is 0 requests a minute, so nothing passes. Use another key.",
        rated=None,
        headers={},
        limit=0,
        per_seconds=PER_SECONDS,
        retry_after=None,
        retryable=False,
        plan=entitlements.terms.name if entitlements else None,
        fixes=[{"kind": "contact", "text": "Ask whoever manages the account for a key that may be used."}],
    )
    error.entitlements, error.principal = entitlements, principal
    return error


def _ensure_all(rated: Sequence[Rated], entitlements: Entitlements | None, principal: Principal | None) -> None:
    for rate in rated:
        if not rate.verdict.allowed:
            raise too_many(rate, entitlements, principal)
