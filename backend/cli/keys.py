"""`feature key`: keys for programs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from backend.auth.service.credentials import EXTERNAL
from backend.auth.service.host_accounts import find_account
from backend.auth.service.keys_service import CreatedKey, create_key, revoke_key
from backend.auth.service.operators import find_user
from backend.cli.output import CommandError, Json, data, data_json, say
from backend.cli.work import in_database
from backend.core.ids import AccountId, UserId
from backend.db.models import Account
from backend.db.session import SystemSession

app = typer.Typer(help="API keys: create, revoke.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    account: Annotated[
        str | None,
        typer.Option(help="Whose: an account's id, external: and the host's id, or a user's address."),
    ] = None,
    service: Annotated[bool, typer.Option("--service", help="For the host application; has no account.")] = False,
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; repeat for more.")] = None,
    json: Json = False,
) -> None:
    """Makes a key. It is shown once: only its hash is kept."""
    if (account is None) != service:
        raise typer.BadParameter("say whose key it is: --account ID, or --service")

    async def work(session: SystemSession, now: datetime) -> CreatedKey:
        account_id, user_id = (None, None) if account is None else await _owner(session, account)
        return await create_key(session, name=name, account_id=account_id, user_id=user_id, scopes=scope or (), now=now)

    found = in_database(work)
    if json:
        data_json({"id": str(found.id), "key": found.key, "prefix": found.prefix, "scopes": list(found.scopes)})
        return
    data(found.key)
    say(f"Key {found.id} ({found.prefix}...). Keep it now: it is not shown again.")


@app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(help="Its id, prefix or name.")], json: Json = False) -> None:
    """Ends a key, at once and everywhere."""

    async def work(session: SystemSession, now: datetime) -> int:
        return await revoke_key(session, named=key, now=now)

    revoked = in_database(work)
    if json:
        data_json({"revoked": revoked})
    say(f"Revoked {revoked} {'key' if revoked == 1 else 'keys'}.")


async def _owner(session: SystemSession, named: str) -> tuple[AccountId, UserId | None]:
    if named.startswith(EXTERNAL):
        found = await find_account(session, external_id=named.removeprefix(EXTERNAL))
        return found.id, found.owner_user_id
    if "@" in named:
        user = await find_user(session, email=named)
        return user.personal_account_id, user.id
    try:
        account = await session.get(Account, UUID(named))
    except ValueError as error:
        raise CommandError(f"{named!r} is neither an account's id nor an address.") from error
    if account is None or account.status == "deleted":
        raise CommandError(f"No account has the id {named}.")
    return account.id, account.owner_user_id
