"""The API against its own description, with inputs that nobody wrote: no 5xx, and no answer that is not described."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.auth.service.operators import grant_role
from backend.catalog.service import apply_file
from backend.core.clock import SystemClock
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.tests.factories.users import QUICK
from backend.tests.faults.people import customer, service_headers
from backend.tests.faults.server import Server

pytestmark = pytest.mark.faults

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "negative_data_rejection",
    "use_after_free",
    "ignored_auth",
)


@pytest.fixture
async def server(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """With plans as they are, but for the rate limit: what is tested is what lies behind it."""
    plans = tmp_path / "plans.toml"
    text = (REPOSITORY / "plans.toml").read_text()
    plans.write_text(text.replace("api = { requests = 100,", "api = { requests = 100000,"))
    await apply_file(database, plans, now=SystemClock().now())
    for name, value in QUICK.items():
        monkeypatch.setenv(name.upper(), str(value))
    # An answer that goes on is read to its end.
    started = Server(database_url, tmp_path, environment={"LIVE_STREAM_SECONDS": "0.05"})
    started.start()
    yield started
    started.stop()


def run(server: Server, headers: dict[str, str], *, examples: int, folder: Path) -> None:
    """Raises AssertionError with the report of what did not conform."""
    named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = [
        str(Path(sys.executable).with_name("st")),
        "run",
        f"{server.base_url}/openapi.json",
        "--max-examples",
        str(examples),
        "--checks",
        ",".join(CHECKS),
        "--phases",
        "coverage,fuzzing,stateful",
        "--continue-on-failure",
        "--generation-deterministic",
        "--no-color",
        "--warnings",
        "off",
        *named,
    ]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-12_000:] + found.stderr[-2_000:]
    selected = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", found.stdout)
    assert selected is not None
    assert len(set(selected.groups())) == 1, "an operation was left out"


async def headers_of(database: Database, role: str) -> dict[str, str]:
    if role == "anonymous":
        return {}
    if role == "host":
        return await service_headers(database)
    who = await customer(database, plan="enterprise")
    if role == "operator":
        async with database.system() as session:
            await grant_role(session, user_id=who.person.user_id, role="superadmin")
    return who.headers


# One of them in each run, another one every day; `make prove` takes all.
ROLES = ("anonymous", "user", "host")
TODAY = ROLES[SystemClock().now().toordinal() % len(ROLES)]


@pytest.mark.parametrize("role", [os.environ.get("SCHEMATHESIS_ROLE", TODAY)])
async def test_the_api_is_as_it_is_described(server: Server, database: Database, tmp_path: Path, role: str) -> None:
    run(server, await headers_of(database, role), examples=10, folder=tmp_path)


@pytest.mark.prove
@pytest.mark.parametrize("role", ["anonymous", "user", "operator", "host"])
async def test_the_api_is_as_it_is_described_a_thousand_times(
    server: Server, database: Database, tmp_path: Path, role: str
) -> None:
    run(server, await headers_of(database, role), examples=1_000, folder=tmp_path)
