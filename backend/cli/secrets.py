"""`feature secrets`: the keys that sign tokens and those that hide secrets at rest, and how they are changed."""

from datetime import datetime

import typer

from backend.auth.service.second_factor import SecondFactor
from backend.cli.output import Json, data, data_json, say
from backend.cli.work import in_database
from backend.core.clock import SystemClock
from backend.core.settings import get_settings
from backend.db.session import SystemSession
from backend.security.encryption import Encryption, key_path
from backend.security.key_file import replace
from backend.security.signing_keys import rotate_files, rotated_variables

app = typer.Typer(help="Keys of the platform itself: rotate, rewrap.", no_args_is_help=True)

_BATCH = 500


@app.command("rotate-signing")
def rotate_signing(json: Json = False) -> None:
    """The next key signs from now on; tokens of the one before it stay good for JWT_PREVIOUS_GRACE_SECONDS.

    Keys in FEATURE_HOME are changed there. Where they come from the environment the new variables are printed, and
    nothing is changed. Running processes go on with the keys that they have until they are restarted; one after
    another is fine.
    """
    settings = get_settings()
    now = SystemClock().now()
    if settings.jwt_jwk_current is None:
        keys = rotate_files(settings.feature_home, now=now)
        if json:
            data_json({"current": keys.current.kid})
        say(f"The key {keys.current.kid} signs from now on. Restart the API; several processes one after another.")
        return
    _print(rotated_variables(settings, now=now), json=json)


@app.command("rotate-encryption")
def rotate_encryption(json: Json = False) -> None:
    """Adds a key under which secrets are written from now on; the others stay for reading.

    After the restart, `feature secrets rewrap` writes all of them anew.
    """
    settings = get_settings()
    ring = Encryption.from_settings(settings).ring.with_new()
    if settings.encryption_keys is None:
        replace(key_path(settings), str(ring))
        if json:
            data_json({"active": ring.active})
        say(f"The key {ring.active} is used from now on. Restart the API, then run: feature secrets rewrap")
        return
    _print({"ENCRYPTION_KEYS": str(ring), "ENCRYPTION_KEY_ACTIVE": ring.active}, json=json)


@app.command("rewrap")
def rewrap(json: Json = False) -> None:
    """Writes every secret that is under an older key anew, under the active one, so that the older can be removed."""
    encryption = Encryption.from_settings(get_settings())
    factor, total = SecondFactor(encryption), 0

    async def batch(session: SystemSession, now: datetime) -> int:
        return await factor.rewrap(session, limit=_BATCH)

    while found := in_database(batch):
        total += found
    older = [name for name in encryption.ring.keys if name != encryption.ring.active]
    if json:
        data_json({"rewrapped": total, "active": encryption.ring.active, "no_longer_needed": older})
    say(f"{total} secrets were written anew. " + (f"No longer needed: {', '.join(older)}." if older else ""))


def _print(variables: dict[str, str], *, json: bool) -> None:
    if json:
        data_json(variables)
    else:
        for name, value in variables.items():
            data(f"{name}={value}")
    say("Nothing was changed. Set these, and restart the processes one after another.")
