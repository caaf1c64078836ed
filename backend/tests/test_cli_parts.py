"""Starting and ending processes together, and naming who has a port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.cli.banner import BannerLine, addresses, banner
from backend.cli.children import Children, Part
from backend.cli.edits import Edits
from backend.cli.node import OLDEST, find_node
from backend.cli.output import CommandError
from backend.cli.ports import describe_users, users_of
from backend.cli.serve import has_ipv6_loopback, listen
from backend.db.embedded.processes import is_alive

ROOT = Path(__file__).resolve().parents[2]

# A part that has started a process of its own, and tells its number.
_PARENT = """
import subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
child.wait()
"""

_STARTER = """
import sys, time
from pathlib import Path
from backend.cli.children import Children, Part
children = Children()
children.start(Part("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"], Path("/"), {}))
print(children._running["sleeper"].pid, flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def started(*parts: Part) -> Iterator[Children]:
    children = Children()
    try:
        for part in parts:
            children.start(part)
        yield children
    finally:
        children.stop(seconds=2)


def part(name: str, code: str, *arguments: str) -> Part:
    return Part(name, [sys.executable, "-c", code, *arguments], Path("/"), {"PATH": os.environ["PATH"]})


def wait_for_text(path: Path) -> str:
    limit = time.monotonic() + 10
    while not path.exists() or not path.read_text():
        assert time.monotonic() < limit
        time.sleep(0.02)
    return path.read_text()


def wait_until_dead(pid: int) -> None:
    limit = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < limit, f"process {pid} still runs"
        time.sleep(0.02)


def test_a_part_that_dies_is_named() -> None:
    with started(
        part("the worker", "import sys; sys.exit(3)"), part("the API", "import time; time.sleep(600)")
    ) as all_:
        limit = time.monotonic() + 10
        while all_.ended() is None:
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert all_.ended() == ("the worker", "ended with exit code 3")


def test_what_a_part_started_ends_with_it(tmp_path: Path) -> None:
    with started(part("parent", _PARENT, str(tmp_path / "pid"))):
        grandchild = int(wait_for_text(tmp_path / "pid"))
        assert is_alive(grandchild)
    wait_until_dead(grandchild)


def test_a_part_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, sys, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        " pathlib.Path(sys.argv[1]).write_text('x'); time.sleep(600)"
    )
    children = Children()
    children.start(part("deaf", deaf, str(tmp_path / "ready")))
    wait_for_text(tmp_path / "ready")
    begun = time.monotonic()
    children.stop(seconds=0.3)
    assert time.monotonic() - begun < 5
    assert children.ended() is None


def test_parts_end_when_their_starter_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _STARTER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert is_alive(pid)
        starter.send_signal(signal.SIGKILL)
    wait_until_dead(pid)


def test_a_part_whose_starter_is_killed_before_it_has_begun_does_not_begin() -> None:
    at_once = _STARTER.replace("time.sleep(600)\n", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n")
    for _ in range(10):
        done = subprocess.run([sys.executable, "-c", at_once], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == -signal.SIGKILL
        wait_until_dead(int(done.stdout))


def test_a_busy_port_is_named_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert os.getpid() in [user.pid for user in users_of(port)]
        assert f"port {port} is in use by" in describe_users(port)
        assert f"(pid {os.getpid()})" in describe_users(port)
        with pytest.raises(CommandError, match=f"localhost:{port} cannot be used"):
            listen("localhost", port)
    assert users_of(port) == []
    assert describe_users(port) == ""


def test_localhost_means_both_loopback_addresses() -> None:
    with contextlib.ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        sockets = [stack.enter_context(listener) for listener in listen("localhost", port)]
        found = [listener.getsockname()[0] for listener in sockets]
        assert found == (["127.0.0.1", "::1"] if has_ipv6_loopback() else ["127.0.0.1"])


def test_an_edit_is_found_once(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("1")
    edits = Edits(tmp_path)
    assert not edits.found()
    (tmp_path / "two.py").write_text("2")
    time.sleep(1.05)
    assert edits.found()
    time.sleep(1.05)
    assert not edits.found()


def test_a_banner_never_breaks_a_value() -> None:
    long = "http://localhost:5173/sign-in?token=" + "x" * 200
    text = banner([*addresses(api="http://localhost:8000", web="http://localhost:5173"), BannerLine("Sign in", long)])
    assert long in text
    assert "http://localhost:8000/docs" in text


def test_node_is_found_with_its_version() -> None:
    node = find_node()
    assert node is not None
    assert node[1] >= OLDEST
