"""Making the cluster: once, whole or not at all."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from backend.db.embedded.launch import Launcher, run
from backend.db.embedded.layout import Layout

ADMIN = "postgres"
OWNER = "feature"
DATABASE = "feature_db"

BUILTIN_LOCALES_SINCE = 17
SELF_GRANT_SINCE = 16
SCRAM_ITERATIONS_SINCE = 16

_ACCESS = """\
# TYPE  DATABASE  USER  ADDRESS         METHOD
local   all       all                   scram-sha-256
host    all       all   127.0.0.1/32    scram-sha-256
host    all       all   ::1/128         scram-sha-256
"""


@dataclass(frozen=True)
class Passwords:
    """Of the cluster's superuser and of the owner of the application's database. Letters and digits only."""

    admin: str
    owner: str


def read_passwords(layout: Layout) -> Passwords:
    """The two passwords of a server that runs, from a file that only its owner reads."""
    return Passwords(**json.loads(layout.passwords.read_bytes()))


def restore_passwords(layout: Layout, launcher: Launcher) -> None:
    """Gives new passwords to a cluster whose file of passwords is gone. Needs the supervisor's lock, and no server."""
    if layout.passwords.exists():
        return
    made = _new_passwords()
    _run_alone(launcher, str(layout.data), _password_statements(made, launcher.binaries.major))
    layout.write(layout.passwords, json.dumps(asdict(made)))


def make_cluster(layout: Layout, launcher: Launcher) -> None:
    """Makes the data folder with roles and database. A half-made one from before is thrown away.

    Needs the supervisor's lock. Raises EmbeddedError.
    """
    shutil.rmtree(layout.unfinished_data, ignore_errors=True)
    layout.unfinished_data.mkdir(mode=0o700)
    os.chown(layout.unfinished_data, launcher.uid, launcher.gid)
    folder = str(layout.unfinished_data)
    access = ("--auth-local=reject", "--auth-host=reject", f"--username={ADMIN}")  # replaced below, with passwords
    run(launcher, "initdb", ["-D", folder, "-k", "--encoding=UTF8", *_locale(launcher), *access, "--no-instructions"])
    # The file exists already and keeps its owner and mode.
    (layout.unfinished_data / "pg_hba.conf").write_text(_ACCESS)
    made = _new_passwords()
    major = launcher.binaries.major
    _run_alone(launcher, folder, [*_role_statements(major), *_password_statements(made, major)])
    layout.write(layout.passwords, json.dumps(asdict(made)))
    layout.unfinished_data.rename(layout.data)


def server_settings(*, port: int, socket_folder: str) -> Mapping[str, str]:
    """What the server is started with. Durability is stated, so that no file in the data folder can weaken it."""
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": socket_folder,
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "track_io_timing": "on",
        "jit": "off",  # its compile time is longer than the short statements here
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_line_prefix": "%m [%p] %d ",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "cluster_name": OWNER,
    }


def _locale(launcher: Launcher) -> list[str]:
    if launcher.binaries.major >= BUILTIN_LOCALES_SINCE:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _new_passwords() -> Passwords:
    return Passwords(admin=secrets.token_hex(24), owner=secrets.token_hex(24))


def _run_alone(launcher: Launcher, folder: str, statements: Sequence[str]) -> None:
    """Runs statements without a server. Single-user mode reads one a line and checks no password."""
    options = ("-c", "exit_on_error=on", "-c", "log_min_messages=warning", "-c", "password_encryption=scram-sha-256")
    run(launcher, "postgres", ["--single", "-D", folder, *options, ADMIN], text="\n".join(statements) + "\n")


def _password_statements(secret: Passwords, major: int) -> list[str]:
    # 4,096 iterations, the default, slow down who guesses what people choose, and are most of what a connection costs.
    # These are 192 random bits.
    quick = ["SET scram_iterations = 1"] if major >= SCRAM_ITERATIONS_SINCE else []
    return [*quick, f"ALTER ROLE {ADMIN} PASSWORD '{secret.admin}'", f"ALTER ROLE {OWNER} PASSWORD '{secret.owner}'"]


def _role_statements(major: int) -> list[str]:
    lines = [f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER CREATEDB CREATEROLE"]
    if major >= SELF_GRANT_SINCE:
        # Before 16 every CREATEROLE role could grant itself what it made; since then it says so here.
        lines.append(f"ALTER ROLE {OWNER} SET createrole_self_grant = 'set, inherit'")
    lines.append(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    return lines
