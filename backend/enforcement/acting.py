"""For which account a caller may act."""

from datetime import datetime
from uuid import UUID

from backend.auth.errors import AccountUnknown, ScopeMissing
from backend.auth.principal import Principal
from backend.auth.service.host_accounts import ensure_account, is_external_id
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.subscription.repository import account_by_external_id

USAGE_READ, USAGE_WRITE, ACCOUNTS_CREATE = "usage:read", "usage:write", "accounts:create"
_OPERATOR = "superadmin"
_EXTERNAL = "external:"


def may_lower(principal: Principal) -> bool:
    """Whether the caller may lower a level: no customer lowers their own bill."""
    if principal.kind == "service_key":
        return USAGE_WRITE in principal.scopes
    return _OPERATOR in principal.roles


async def acting_account(
    database: Database, principal: Principal, *, named: str | None, scope: str, now: datetime
) -> AccountId:
    """The account that a request is for. `named` is an id, or `external:` and the host application's own id.

    A service key needs `scope` and names an account, which is made on the default plan if the key may create
    accounts; an operator may name one; everybody else acts for their own, in their role there, and another one is as
    unknown as one that does not exist. Raises ScopeMissing, RoleMissing, AccountUnknown, InvalidInput.
    """
    ensure_may(principal, scope)
    if named is None:
        if principal.account_id is None:
            raise InvalidInput("account_id: a service key names the account it acts for.")
        return principal.account_id
    found = await _find(database, named)
    if found is None and principal.kind == "service_key" and ACCOUNTS_CREATE in principal.scopes:
        found = await _create(database, named, now)
    is_free = principal.kind == "service_key" or _OPERATOR in principal.roles
    if found is None or (found != principal.account_id and not is_free):
        raise AccountUnknown("No account of yours has this id.")
    return found


def ensure_may(principal: Principal, scope: str) -> None:
    """A person may do what their role allows, a personal key without scopes reads and spends for its account, other
    keys do what they list. Raises ScopeMissing, RoleMissing."""
    principal.ensure("read" if scope == USAGE_READ else "spend")
    if principal.key_id is None or (principal.kind == "personal_key" and not principal.scopes):
        return
    if scope not in principal.scopes and not (scope == USAGE_READ and USAGE_WRITE in principal.scopes):
        raise ScopeMissing(f"This key lacks the scope {scope}.", scope=scope)


async def _create(database: Database, named: str, now: datetime) -> AccountId | None:
    """The account of a new external id, on the default plan. None for a name that is no external id."""
    external_id = named.removeprefix(_EXTERNAL)
    if external_id == named or not is_external_id(external_id):
        return None
    async with database.system() as session:
        await ensure_account(session, external_id=external_id, now=now)
    return await _find(database, named)


async def _find(database: Database, named: str) -> AccountId | None:
    if named.startswith(_EXTERNAL):
        async with database.read() as session:
            return await account_by_external_id(session, external_id=named.removeprefix(_EXTERNAL))
    try:
        return AccountId(UUID(named))
    except ValueError:
        return None
