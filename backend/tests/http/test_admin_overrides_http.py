"""Limits that operators give: who may, what the customer sees of it, and that it is written down."""

import httpx
import pytest

from backend.admin.permissions import PERMISSIONS, allowed
from backend.db.session import Database
from backend.tests.http.calls import consume, problem, service_key
from backend.tests.http.test_admin_http import acts, last_act, somebody

NOBODYS = "01920000-0000-7000-8000-000000000001"
MORE = {"meter": "jobs", "kind": "add", "amount": 5, "reason": "a launch"}


async def test_a_limit_is_given_seen_and_taken_back(client: httpx.AsyncClient, database: Database) -> None:
    operator = await somebody(client, database, "root", "superadmin")
    customer = await somebody(client, database, "customer")
    path = f"/v1/admin/users/{customer.id}/overrides"
    assert (await client.get(path, headers=operator.headers)).json() == {
        "page": 1,
        "page_size": 20,
        "total": 0,
        "items": [],
    }
    body = {**MORE, "ends_at": "2026-03-20T00:00:00+01:00"}
    answer = await client.post(path, json=body, headers=operator.headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["created_by"]) == ("in_force", operator.id)
    assert (made["ends_at"], made["ended_at"]) == ("2026-03-19T23:00:00Z", None)
    act = await last_act(database)
    assert (act["action"], act["target_id"], act["reason"]) == ("user.overrides.create", customer.id, "a launch")
    assert (act["after"]["id"], act["after"]["amount"]) == (made["id"], 5)
    assert (await consume(client, customer.headers, 15)).json()["limit"] == 15
    gone = await client.delete(f"{path}/{made['id']}", headers=operator.headers)
    assert (gone.status_code, gone.json()["state"], gone.json()["ended_by"]) == (200, "taken_back", operator.id)
    act = await last_act(database)
    assert (act["action"], act["target_id"], act["before"]["id"]) == ("user.overrides.delete", customer.id, made["id"])
    assert problem(await consume(client, customer.headers), 402, "quota_exceeded")["limit"] == 10
    listed = (await client.get(path, headers=operator.headers)).json()
    assert (listed["total"], [one["state"] for one in listed["items"]]) == (1, ["taken_back"])
    before = await acts(database)
    problem(await client.delete(f"{path}/{made['id']}", headers=operator.headers), 409, "override_over")
    problem(await client.delete(f"{path}/{NOBODYS}", headers=operator.headers), 404, "override_unknown")
    other = f"/v1/admin/users/{operator.id}/overrides/{made['id']}"
    problem(await client.delete(other, headers=operator.headers), 404, "override_unknown")
    for method in ("GET", "POST"):
        nobodys = await client.request(
            method,
            f"/v1/admin/users/{NOBODYS}/overrides",
            json=MORE if method == "POST" else None,
            headers=operator.headers,
        )
        problem(nobodys, 404, "user_unknown")
    assert await acts(database) == before


@pytest.mark.parametrize("role", [None, *PERMISSIONS])
async def test_the_table_says_who_may(client: httpx.AsyncClient, database: Database, role: str | None) -> None:
    customer = await somebody(client, database, "customer")
    roles = [one for one in PERMISSIONS if one == role]
    caller = await somebody(client, database, "caller", *roles)
    path = f"/v1/admin/users/{customer.id}/overrides"
    may_read, may_write = (allowed(frozenset(roles), one) for one in ("users.read", "overrides.write"))
    assert (await client.get(path, headers=caller.headers)).status_code == (200 if may_read else 403)
    answer = await client.post(path, json=MORE, headers=caller.headers)
    assert answer.status_code == (201 if may_write else 403)
    override_id = answer.json()["id"] if may_write else NOBODYS
    taken = await client.delete(f"{path}/{override_id}", headers=caller.headers)
    assert taken.status_code == (200 if may_write else 403)
    assert await acts(database) == (2 if may_write else 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"meter": "nothing"}, "meter_unknown"),
        ({"amount": 0}, "invalid_input"),
        ({"amount": None}, "invalid_input"),
        ({"amount": -1}, "invalid_input"),
        ({"amount": "5"}, "invalid_input"),
        ({"amount": 10**15 + 1}, "invalid_input"),
        ({"reason": " "}, "invalid_input"),
        ({"kind": "take"}, "invalid_input"),
        ({"ends_at": "2026-03-09T00:00:00Z"}, "invalid_input"),
        ({"ends_at": "2026-05-01T00:00:00"}, "invalid_input"),
        ({"ends_at": "9999-12-31T23:59:59-12:00"}, "invalid_input"),
        ({"ends_at": 1_900_000_000}, "invalid_input"),
        ({"ends_at": "1900000000"}, "invalid_input"),
        ({"note": "x"}, "invalid_input"),
    ],
)
async def test_what_cannot_be_given(
    client: httpx.AsyncClient, database: Database, changes: dict[str, object], code: str
) -> None:
    operator = await somebody(client, database, "root", "superadmin")
    path = f"/v1/admin/users/{operator.id}/overrides"
    problem(await client.post(path, json={**MORE, **changes}, headers=operator.headers), 422, code)
    assert (await client.get(path, headers=operator.headers)).json()["total"] == 0


async def test_nobody_gives_anything_to_an_account_of_which_they_are_a_member(
    client: httpx.AsyncClient, database: Database
) -> None:
    host = await service_key(database, "accounts:create")
    account = (await client.put("/v1/accounts/org-1", json={}, headers=host)).json()["id"]
    support, root = (
        await somebody(client, database, "support", "support"),
        await somebody(client, database, "root", "superadmin"),
    )
    member = f"/v1/accounts/org-1/members/{support.id}"
    assert (await client.put(member, json={"role": "developer"}, headers=host)).status_code == 200
    url = f"/v1/admin/accounts/{account}/overrides"
    body = {"meter": "jobs", "kind": "set", "amount": None, "reason": "x"}
    problem(await client.post(url, json=body, headers=support.headers), 403, "target_protected")
    assert (await client.post(url, json=body, headers=root.headers)).status_code == 201
    assert (await client.delete(member, headers=host)).status_code == 200
    assert (await client.post(url, json=body, headers=support.headers)).status_code == 201
