"""The embedded server as its users meet it: shared, durable, and gone when nobody needs it, whatever is killed."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from backend.db.embedded import EmbeddedError, EmbeddedPostgres, ServerInfo, database_url
from backend.db.embedded.layout import Layout
from backend.db.embedded.processes import is_alive, servers_in
from backend.db.embedded.state import State

ROOT = Path(__file__).resolve().parents[2]

_HOLDER = """
import sys
from pathlib import Path
from backend.db.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])).hold() as info:
    print(info.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One data folder for the module: each test leaves it without a server."""
    with tempfile.TemporaryDirectory(prefix="embedded-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(autouse=True)
def _nothing_left(home: Path) -> Iterator[None]:
    yield
    EmbeddedPostgres(home).release()
    wait_for(lambda: EmbeddedPostgres(home).status() is None, "the supervisor to end")
    assert servers_in(Layout.below(home).data) == []


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited {seconds} s for {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def holder(home: Path, python: str = sys.executable, prefix: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the server; it has it when this returns."""
    command = [*prefix, python, "-c", _HOLDER, str(home)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{Path(psycopg.__file__).parents[1]}"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        try:
            yield process
        finally:
            process.kill()


def running(home: Path) -> State:
    state = EmbeddedPostgres(home).status()
    assert state is not None
    assert state.phase == "ready"
    return state


def value(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def ports_of(home: Path) -> tuple[int, int]:
    state = running(home)
    assert state.postmaster is not None
    return state.supervisor, state.postmaster


def test_a_new_cluster_is_as_promised(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info:
        url = info.url()
        assert value(url, "SELECT current_user::text") == "feature"
        assert value(url, "SELECT rolsuper FROM pg_roles WHERE rolname = 'feature'") is False
        assert value(info.admin_url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
        expected = {
            "data_checksums": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "max_connections": "200",
            "TimeZone": "UTC",
            "server_encoding": "UTF8",
            "password_encryption": "scram-sha-256",
            "listen_addresses": "127.0.0.1",
        }
        assert {name: value(url, f"SHOW {name}") for name in expected} == expected
        assert value(url, "SELECT datlocale FROM pg_database WHERE datname = 'feature_db'") == "C.UTF-8"
        stored = value(info.admin_url(), "SELECT rolpassword FROM pg_authid WHERE rolname = 'feature'")
        assert str(stored).startswith("SCRAM-SHA-256$1:")  # a random password needs no slowing down
        assert len(str(info.socket_dir)) < 100
        assert info.passwords.owner not in repr(info)


def test_the_owner_makes_roles_databases_and_extensions(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info, psycopg.connect(info.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE trial_role NOLOGIN")
        connection.execute("GRANT trial_role TO feature")
        connection.execute("SET ROLE trial_role")
        connection.execute("RESET ROLE")
        connection.execute("DROP ROLE trial_role")
        connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        connection.execute("CREATE DATABASE trial_database")
        assert value(info.url("trial_database"), "SELECT current_database()::text") == "trial_database"
        connection.execute("DROP DATABASE trial_database")


def test_no_entry_without_the_password(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info:
        for host in ("127.0.0.1", str(info.socket_dir)):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(host=host, port=info.port, user="postgres", password="guess", dbname="postgres")


def test_only_the_owner_may_read_the_folder(home: Path) -> None:
    with EmbeddedPostgres(home).hold():
        before = stat.S_IMODE(home.stat().st_mode)
    root = home / "postgres"
    assert stat.S_IMODE(root.stat().st_mode) & 0o077 in (0, 0o011)
    for entry in root.iterdir():
        if entry.name != "socket":
            assert stat.S_IMODE(entry.stat().st_mode) & 0o077 == 0, entry
    assert before == 0o755, "the folder above is not ours to change"


def test_data_and_port_outlive_the_server(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as first, psycopg.connect(first.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    wait_for(lambda: EmbeddedPostgres(home).status() is None, "the server to stop")
    with EmbeddedPostgres(home).hold() as second:
        assert value(second.url(), "SELECT number FROM kept") == 42
        assert second.port == first.port


def test_processes_share_one_server(home: Path) -> None:
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(holder(home)) for _ in range(2)]
        with EmbeddedPostgres(home).hold() as info:
            assert value(info.url(), "SELECT 1") == 1
        _, postmaster = ports_of(home)
        started[0].kill()
        started[0].wait()
        time.sleep(0.6)
        assert is_alive(postmaster), "the other holder still needs it"
        started[1].kill()
        started[1].wait()
        wait_for(lambda: not is_alive(postmaster), "the server to stop after the last holder")


def test_holders_that_come_at_once_start_one_server(home: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(home)]
    together = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=20)[0].strip() for process in together}
    assert [process.returncode for process in together] == [0] * 4
    assert len(answers) == 1


def test_a_killed_supervisor_takes_its_server_along(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info:
        with psycopg.connect(info.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE acknowledged AS SELECT 1 AS number")
        supervisor, postmaster = ports_of(home)
        os.kill(supervisor, signal.SIGKILL)
        wait_for(lambda: not is_alive(postmaster), "the server to follow its supervisor")
        with EmbeddedPostgres(home).hold() as again:
            assert value(again.url(), "SELECT number FROM acknowledged") == 1
            assert ports_of(home)[0] != supervisor


def test_a_holder_that_comes_while_an_orphan_is_stopping_gets_a_server(home: Path) -> None:
    with EmbeddedPostgres(home).hold():
        supervisor, _ = ports_of(home)
        os.kill(supervisor, signal.SIGKILL)
        wait_for(lambda: not is_alive(supervisor), "the supervisor to be gone")
        with EmbeddedPostgres(home).hold() as info:
            assert value(info.url(), "SELECT 1") == 1


def test_a_killed_server_is_started_again_on_its_port(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info:
        with psycopg.connect(info.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE survived AS SELECT 7 AS number")
            _, postmaster = ports_of(home)
            os.kill(postmaster, signal.SIGKILL)
        wait_for(lambda: is_ready_again(home, postmaster), "the server to be started again", 20)
        with EmbeddedPostgres(home).hold() as again:
            assert again.port == info.port
            assert value(info.url(), "SELECT number FROM survived") == 7


def is_ready_again(home: Path, before: int) -> bool:
    state = EmbeddedPostgres(home).status()
    return state is not None and state.phase == "ready" and state.postmaster != before


def test_everything_killed_at_once_leaves_nothing_and_starts_again(home: Path) -> None:
    with holder(home) as process:
        supervisor, postmaster = ports_of(home)
        for pid in (process.pid, supervisor, postmaster):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: servers_in(Layout.below(home).data) == [], "all parts of the server to end")
    # The pid file that stayed names a living stranger: PostgreSQL alone would refuse to start.
    pid_file = Layout.below(home).data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with EmbeddedPostgres(home).hold() as info:
        assert value(info.url(), "SELECT 1") == 1


def test_a_busy_port_is_changed(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as first:
        pass
    wait_for(lambda: EmbeddedPostgres(home).status() is None, "the server to stop")
    with socket.create_server(("127.0.0.1", first.port)), EmbeddedPostgres(home).hold() as second:
        assert second.port != first.port
        assert value(second.url(), "SELECT 1") == 1


def test_it_stays_for_as_long_as_was_asked(home: Path) -> None:
    server = EmbeddedPostgres(home)
    with server.hold(keep_for=0.8) as info:
        _, postmaster = ports_of(home)
    with psycopg.connect(info.url(), autocommit=True):
        time.sleep(1.5)
        assert is_alive(postmaster), "an open connection is use"
    wait_for(lambda: not is_alive(postmaster), "the server to stop after its time")
    with server.hold(keep_for=600):
        _, postmaster = ports_of(home)
    time.sleep(0.5)
    assert is_alive(postmaster)
    server.release()
    wait_for(lambda: not is_alive(postmaster), "the server to stop when it is released")


def test_a_lost_file_of_passwords_is_made_again(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as first:
        pass
    wait_for(lambda: EmbeddedPostgres(home).status() is None, "the server to stop")
    Layout.below(home).passwords.unlink()
    with EmbeddedPostgres(home).hold() as second:
        assert second.passwords != first.passwords
        assert value(second.url(), "SELECT 1") == 1


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="DATABASE_URL"), EmbeddedPostgres(tmp_path / "file").hold():
        pass


def test_its_own_address_means_the_server_and_starts_it(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info:
        printed = info.url("postgres")
    wait_for(lambda: EmbeddedPostgres(home).status() is None, "the server to stop")
    with database_url(printed, home) as url:
        assert value(url, "SELECT current_database()::text") == "postgres"


def test_psql_finds_the_server_by_its_variables(home: Path) -> None:
    with EmbeddedPostgres(home).hold() as info:
        assert ask_psql(info) == "feature@feature_db"


def ask_psql(info: ServerInfo) -> str:
    command = [str(info.bin_dir / "psql"), "-XAtc", "SELECT current_user || '@' || current_database()"]
    done = subprocess.run(command, env=dict(info.environment()), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_deep_folder_has_a_short_socket_and_a_normal_user_is_served() -> None:
    """As root this runs as the user nobody; else as who we are."""
    with tempfile.TemporaryDirectory(prefix="embedded-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / ("deep-" + "x" * 90)
        home.mkdir()
        prefix: tuple[str, ...] = ()
        if os.geteuid() == 0:
            os.chown(home, 65_534, 65_534)
            prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        python = reachable_python(prefix)
        with holder(home, python, prefix):
            state = running(home)
            assert state.postmaster is not None
            assert state.socket_folder is not None
            assert len(state.socket_folder) < 100
            if prefix:
                assert Path(f"/proc/{state.postmaster}").stat().st_uid == 65_534
                with EmbeddedPostgres(home).hold() as joined:
                    assert value(joined.url(), "SELECT 1") == 1
        wait_for(lambda: not is_alive(state.supervisor), "the supervisor to end")
        assert not is_alive(state.postmaster)
        if prefix:
            # The same folder, now started by root: the server runs as the one who owns the data.
            with EmbeddedPostgres(home).hold() as info:
                _, postmaster = ports_of(home)
                assert value(info.url(), "SELECT 1") == 1
                assert Path(f"/proc/{postmaster}").stat().st_uid == 65_534
            wait_for(lambda: EmbeddedPostgres(home).status() is None, "the server to stop")
        shutil.rmtree(state.socket_folder, ignore_errors=True)


_CHECK = """
import os, sys
sys.exit(sys.version_info < (3, 11) or not os.access(os.path.realpath(sys.executable), os.X_OK))
"""


def reachable_python(prefix: tuple[str, ...]) -> str:
    """A Python that the user of `prefix` may run; root's own may be below a closed folder."""
    for python in (sys.executable, "/usr/bin/python3"):
        check = [*prefix, python, "-c", _CHECK]
        with contextlib.suppress(OSError):
            if subprocess.run(check, cwd="/", capture_output=True, check=False).returncode == 0:
                return python
    raise AssertionError("no Python 3.11 that an unprivileged user can reach: install Debian's python3")
