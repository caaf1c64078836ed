"""`feature audit`: whether the log of what operators did is as it was written."""

from datetime import datetime
from typing import Annotated

import typer

from backend.admin import sealing
from backend.admin.sealing import Head, Verdict
from backend.cli.output import CommandError, Json, data, data_json, say
from backend.cli.work import in_database
from backend.core.settings import get_settings
from backend.db.session import SystemSession
from backend.security.encryption import Encryption

app = typer.Typer(help="The audit log: verify.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The audit log: verify."""


@app.command("verify")
def verify(
    noted: Annotated[
        str | None, typer.Option(help="A seal that was noted before, as NUMBER:MAC; it must be in the chain.")
    ] = None,
    json: Json = False,
) -> None:
    """Follows the chain of seals from its beginning, and compares every event with its seal.

    It prints the newest seal. Note it where nobody who can write to the database can, and give it next time: only
    so is a log found out whose end was cut off, seals and all.
    """
    try:
        head = Head.parse(noted) if noted else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    encryption = Encryption.from_settings(get_settings())

    async def work(session: SystemSession, now: datetime) -> Verdict:
        return await sealing.verify(session, encryption, now=now, noted=head)

    found = in_database(work)
    _show(found, json=json)
    if found.faults:
        raise CommandError("The audit log is not as it was written.")


def _show(found: Verdict, *, json: bool) -> None:
    head = str(found.head) if found.head else None
    if json:
        counts = {name: getattr(found, name) for name in ("seals", "events", "forgotten", "unsealed")}
        data_json({"ok": not found.faults, "head": head, **counts, "faults": list(found.faults)})
        return
    for fault in found.faults:
        data(fault)
    kept = f"{found.events} events under {found.seals} seals; {found.forgotten} were let go of by rule"
    say(f"{kept}; {found.unsealed} are not sealed yet.")
    if head:
        data(head)
