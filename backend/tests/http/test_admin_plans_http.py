"""Plans in the back office: who is on which version, what a new file would change, and applying exactly that."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.catalog.document import InvalidCatalog, load
from backend.core.settings import REPOSITORY
from backend.db.session import Database
from backend.tests.http.calls import problem
from backend.tests.http.test_admin_http import acts, last_act, somebody

PLANS = "/v1/admin/plans"
FILE = (REPOSITORY / "plans.toml").read_text()


def changed(before: str, after: str) -> str:
    """The file with one of its lines changed."""
    assert FILE.count(before) == 1
    return FILE.replace(before, after)


async def test_who_is_on_which_version(client: httpx.AsyncClient, database: Database) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    url = f"/v1/admin/users/{user.id}/upgrade-plan"
    await client.post(url, json={"plan_name": "pro"}, headers=root.headers)
    found = (await client.get(PLANS, headers=root.headers)).json()
    assert found["file_agrees"] is True
    plans = {plan["name"]: plan for plan in found["plans"]}
    assert [version["number"] for version in plans["pro"]["versions"]] == [1]
    assert plans["pro"]["versions"][0]["subscriptions"] == 1
    assert (plans["free"]["is_default"], plans["free"]["versions"][0]["subscriptions"]) == (True, 0)
    same = await client.post(f"{PLANS}/preview", json={"document": found["document"]}, headers=root.headers)
    assert (same.json()["refusals"], same.json()["catalog"], same.json()["plans"]) == ([], [], [])


async def test_what_the_preview_showed_is_applied_once_and_written_down(
    client: httpx.AsyncClient, database: Database
) -> None:
    root, user = await somebody(client, database, "root", "superadmin"), await somebody(client, database, "user")
    document = changed("jobs = { limit = 10, ", "jobs = { limit = 11, ")
    shown = (await client.post(f"{PLANS}/preview", json={"document": document}, headers=root.headers)).json()
    (change,) = shown["plans"]
    assert (change["plan"], change["kind"], change["version"]) == ("free", "changed", 2)
    before = await acts(database)
    body = {"document": document, "ticket": shown["ticket"]}
    applied = await client.post(PLANS, json=body, headers=root.headers)
    assert (applied.status_code, applied.json()) == (200, shown)
    act = await last_act(database)
    assert (act["action"], str(act["actor_id"]), await acts(database)) == ("plans.apply", root.id, before + 1)
    assert any("quota" in line for line in act["after"]["changes"])
    usage = (await client.get("/v1/subscription/usage", headers=user.headers)).json()
    assert usage["limits"]["jobs"] == 11
    after = (await client.get(PLANS, headers=root.headers)).json()
    assert after["file_agrees"] is False
    again = await client.post(PLANS, json=body, headers=root.headers)
    problem(again, 409, "plans_changed")
    assert await acts(database) == before + 1


async def test_who_may(client: httpx.AsyncClient, database: Database) -> None:
    body = {"document": FILE}
    for role, may in (("admin", True), ("support", False), ("billing", False), ("read_only", False)):
        caller = await somebody(client, database, f"a-{role.replace('_', '-')}", role)
        shown = await client.post(f"{PLANS}/preview", json=body, headers=caller.headers)
        assert (await client.get(PLANS, headers=caller.headers)).status_code == shown.status_code == 200
        applied = await client.post(PLANS, json={**body, "ticket": shown.json()["ticket"]}, headers=caller.headers)
        assert applied.status_code == (200 if may else 403), applied.text
    assert await acts(database) == 0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("schema = 1", "default"),
        ("not toml", "line 1"),
        (changed("schema = 1", "schema = 9"), "schema"),
        (changed("schema = 1", f"schema = 0x{'f' * 5_000}"), "64 bits"),
        (changed("jobs = { limit = 10,", f"jobs = {{ limit = 0x{'f' * 5_000},"), "64 bits"),
        ("a" + ".a" * 29_000 + " = 1", "too deeply"),
    ],
)
async def test_mistakes_are_named_and_change_nothing(
    client: httpx.AsyncClient, database: Database, document: str, words: str
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    before = (await client.get(PLANS, headers=root.headers)).json()
    for path, more in (("/preview", {}), ("", {"ticket": "x"})):
        body: dict[str, Any] = {"document": document, **more}
        found = problem(await client.post(PLANS + path, json=body, headers=root.headers), 422, "plans_invalid")
        assert any(words in each for each in found["problems"]), found["problems"]
    assert (await client.get(PLANS, headers=root.headers)).json() == before
    assert await acts(database) == 0


async def test_a_meter_that_was_counted_is_not_taken_away(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    document = changed('unit = "job"', 'unit = "task"')
    shown = await client.post(f"{PLANS}/preview", json={"document": document}, headers=root.headers)
    assert any("jobs" in each for each in shown.json()["refusals"])
    body = {"document": document, "ticket": shown.json()["ticket"]}
    problem(await client.post(PLANS, json=body, headers=root.headers), 409, "catalog_refused")
    assert await acts(database) == 0


async def test_what_changes_something_else_than_was_shown_writes_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    document = changed("jobs = { limit = 10, ", "jobs = { limit = 11, ")
    async with database.system() as other:
        # Whoever wrote would wait for this account: it has the default plan.
        await other.execute(text("SELECT FROM accounts FOR UPDATE"))
        body = {"document": document, "ticket": "of something else"}
        problem(await client.post(PLANS, json=body, headers=root.headers), 409, "plans_changed")
    assert await acts(database) == 0


@pytest.mark.alone
async def test_others_are_served_while_a_file_is_read(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    features = "".join(f"[features.{'ab' * 29}{number:03d}]\nname = 'x'\n" for number in range(90))
    wrong = "".join(f"'{'ba' * 29}{number:03d}', " for number in range(95))
    document = changed('features = ["api_access"]', f"features = [{wrong}]") + features
    began = time.thread_time()
    with pytest.raises(InvalidCatalog, match="there is no feature"):
        # Each wrong name is compared with all that there are: what takes the longest.
        load(document)
    cost = time.thread_time() - began
    longest = []
    for _ in range(3):
        reading = asyncio.create_task(
            client.post(f"{PLANS}/preview", json={"document": document}, headers=root.headers)
        )
        longest.append(0.0)
        while not reading.done():
            before = time.monotonic()
            await asyncio.sleep(0)
            longest[-1] = max(longest[-1], time.monotonic() - before)
        problem(await reading, 422, "plans_invalid")
    assert min(longest) < cost / 2, (longest, cost)
