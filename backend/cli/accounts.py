"""`feature account`: accounts of a host application."""

from datetime import datetime
from typing import Annotated, Any

import typer

from backend.auth.service.host_accounts import find_account
from backend.catalog.service import Catalogs
from backend.cli.output import Json, data, data_json
from backend.cli.work import in_database
from backend.db.session import SystemSession
from backend.subscription.change import assign_plan

app = typer.Typer(help="Accounts of a host application: set-plan.", no_args_is_help=True)


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
        return {
            "account_id": str(account.id),
            "plan_name": found.plan_name,
            "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        }

    found = in_database(work)
    if json:
        data_json(found)
        return
    for name, value in found.items():
        data(f"{name}: {'' if value is None else value}")
