"""`feature key`: keys for programs."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from backend.auth.service.credentials import EXTERNAL
from backend.auth.service.host_accounts import find_account
from backend.auth.service.keys_service import (
    MOST_OVERLAP,
    USUAL_OVERLAP,
    CreatedKey,
    ListedKey,
    create_key,
    keys_named,
    list_keys,
    revoke_key,
    rotate_key,
)
from backend.auth.service.operators import find_user
from backend.cli.output import CommandError, Json, data, data_json, say
from backend.cli.work import in_database
from backend.core.ids import AccountId, UserId
from backend.db.audit import COMMAND, Target, record
from backend.db.models import Account
from backend.db.session import SystemSession

app = typer.Typer(help="API keys: create, list, rotate, revoke.", no_args_is_help=True)

# A service may have many keys; what a page is for people, is a round trip here.
_PAGE = 500


Named = Annotated[str, typer.Argument(help="Its id or prefix, or the name of a service key.")]
Whose = Annotated[
    str | None,
    typer.Option("--account", help="Among the keys of whom, by name too: an account's id, external:ID, or an address."),
]


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
        made = await create_key(session, name=name, account_id=account_id, user_id=user_id, scopes=scope or (), now=now)
        after = {"name": name, "prefix": made.prefix, "scopes": list(made.scopes)}
        record(session, COMMAND, "key.create", Target("key", made.id), now=now, after=after)
        return made

    found = in_database(work)
    _show_once(found, json=json)


@app.command("list")
def list_all(
    account: Annotated[
        str | None,
        typer.Option(help="Of whom only: an account's id, external: and the host's id, or a user's address."),
    ] = None,
    json: Json = False,
) -> None:
    """Keys that are not revoked, the newest first. Secrets are not kept, so none is shown."""

    async def work(session: SystemSession, now: datetime) -> list[ListedKey]:
        account_id = None if account is None else (await _owner(session, account))[0]
        found: list[ListedKey] = []
        while not found or len(found) % _PAGE == 0:
            before = found[-1].row.id if found else None
            page = await list_keys(session, account_id=account_id, before=before, most=_PAGE, now=now)
            if not page:
                break
            found += page
        return found

    found = in_database(work)
    if json:
        data_json([_shown(key) for key in found])
        return
    for key in found:
        row = key.row
        used = f"used {row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never used"
        ends = f", until {row.expires_at:%Y-%m-%d %H:%M}" if row.expires_at else ""
        whose = f"account {row.account_id}" if row.account_id else "service"
        data(f"{row.id}  {row.prefix}...  {whose}  {','.join(row.scopes) or '-'}  {used}{ends}  {row.name}")
    if not found:
        say("There are no keys. Make one: feature key create NAME --account ID")


@app.command("rotate")
def rotate(
    key: Named,
    account: Whose = None,
    overlap_seconds: Annotated[
        int,
        typer.Option(min=0, max=int(MOST_OVERLAP.total_seconds()), help="For how long the old secret works, too."),
    ] = int(USUAL_OVERLAP.total_seconds()),
    json: Json = False,
) -> None:
    """Gives a key another secret, which is shown once. Its id stays; the old secret works for a day by default."""

    async def work(session: SystemSession, now: datetime) -> CreatedKey:
        account_id = None if account is None else (await _owner(session, account))[0]
        keys = await keys_named(session, named=key, account_id=account_id)
        if len(keys) > 1:
            ids = ", ".join(str(each.id) for each in keys)
            raise CommandError(f"{len(keys)} keys are called {key!r}. Name one by its id: {ids}")
        made = await rotate_key(session, key=keys[0], overlap=timedelta(seconds=overlap_seconds), now=now)
        after = {"prefix": made.prefix, "overlap_seconds": overlap_seconds}
        record(session, COMMAND, "key.rotate", Target("key", made.id), now=now, after=after)
        return made

    found = in_database(work)
    _show_once(found, json=json)


@app.command("revoke")
def revoke(key: Named, account: Whose = None, json: Json = False) -> None:
    """Ends a key, at once and everywhere."""

    async def work(session: SystemSession, now: datetime) -> int:
        account_id = None if account is None else (await _owner(session, account))[0]
        keys = await revoke_key(session, named=key, account_id=account_id, now=now)
        for each in keys:
            before = {"name": each.name, "prefix": each.prefix}
            record(session, COMMAND, "key.revoke", Target("key", each.id), now=now, before=before)
        return len(keys)

    revoked = in_database(work)
    if json:
        data_json({"revoked": revoked})
    say(f"Revoked {revoked} {'key' if revoked == 1 else 'keys'}.")


def _show_once(found: CreatedKey, *, json: bool) -> None:
    if json:
        data_json({"id": str(found.id), "key": found.key, "prefix": found.prefix, "scopes": list(found.scopes)})
        return
    data(found.key)
    say(f"Key {found.id} ({found.prefix}...). Keep it now: it is not shown again.")


def _shown(key: ListedKey) -> dict[str, object]:
    row = key.row
    times = {
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "rotated_at": row.rotated_at,
        "replaced_until": key.replaced_until,
    }
    return {
        "id": str(row.id),
        "kind": row.kind,
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes,
        "account_id": str(row.account_id) if row.account_id else None,
        "user_id": str(row.user_id) if row.user_id else None,
        "rate_limit_per_minute": row.rate_limit_per_minute,
        **{name: at.isoformat() if at else None for name, at in times.items()},
    }


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
