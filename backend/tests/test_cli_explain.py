"""`feature explain`, as it is typed."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from backend.core.ids import uuid7
from backend.db.session import Database
from backend.enforcement.denials import Denials
from backend.tests.http.calls import Caller, customer
from backend.tests.moments import NOW
from backend.tests.test_cli_plans import Feature
from backend.tests.test_enforcement_denials import denied


@pytest.fixture
def feature(database_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Feature:
    return Feature(database_url, monkeypatch, capfd)


async def refused(url: str) -> tuple[Caller, str]:
    """Three more jobs, of ten of which eight were used."""
    database = Database(url)
    who, decision = await customer(database), uuid7()
    denials = Denials(database, interval=60)
    rules: list[dict[str, Any]] = [
        {"rule": "credential", "outcome": "passed", "kind": "personal_key", "key_id": None},
        {"rule": "feature", "outcome": "not_reached"},
        {"rule": "quota", "outcome": "failed", "meter": "jobs", "used": 8, "held": 0, "limit": 10, "requested": 13},
    ]
    made = replace(denied(who.person.account_id), used=8, requested=13, rules=rules)
    denials.note("one", decision, "mine-1", NOW, lambda: made)
    await denials.close()
    await database.close()
    return who, str(decision)


def test_as_text(feature: Feature, database_url: str) -> None:
    who, decision = asyncio.run(refused(database_url))
    done = feature("explain", decision, "--account", who.account_id)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "DENIED  quota_exceeded   mine-1   10 Mar 2026 12:00:00 UTC"
    assert lines[1] == "POST /v1/usage/consume   plan free, version 1"
    assert lines[2].split() == ["1", "credential", "personal_key", "pass"]
    assert lines[3].endswith("not reached")
    assert "jobs: 8 of 10 used; asked 13" in lines[4]
    assert lines[4].endswith("FAIL")
    assert lines[5].startswith("Now: refused by quota: 0 of 10 used on free, version 1; resets ")
    assert lines[6].startswith("Fixes: Move to ")
    assert lines[6].endswith("(operator) grant 3")


def test_as_json(feature: Feature, database_url: str) -> None:
    who, decision = asyncio.run(refused(database_url))
    done = feature("explain", "mine-1", "--account", who.account_id, "--json")
    found = json.loads(done.stdout)
    assert (found["id"], found["used"], found["limit"]) == (decision, 8, 10)
    now = found["now"]
    assert (now["allowed"], now["rule"], now["used"], now["grant"]) == (False, "quota", 0, 3)


def test_what_is_unknown_is_said_in_a_sentence(feature: Feature, database_url: str) -> None:
    who, _ = asyncio.run(refused(database_url))
    done = feature("explain", str(uuid7()), "--account", who.account_id)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("No refusal of this account has this id, or it is no longer kept.")
    done = feature("explain", str(uuid7()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("No refusal has this id, or it is no longer kept.")


def test_whosever_it_was(feature: Feature, database_url: str) -> None:
    who, decision = asyncio.run(refused(database_url))
    assert json.loads(feature("explain", decision, "--json").stdout)["account_id"] == who.account_id
    assert json.loads(feature("explain", "mine-1", "--json").stdout)["id"] == decision
    other, _ = asyncio.run(refused(database_url))
    done = feature("explain", "mine-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert who.account_id in done.stderr
    assert other.account_id in done.stderr
    done = feature("explain", "mine-1", "--account", other.account_id, "--json")
    assert json.loads(done.stdout)["account_id"] == other.account_id
