"""`feature secrets`: the keys that sign tokens and those that hide secrets at rest, and how they are changed."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Annotated

import typer

from backend.auth.service.second_factor import SecondFactor
from backend.cli.output import CommandError, Json, data, data_json, say
from backend.cli.work import in_database
from backend.core.clock import SystemClock
from backend.core.settings import Settings, get_settings
from backend.db.session import SystemSession
from backend.security.encryption import Encryption, KeyRing, key_path
from backend.security.errors import RotationTooSoon, SecretUnreadable
from backend.security.key_file import alone, replace
from backend.security.signing_keys import rotate_files, rotated_variables

app = typer.Typer(help="Keys of the platform itself: rotate, activate, rewrap.", no_args_is_help=True)

_BATCH = 500


@app.command("rotate-signing")
def rotate_signing(
    force: Annotated[
        bool, typer.Option("--force", help="Also when tokens of the previous key are still good; they are refused.")
    ] = False,
    json: Json = False,
) -> None:
    """The next key signs from now on; tokens of the one before it stay good for JWT_PREVIOUS_GRACE_SECONDS.

    Keys in FEATURE_HOME are changed there. Where they come from the environment the new variables are printed, and
    nothing is changed. Running processes go on with the keys that they have until they are restarted; one after
    another is fine, all of them before the next rotation.
    """
    settings = get_settings()
    grace = timedelta(0) if force else timedelta(seconds=settings.jwt_previous_grace_seconds)
    now = SystemClock().now()
    try:
        if settings.jwt_jwk_current is not None:
            _print(rotated_variables(settings, grace=grace, now=now), json=json)
            return
        keys = rotate_files(settings.feature_home, grace=grace, now=now)
    except RotationTooSoon as error:
        raise CommandError(f"{error} Where that is meant, say --force.") from error
    if json:
        data_json({"current": keys.current.kid})
    say(f"The key {keys.current.kid} signs from now on. Restart the API; several processes one after another.")


@app.command("rotate-encryption")
def rotate_encryption(json: Json = False) -> None:
    """Adds a key for secrets at rest that is only read: every process must know it before one writes under it.

    After a restart of all processes, `feature secrets activate-encryption NAME` has new secrets written under it.
    """
    settings = get_settings()
    with _alone(settings):
        before = Encryption.from_settings(settings).ring
        ring = before.with_readable()
        (added,) = ring.keys.keys() - before.keys.keys()
        if _keep(settings, ring, json=json):
            return
    if json:
        data_json({"added": added, "active": ring.active})
    say(f"The key {added} was added. Restart the API, then run: feature secrets activate-encryption {added}")


@app.command("activate-encryption")
def activate_encryption(
    name: Annotated[str, typer.Argument(help="The key's name, as rotate-encryption said it.")], json: Json = False
) -> None:
    """Has secrets at rest written under a key that every running process knows; the others stay for reading.

    After the restart, `feature secrets rewrap` writes all of them anew.
    """
    settings = get_settings()
    with _alone(settings):
        try:
            ring = Encryption.from_settings(settings).ring.with_active(name)
        except ValueError as error:
            raise CommandError(f"{error}.") from error
        if _keep(settings, ring, json=json):
            return
    if json:
        data_json({"active": ring.active})
    say(f"The key {ring.active} is used from now on. Restart the API, then run: feature secrets rewrap")


@app.command("rewrap")
def rewrap(json: Json = False) -> None:
    """Writes every secret that is under another key anew, under the active one, so that older ones can be removed."""
    encryption = Encryption.from_settings(get_settings())
    factor, total = SecondFactor(encryption), 0

    async def batch(session: SystemSession, now: datetime) -> int:
        return await factor.rewrap(session, limit=_BATCH)

    try:
        while found := in_database(batch):
            total += found
    except SecretUnreadable as error:
        raise CommandError(f"A secret cannot be read: {error}.") from error
    others = [name for name in encryption.ring.keys if name != encryption.ring.active]
    if json:
        data_json({"rewrapped": total, "active": encryption.ring.active, "not_in_use": others})
    say(f"{total} secrets were written anew. " + (f"Nothing is under {', '.join(others)} now." if others else ""))


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """No other command changes the keys' file meanwhile, where there is one."""
    return alone(key_path(settings).parent) if settings.encryption_keys is None else nullcontext()


def _keep(settings: Settings, ring: KeyRing, *, json: bool) -> bool:
    """Writes the keys to their file, or prints the variables where they come from the environment: then True."""
    if settings.encryption_keys is None and settings.encryption_key_active is None:
        replace(key_path(settings), str(ring))
        return False
    _print({"ENCRYPTION_KEYS": str(ring), "ENCRYPTION_KEY_ACTIVE": ring.active}, json=json)
    return True


def _print(variables: dict[str, str], *, json: bool) -> None:
    if json:
        data_json(variables)
    else:
        for name, value in variables.items():
            data(f"{name}={value}")
    say("Nothing was changed. Set these, and restart the processes one after another.")
