"""`feature explain`: why a request was refused, then and now."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from backend.catalog.service import Catalogs
from backend.cli.accounts import find_account_named
from backend.cli.database import held
from backend.cli.output import CommandError, Json, data, data_json
from backend.core.clock import SystemClock
from backend.core.ids import AccountId
from backend.core.settings import Settings, get_settings
from backend.db import migrate
from backend.db.session import Database
from backend.enforcement import explain as explaining
from backend.enforcement.again import Now
from backend.enforcement.engine import Engine
from backend.enforcement.errors import DecisionAmbiguous
from backend.enforcement.explain import Explained
from backend.enforcement.recalls import Recalls
from backend.usage.settlement import CounterKey

_OUTCOMES = {"passed": "pass", "failed": "FAIL", "not_reached": "not reached"}
_WIDTH = 66


def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A decision's or a request's id.")],
    account: Annotated[
        str | None,
        typer.Option(help="Whose, if several: an account's id, external:<the host's id>, or a user's address."),
    ] = None,
    json: Json = False,
) -> None:
    """Says why a request was refused, whosever it was, and what it would be answered now. Spends nothing."""
    settings = get_settings()
    with held(settings) as server:
        if migrate.pending(server.url):
            raise CommandError("The database is not at the newest migration. Run: feature migrate")
        found = asyncio.run(_explained(server.url, settings, name, account))
    if json:
        data_json(_plain(found))
    else:
        data("\n".join(_lines(found)))


async def _explained(url: str, settings: Settings, name: str, account: str | None) -> Explained:
    database = Database(url, pool_size=2)
    # Of what running processes hold, those that are asked for it give back what they have not spent.
    recalls = Recalls(database, _hold_nothing)
    upgrade_url = f"{settings.frontend_base_url}/app/plans"
    engine = Engine(database, Catalogs(), upgrade_url=upgrade_url, recalls=recalls)
    try:
        if account is None:
            whose = await _account_refused(engine, name)
        else:
            async with database.system() as session:
                whose = (await find_account_named(session, account)).id
        return await explaining.explain(engine, whose, name, now=SystemClock().now(), rates={}, to_operator=True)
    finally:
        await engine.close()
        await database.close()


async def _hold_nothing(key: CounterKey) -> None:
    """A command has nothing to give back itself."""


async def _account_refused(engine: Engine, name: str) -> AccountId:
    try:
        return await explaining.account_refused(engine, name)
    except DecisionAmbiguous as error:
        accounts = ", ".join(each["account_id"] for each in error.fields["decisions"])
        raise CommandError(f"{error.detail} --account is one of: {accounts}") from error


def _lines(found: Explained) -> list[str]:
    denial, zone = found.denial, ZoneInfo(found.zone)
    times = "" if denial.count == 1 else f"   {denial.count:,} times until {_at(denial.last_at, zone)}"
    lines = [f"DENIED  {denial.code}   {denial.request_ids[0]}   {_at(denial.first_at, zone)} {found.zone}{times}"]
    lines.append(f"{denial.method} {denial.path}   plan {denial.plan}, version {denial.plan_version}")
    for number, rule in enumerate(found.rules, 1):
        said = "" if rule["outcome"] == "not_reached" else _said(rule, found)
        lines.append(f"{number:2} {rule['rule']:<14}{said:<{_WIDTH}}{_OUTCOMES[rule['outcome']]}".rstrip())
    return [*lines, f"Now: {_now(found.now, zone)}", f"Fixes: {_fixes(found.now)}"]


def _said(rule: Any, found: Explained) -> str:
    if rule["rule"] == "credential":
        return f'key {found.key.prefix}... "{found.key.name}"' if found.key else str(rule["kind"])
    facts = {name: value for name, value in rule.items() if name not in ("rule", "outcome", "overrides")}
    if "used" in facts:
        held = f", {rule['held']:,} held" if rule["held"] else ""
        return f"{rule['meter']}: {rule['used']:,} of {rule['limit']:,} used{held}; asked {rule['requested']:,}"
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None and "period" not in name)


def _now(now: Now, zone: ZoneInfo) -> str:
    answer = {True: "allowed", False: f"refused by {now.rule}", None: "only the next request can tell"}[now.allowed]
    numbers = ""
    if now.used is not None:
        limit = "unlimited" if now.limit is None else f"{now.limit:,}"
        numbers = f": {now.used:,} of {limit} used" + (f", {now.held:,} held" if now.held else "")
    resets = f"; resets {_at(now.resets_at, zone)}" if now.resets_at else ""
    return f"{answer}{numbers} on {now.plan}, version {now.plan_version}{resets}"


def _fixes(now: Now) -> str:
    texts = [fix.text.rstrip(".") for fix in now.fixes]
    if now.grant is not None:
        texts.append(f"(operator) grant {now.grant:,}")
    return " · ".join(texts) or "none needed"


def _at(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%d %b %Y %H:%M:%S}"


def _plain(found: Explained) -> dict[str, Any]:
    denial, now = found.denial, found.now
    names = ("code", "meter", "scope", "method", "path", "used", "held", "requested", "plan", "plan_version", "count")
    return {
        "id": str(denial.id),
        "account_id": str(denial.account_id),
        **{name: getattr(denial, name) for name in names},
        "limit": denial.limit_amount,
        "first_at": denial.first_at.isoformat(),
        "last_at": denial.last_at.isoformat(),
        "request_ids": denial.request_ids,
        "decision_ids": [str(each) for each in denial.decision_ids],
        "rules": [dict(rule) for rule in found.rules],
        "key": found.key and {"id": str(found.key.id), "name": found.key.name, "prefix": found.key.prefix},
        "now": {
            "as_of": now.as_of.isoformat(),
            "resets_at": now.resets_at and now.resets_at.isoformat(),
            **{name: getattr(now, name) for name in ("allowed", "rule", "plan", "plan_version", "used", "held")},
            **{name: getattr(now, name) for name in ("limit", "remaining", "grant")},
            "fixes": [fix.to_json() for fix in now.fixes],
        },
    }
