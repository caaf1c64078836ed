"""For which account a caller may act."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from backend.auth.errors import AccountUnknown, ScopeMissing
from backend.auth.principal import Principal
from backend.auth.service.host_accounts import ensure_account, is_external_id
from backend.core.errors import InvalidInput, PlatformError
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.subscription.repository import accounts_by_external_ids

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
    found = (await acting_accounts(database, principal, named=[named], scope=scope, now=now))[named]
    if isinstance(found, PlatformError):
        raise found
    return found


async def acting_accounts(
    database: Database, principal: Principal, *, named: Iterable[str | None], scope: str, now: datetime
) -> dict[str | None, AccountId | PlatformError]:
    """The same of many names, read at once: of each the account, or what would be raised of it alone."""
    names = set(named)
    try:
        ensure_may(principal, scope)
    except PlatformError as error:
        return dict.fromkeys(names, error)
    known = await _find_all(database, [name for name in names if name is not None])
    accounts: dict[str | None, AccountId | PlatformError] = {}
    for name in names:
        try:
            accounts[name] = await _acting(database, principal, name, known.get(name or ""), scope, now)
        except PlatformError as error:
            accounts[name] = error
    return accounts


async def _acting(
    database: Database, principal: Principal, named: str | None, found: AccountId | None, scope: str, now: datetime
) -> AccountId:
    if named is None:
        if principal.account_id is None:
            raise InvalidInput("account_id: a service key names the account it acts for.")
        return principal.account_id
    creates = scope == USAGE_WRITE and principal.kind == "service_key" and ACCOUNTS_CREATE in principal.scopes
    if found is None and creates:  # whoever only reads would make accounts by mistyping
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
    return (await _find_all(database, [named])).get(named)


def _is_text(external_id: str) -> bool:
    """Whether a database can be asked for it: what cannot be stored is nobody's id."""
    return "\0" not in external_id and not any("\ud800" <= letter <= "\udfff" for letter in external_id)


async def _find_all(database: Database, names: Sequence[str]) -> dict[str, AccountId]:
    """Those names that are ids, and the external ones that are there."""
    found = {}
    external = [name.removeprefix(_EXTERNAL) for name in names if name.startswith(_EXTERNAL)]
    if external:
        async with database.read() as session:
            known = await accounts_by_external_ids(session, external_ids=[id_ for id_ in external if _is_text(id_)])
        found = {f"{_EXTERNAL}{external_id}": account_id for external_id, account_id in known.items()}
    for name in names:
        if not name.startswith(_EXTERNAL):
            with suppress(ValueError):
                found[name] = AccountId(UUID(name))
    return found
