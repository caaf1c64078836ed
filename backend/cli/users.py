"""`feature user`: people who sign in."""

import asyncio
import getpass
import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from backend.auth.service.addresses import normal
from backend.auth.service.operators import SUPERADMIN, create_active_user, find_user, grant_role, set_locked
from backend.auth.service.second_factor import SecondFactor
from backend.cli.output import CommandError, Json, data, data_json
from backend.cli.work import in_database
from backend.core.settings import get_settings
from backend.db.audit import COMMAND, Target, record
from backend.db.models import User
from backend.db.session import SystemSession
from backend.security.encryption import Encryption
from backend.security.errors import PasswordRefused
from backend.security.passwords import Passwords, ensure_acceptable
from backend.subscription.service import upgrade_user_plan

Email = Annotated[str, typer.Argument(help="The address that they sign in with.")]

app = typer.Typer(help="Users: create, set-superadmin, set-plan, lock, unlock, reset-2fa.", no_args_is_help=True)


@app.command("create")
def create(
    email: Email,
    superadmin: Annotated[bool, typer.Option("--superadmin", help="May do everything.")] = False,
    json: Json = False,
) -> None:
    """Makes a user who may sign in at once. The password is read from stdin."""
    address = normal(email, local=True)
    password_hash = asyncio.run(_hashed(_read_password(), address))

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        roles = [SUPERADMIN] if superadmin else []
        await create_active_user(session, email=address, password_hash=password_hash, roles=roles, now=now)
        user = await find_user(session, email=address)
        _record(session, "user.create", user, now, after={"email": user.email, "roles": roles})
        return {"id": str(user.id), "email": user.email, "account_id": str(user.personal_account_id)}

    _show(in_database(work), json=json)


@app.command("set-superadmin")
def set_superadmin(email: Email, json: Json = False) -> None:
    """Lets a user do everything."""

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        user = await find_user(session, email=email)
        await grant_role(session, user_id=user.id, role=SUPERADMIN)
        _record(session, "user.roles", user, now, after={"added": [SUPERADMIN]})
        return {"id": str(user.id), "email": user.email, "is_superadmin": True}

    _show(in_database(work), json=json)


@app.command("set-plan")
def set_plan(
    email: Email,
    plan: Annotated[str, typer.Argument(help="The plan's name.")],
    days: Annotated[int, typer.Option(help="For how long, from now.")] = 30,
    json: Json = False,
) -> None:
    """Puts a user's account on a plan from now on, without a trial and without a charge."""

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        user = await find_user(session, email=email)
        found = await upgrade_user_plan(session, user.id, plan, days, now=now)
        _record(session, "user.upgrade_plan", user, now, after={"plan": found.plan_name, "days": days})
        return {
            "email": user.email,
            "plan_name": found.plan_name,
            "status": found.status,
            "subscription_id": str(found.subscription_id) if found.subscription_id else None,
            "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        }

    _show(in_database(work), json=json)


@app.command("lock")
def lock(email: Email, json: Json = False) -> None:
    """Keeps a user out, at once and everywhere: their sessions end, their keys rest."""
    _set_locked(email, locked=True, json=json)


@app.command("unlock")
def unlock(email: Email, json: Json = False) -> None:
    """Lets a locked user sign in again."""
    _set_locked(email, locked=False, json=json)


@app.command("reset-2fa")
def reset_second_factor(email: Email, json: Json = False) -> None:
    """Turns two-factor sign-in off for a user who has lost both the authenticator and the recovery codes."""
    factor = SecondFactor(Encryption.from_settings(get_settings()))

    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        user = await find_user(session, email=email)
        await factor.remove(session, user_id=user.id)
        _record(session, "user.reset_2fa", user, now, after={"mfa_enabled": False})
        return {"id": str(user.id), "email": user.email, "mfa_enabled": False}

    _show(in_database(work), json=json)


def _set_locked(email: str, *, locked: bool, json: bool) -> None:
    async def work(session: SystemSession, now: datetime) -> dict[str, Any]:
        user = await find_user(session, email=email)
        if not await set_locked(session, user_id=user.id, locked=locked, now=now):
            raise CommandError(f"{user.email} is {user.status}: nothing was changed.")
        _record(session, "user.lock" if locked else "user.unlock", user, now)
        return {"id": str(user.id), "email": user.email, "status": "suspended" if locked else "active"}

    _show(in_database(work), json=json)


def _record(session: SystemSession, action: str, user: User, now: datetime, **details: Any) -> None:
    """Who can run commands here is not known by name; that it was a command is written down."""
    record(session, COMMAND, action, Target("user", user.id), now=now, **details)


async def _hashed(password: str, email: str) -> str:
    try:
        ensure_acceptable(password, email=email)
    except PasswordRefused as error:
        raise CommandError(str(error)) from error
    passwords = Passwords.from_settings(get_settings())
    try:
        return await passwords.hash(password)
    finally:
        passwords.close()


def _read_password() -> str:
    """One line of stdin; a terminal is asked, and does not show what is typed. Raises CommandError."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ", stream=sys.stderr)
    try:
        line = sys.stdin.buffer.readline().decode()
    except UnicodeDecodeError as error:
        raise CommandError("The password on stdin is not UTF-8.") from error
    return line.removesuffix("\n").removesuffix("\r")


def _show(found: dict[str, Any], *, json: bool) -> None:
    if json:
        data_json(found)
        return
    for name, value in found.items():
        data(f"{name}: {'' if value is None else value}")
