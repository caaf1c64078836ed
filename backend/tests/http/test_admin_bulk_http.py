"""Acts on many users: the preview tells who, exactly these are affected, and each has their line in the audit log."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.admin.bulk_work import BulkWork
from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.tests.factories.users import PASSWORD
from backend.tests.http.calls import Headers, mails, problem
from backend.tests.http.test_admin_http import NOBODY, Somebody, acts, last_act, somebody
from backend.tests.moments import NOW

BULK = "/v1/admin/bulk-actions"
_OF_EACH = text(
    "SELECT action, reason, actor_id, target_id FROM audit_events WHERE action = :action ORDER BY target_id"
)


@pytest.fixture
def work(app: FastAPI, database: Database) -> BulkWork:
    return BulkWork(database, catalogs=Catalogs(), confirmations=app.state.confirmations)


async def preview(client: httpx.AsyncClient, who: Headers, **wish: Any) -> dict[str, Any]:
    answer = await client.post(f"{BULK}/preview", json=wish, headers=who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def start(client: httpx.AsyncClient, who: Headers, ticket: str, **wish: Any) -> httpx.Response:
    return await client.post(BULK, json={**wish, "ticket": ticket, "reason": "an incident"}, headers=who)


async def finished(client: httpx.AsyncClient, who: Headers, work: BulkWork, made: httpx.Response) -> dict[str, Any]:
    assert made.status_code == 202, made.text
    while await work.go_on(now=NOW):
        pass
    found: dict[str, Any] = (await client.get(f"{BULK}/{made.json()['id']}", headers=who)).json()
    return found


async def people(client: httpx.AsyncClient, database: Database, count: int) -> list[Somebody]:
    return [await somebody(client, database, f"user{number}") for number in range(count)]


async def test_those_whom_the_preview_showed_are_locked_and_each_has_a_line(
    client: httpx.AsyncClient, database: Database, work: BulkWork
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    admin = await somebody(client, database, "admin", "admin")
    users = await people(client, database, 4)
    await client.post(f"/v1/admin/users/{users[3].id}/lock", json={"reason": "before"}, headers=root.headers)
    wish = {"action": "lock", "ids": [*(user.id for user in users), root.id, admin.id, NOBODY, users[0].id]}
    before = await acts(database)
    shown = await preview(client, admin.headers, **wish)
    assert (shown["matched"], shown["affected"]) == (7, 3)
    assert shown["left_out"] == {"unknown": 1, "protected": 2, "state": 1}
    assert await acts(database) == before

    made = await start(client, admin.headers, shown["ticket"], **wish)
    assert (made.json()["state"], made.json()["waiting"]) == ("running", 3)
    act = await last_act(database)
    assert (act["action"], act["reason"], act["after"]) == (
        "users.bulk",
        "an incident",
        {"action": "lock", "users": 3},
    )
    done = await finished(client, admin.headers, work, made)
    assert (done["state"], done["total"], done["done"], done["waiting"], done["left_out"]) == ("finished", 3, 3, 0, {})
    for user in users[:3]:
        assert (await client.get("/v1/auth/me", headers=user.headers)).status_code == 401
    assert (await client.get("/v1/auth/me", headers=root.headers)).status_code == 200
    async with database.read() as session:
        lines = (await session.execute(_OF_EACH, {"action": "user.lock"})).all()
    assert [(line.reason, line.target_id) for line in lines if line.reason != "before"] == sorted(
        ("an incident", user.id) for user in users[:3]
    )
    assert {str(line.actor_id) for line in lines if line.reason != "before"} == {admin.id}
    listed = (await client.get(BULK, headers=admin.headers)).json()
    assert (listed["total"], listed["items"]) == (1, [done])
    pages = [await client.get(BULK, params={"page_size": size}, headers=admin.headers) for size in (20, 21)]
    assert [page.status_code for page in pages] == [200, 422]


async def test_other_users_than_shown_are_not_affected(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    await people(client, database, 2)
    wish: dict[str, Any] = {"action": "revoke_sessions", "filter": {"q": "user"}}
    shown = await preview(client, root.headers, **wish)
    assert shown["affected"] == 2
    await somebody(client, database, "user-who-came-later")
    before = await acts(database)
    answer = await start(client, root.headers, shown["ticket"], **wish)
    assert (answer.status_code, answer.json()["code"]) == (409, "users_changed")
    assert await acts(database) == before
    nobody = await start(client, root.headers, "x", action="lock", ids=[NOBODY])
    assert nobody.status_code == 409
    empty = await preview(client, root.headers, action="lock", ids=[NOBODY])
    answer = await start(client, root.headers, empty["ticket"], action="lock", ids=[NOBODY])
    assert answer.status_code == 422


async def test_plans_links_and_sessions(client: httpx.AsyncClient, database: Database, work: BulkWork) -> None:
    root = await somebody(client, database, "root", "superadmin")
    users = await people(client, database, 2)
    ids = [user.id for user in users]
    plan = {"action": "upgrade_plan", "ids": ids, "plan_name": "pro", "duration_days": 10}
    shown = await preview(client, root.headers, **plan)
    done = await finished(client, root.headers, work, await start(client, root.headers, shown["ticket"], **plan))
    assert (done["done"], done["arguments"]["plan_name"]) == (2, "pro")
    for user in users:
        whole = (await client.get(f"/v1/admin/users/{user.id}", headers=root.headers)).json()
        assert (whole["plan"], whole["subscription"]["status"]) == ("pro", "active")
    on_pro: dict[str, Any] = {"action": "revoke_sessions", "filter": {"plan": "pro"}}
    shown = await preview(client, root.headers, **on_pro)
    done = await finished(client, root.headers, work, await start(client, root.headers, shown["ticket"], **on_pro))
    assert done["done"] == 2
    assert {(await client.get("/v1/auth/me", headers=user.headers)).status_code for user in users} == {401}

    await client.post("/v1/auth/register", json={"email": "new@example.com", "password": PASSWORD})
    sent = len(await mails(client, "new@example.com"))
    links: dict[str, Any] = {"action": "resend_verification", "filter": {}}
    shown = await preview(client, root.headers, **links)
    assert (shown["affected"], shown["left_out"]) == (1, {"protected": 1, "state": 2})
    await finished(client, root.headers, work, await start(client, root.headers, shown["ticket"], **links))
    assert len(await mails(client, "new@example.com")) == sent + 1


async def test_who_cannot_be_helped_any_more_is_left_out_with_the_reason(
    client: httpx.AsyncClient, database: Database, work: BulkWork
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    users = await people(client, database, 3)
    wish = {"action": "lock", "ids": [user.id for user in users]}
    shown = await preview(client, root.headers, **wish)
    made = await start(client, root.headers, shown["ticket"], **wish)
    await client.delete(f"/v1/admin/users/{users[0].id}", headers=root.headers)
    await client.post(f"/v1/admin/users/{users[1].id}/lock", json={"reason": "x"}, headers=root.headers)
    done = await finished(client, root.headers, work, made)
    assert (done["state"], done["done"]) == ("finished", 1)
    assert sorted(done["left_out"].values()) == [1, 1]
    assert any("suspended" in reason for reason in done["left_out"])


async def test_it_ends_when_its_operator_may_no_longer_and_when_it_is_stopped(
    client: httpx.AsyncClient, database: Database, work: BulkWork
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    admin = await somebody(client, database, "admin", "admin")
    users = await people(client, database, 2)
    wish = {"action": "lock", "ids": [user.id for user in users]}
    shown = await preview(client, admin.headers, **wish)
    made = await start(client, admin.headers, shown["ticket"], **wish)
    await client.post(f"/v1/admin/users/{admin.id}/roles", json={"roles": ["read_only"]}, headers=root.headers)
    done = await finished(client, root.headers, work, made)
    assert (done["state"], done["done"], done["waiting"]) == ("stopped", 0, 2)
    assert "users.lock" in done["detail"]

    shown = await preview(client, root.headers, **wish)
    made = await start(client, root.headers, shown["ticket"], **wish)
    url = f"{BULK}/{made.json()['id']}/stop"
    refused = await client.post(url, headers=(await somebody(client, database, "reader", "read_only")).headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_missing")
    stopped = await client.post(url, headers=root.headers)
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    assert (await last_act(database))["action"] == "users.bulk.stop"
    assert (await finished(client, root.headers, work, made))["done"] == 0
    assert (await client.post(url, headers=root.headers)).json()["code"] == "state_conflict"
    for unknown in (
        client.get(f"{BULK}/{NOBODY}", headers=root.headers),
        client.post(f"{BULK}/{NOBODY}/stop", headers=root.headers),
    ):
        assert (await unknown).json()["code"] == "bulk_action_unknown"


@pytest.mark.parametrize(
    ("role", "action", "status"),
    [
        ("support", "lock", 200),
        ("support", "upgrade_plan", 403),
        ("billing", "lock", 403),
        ("read_only", "unlock", 403),
    ],
)
async def test_each_act_needs_its_own_permission(
    client: httpx.AsyncClient, database: Database, role: str, action: str, status: int
) -> None:
    caller = await somebody(client, database, "caller", role)
    wish = {"action": action, "ids": [NOBODY], **({"plan_name": "pro"} if action == "upgrade_plan" else {})}
    for path, more in (("/preview", {}), ("", {"ticket": "x", "reason": "x"})):
        answer = await client.post(BULK + path, json={**wish, **more}, headers=caller.headers)
        expected = status if path else (409 if status == 200 else status)
        assert answer.status_code == expected, answer.text


@pytest.mark.parametrize(
    "wish",
    [
        {"action": "lock"},
        {"action": "lock", "ids": [NOBODY], "filter": {}},
        {"action": "lock", "ids": []},
        {"action": "lock", "ids": ["me"]},
        {"action": "lock", "ids": [NOBODY], "plan_name": "pro"},
        {"action": "lock", "ids": [NOBODY], "duration_days": 3},
        {"action": "delete", "ids": [NOBODY]},
        {"action": "upgrade_plan", "ids": [NOBODY]},
        {"action": "upgrade_plan", "ids": [NOBODY], "plan_name": "none"},
        {"action": "upgrade_plan", "ids": [NOBODY], "plan_name": "pro", "duration_days": 0},
        {"action": "lock", "filter": {"status": "odd"}},
        {"action": "lock", "filter": {"password": "x"}},
    ],
)
async def test_what_cannot_be_meant_is_told(
    client: httpx.AsyncClient, database: Database, wish: dict[str, Any]
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    for path, more in (("/preview", {}), ("", {"ticket": "x", "reason": "x"})):
        answer = await client.post(BULK + path, json={**wish, **more}, headers=root.headers)
        assert answer.status_code == 422, answer.text
    assert await acts(database) == 0


async def test_too_many_at_once_are_refused(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    await people(client, database, 3)
    monkeypatch.setattr("backend.admin.bulk.MOST", 3)
    answer = await client.post(f"{BULK}/preview", json={"action": "lock", "filter": {}}, headers=root.headers)
    assert answer.status_code == 422
    assert "narrow" in answer.json()["detail"]


async def test_a_ticket_is_for_one_act_by_one_operator_and_the_same_is_under_way_once(
    client: httpx.AsyncClient, database: Database, work: BulkWork
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    admin = await somebody(client, database, "admin", "admin")
    users = await people(client, database, 2)
    ids = [user.id for user in users]
    plan = {"action": "upgrade_plan", "ids": ids, "plan_name": "pro", "duration_days": 30}
    ticket = (await preview(client, root.headers, **plan))["ticket"]
    before = await acts(database)
    others: tuple[tuple[Headers, dict[str, Any]], ...] = (
        (root.headers, {**plan, "plan_name": "enterprise"}),
        (root.headers, {**plan, "duration_days": 3_660}),
        (root.headers, {"action": "revoke_sessions", "ids": ids}),
        (root.headers, {**plan, "ids": ids[:1]}),
        (admin.headers, plan),
    )
    for who, wish in others:
        problem(await start(client, who, ticket, **wish), 409, "users_changed")
    assert await acts(database) == before
    made = await start(client, root.headers, ticket, **plan)
    assert made.status_code == 202
    problem(await start(client, root.headers, ticket, **plan), 409, "state_conflict")
    assert (await finished(client, root.headers, work, made))["done"] == 2


@pytest.mark.parametrize(
    ("wish", "action"),
    [
        ({"action": "revoke_sessions"}, "user.revoke_sessions"),
        ({"action": "upgrade_plan", "plan_name": "pro"}, "user.upgrade_plan"),
        ({"action": "lock"}, "user.lock"),
        ({"action": "unlock"}, "user.unlock"),
    ],
)
async def test_each_line_says_why(
    client: httpx.AsyncClient, database: Database, work: BulkWork, wish: dict[str, Any], action: str
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    (user,) = await people(client, database, 1)
    if wish["action"] == "unlock":
        await client.post(f"/v1/admin/users/{user.id}/lock", json={"reason": "before"}, headers=root.headers)
    wish = {**wish, "ids": [user.id]}
    shown = await preview(client, root.headers, **wish)
    await finished(client, root.headers, work, await start(client, root.headers, shown["ticket"], **wish))
    act = await last_act(database)
    assert (act["action"], act["reason"], act["target_id"]) == (action, "an incident", user.id)
