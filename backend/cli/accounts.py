"""`feature account`: plans of a host application's accounts, and limits given beside plans."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from backend.auth.service.credentials import EXTERNAL
from backend.auth.service.host_accounts import find_account
from backend.auth.service.operators import find_user
from backend.catalog.service import Catalogs
from backend.catalog.units import InvalidAmount, amount_text, parse_amount
from backend.cli.output import CommandError, Json, data, data_json
from backend.cli.work import in_database
from backend.core.ids import AccountId
from backend.db.audit import COMMAND, Target, record
from backend.db.models import Account, Meter
from backend.db.session import SystemSession
from backend.subscription import overrides
from backend.subscription.change import assign_plan
from backend.subscription.overrides import Granted
from backend.subscription.periods import first_moment
from backend.subscription.stacking import Kind

_AMOUNT = re.compile(r"([+=])\s*(.+)", re.DOTALL)
_UNLIMITED = "unlimited"
# Digits of an amount that are read: what has more is refused, whatever they are.
_LONGEST = 20

Named = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="An account's id, external:<the host's id>, or a user's address.")
]

app = typer.Typer(help="Accounts: set-plan, grant, overrides, take-back.", no_args_is_help=True)


@app.command("set-plan")
def set_plan(
    external_id: Annotated[str, typer.Argument(help="The id that the host application gave.")],
    plan: Annotated[str, typer.Argument(help="The plan's name.")],
    days: Annotated[int, typer.Option(help="For how long, from now.")] = 30,
    json: Json = False,
) -> None:
    """Puts an account on a plan from now on, without a trial and without a charge."""

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        account = await find_account(session, external_id=external_id.removeprefix("external:"))
        found = await assign_plan(
            session,
            account_id=account.id,
            user_id=account.owner_user_id,
            plan_name=plan,
            duration_days=days,
            catalogs=Catalogs(),
            now=now,
        )
        after = {"plan": found.plan_name, "days": days}
        record(session, COMMAND, "account.set_plan", Target("account", account.id), now=now, after=after)
        return {
            "account_id": str(account.id),
            "plan_name": found.plan_name,
            "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        }

    _show(in_database(work), json=json)


@app.command("grant")
def grant(
    account: Named,
    meter: Annotated[str, typer.Argument(help="Like api_calls.")],
    amount: Annotated[str, typer.Argument(help='"+50" more, "=0" or "=5 GB" instead of the plan\'s, or "unlimited".')],
    reason: Annotated[str, typer.Option(help="Why; the customer reads it.")],
    start: Annotated[
        str | None, typer.Option("--from", help="A time with its offset, or a date in the account's zone; else now.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="A time, or the date at whose beginning it ends; else until it is taken back.")
    ] = None,
    json: Json = False,
) -> None:
    """Gives an account another limit than its plan's, in every process within a second."""

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        found = await find_account_named(session, account)
        kind, number = _amount(amount, await session.get(Meter, meter))
        zone = ZoneInfo(found.billing_zone)
        made = await overrides.grant(
            session,
            account_id=found.id,
            meter=meter,
            kind=kind,
            amount=number,
            starts_at=_moment(start, zone),
            ends_at=_moment(until, zone),
            reason=reason,
            by=None,
            catalogs=Catalogs(),
            now=now,
        )
        target = Target("account", found.id)
        record(session, COMMAND, "account.overrides.create", target, now=now, reason=made.reason, after=made.to_json())
        return _line(made)

    _show(in_database(work), json=json)


@app.command("overrides")
def list_overrides(account: Named, json: Json = False) -> None:
    """All that an account was given, the newest first."""

    async def work(session: SystemSession, now: datetime) -> tuple[list[Granted], dict[str, Meter]]:
        found = await find_account_named(session, account)
        rows, _ = await overrides.list_of(session, account_id=found.id, now=now, limit=1_000)
        return rows, {row.meter: await session.get_one(Meter, row.meter) for row in rows}

    rows, meters = in_database(work)
    if json:
        data_json([_line(row) for row in rows])
        return
    for row in rows:
        amount = amount_text(row.amount, meters[row.meter].unit, meters[row.meter].display_unit)
        times = f"{row.starts_at.isoformat()} to {row.ends_at.isoformat() if row.ends_at else 'taken back'}"
        sign = "+" if row.kind == "add" else "="
        data(f"{row.id}  {row.state}  {row.meter} {sign}{amount}  {times}  {row.reason}")


@app.command("take-back")
def take_back(
    override: Annotated[str, typer.Argument(metavar="ID", help="As `feature account overrides` says it.")],
    json: Json = False,
) -> None:
    """Ends an override now, in every process within a second."""
    try:
        override_id = UUID(override)
    except ValueError as error:
        raise CommandError(f"{override!r} is no id; `feature account overrides ACCOUNT` lists them.") from error

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        account_id = await overrides.account_of(session, override_id)
        ended = await overrides.take_back(
            session, account_id=account_id, override_id=override_id, by=None, catalogs=Catalogs(), now=now
        )
        target = Target("account", account_id)
        record(session, COMMAND, "account.overrides.delete", target, now=now, before=ended.to_json())
        return _line(ended)

    _show(in_database(work), json=json)


async def find_account_named(session: SystemSession, named: str) -> Account:
    if named.startswith(EXTERNAL):
        return await find_account(session, external_id=named.removeprefix(EXTERNAL))
    account_id: AccountId | None = None
    if "@" in named:
        account_id = (await find_user(session, email=named)).personal_account_id
    else:
        try:
            account_id = AccountId(UUID(named))
        except ValueError as error:
            raise CommandError(
                f"{named!r} is neither an account's id nor an address; a host's own id begins with {EXTERNAL}"
            ) from error
    account = await session.get(Account, account_id)
    if account is None or account.status == "deleted":
        raise CommandError(f"No account has the id {account_id}.")
    return account


def _amount(text: str, meter: Meter | None) -> tuple[Kind, int | None]:
    """In base units, or with a unit of the meter. Raises CommandError."""
    found = _AMOUNT.fullmatch(text)
    if text.removeprefix("=") == _UNLIMITED:
        return "set", None
    if found is None:
        raise CommandError(f'{text!r} is no amount: write "+50", "=500" or "unlimited".')
    kind: Kind = "add" if found[1] == "+" else "set"
    number = found[2].replace("_", "").replace(",", "")
    if number.isascii() and number.isdigit():
        return kind, int(number[:_LONGEST])
    try:
        return kind, parse_amount(found[2], meter.unit if meter else "")
    except InvalidAmount as error:
        raise CommandError(f"The amount {error}.") from error


def _moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """A time with its offset, or the beginning of a date in the account's zone. Raises CommandError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-12-31"):
            return first_moment(moment, zone)
    except ValueError as error:
        raise CommandError(f"{text!r} is no time: write 2026-12-31, or 2026-12-31T12:00+01:00.") from error
    if moment.tzinfo is None:
        raise CommandError(f"{text!r} has no offset: write 2026-12-31T12:00+01:00, or Z at the end.")
    return moment


def _line(row: Granted) -> dict[str, Any]:
    return {
        **row.to_json(),
        "account_id": str(row.account_id),
        "reason": row.reason,
        "state": row.state,
        "created_by": row.created_by and str(row.created_by),
        "created_at": row.created_at.isoformat(),
        "ended_at": row.ended_at and row.ended_at.isoformat(),
        "ended_by": row.ended_by and str(row.ended_by),
    }


def _show(found: dict[str, Any], *, json: bool) -> None:
    if json:
        data_json(found)
        return
    for name, value in found.items():
        data(f"{name}: {'' if value is None else value}")
