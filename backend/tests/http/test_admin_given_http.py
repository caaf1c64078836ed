"""All limits beside plans in one list, and those of accounts that are no user's own."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.admin.permissions import PERMISSIONS, allowed
from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Headers, consume, customer, problem, service_key
from backend.tests.http.test_admin_http import Somebody, acts, last_act, somebody
from backend.tests.http.test_admin_overrides_http import MORE, NOBODYS
from backend.tests.http.test_foreign_ids import same

PATH = "/v1/admin/overrides"
ACME = "/v1/admin/accounts/external:acme/overrides"


@pytest.fixture
async def operator(client: httpx.AsyncClient, database: Database) -> Somebody:
    return await somebody(client, database, "root", "superadmin")


@pytest.fixture
async def host(client: httpx.AsyncClient, database: Database) -> Headers:
    made = await service_key(database, "usage:read", "usage:write", "accounts:create")
    answer = await client.put("/v1/accounts/acme", json={"name": "Acme 100%"}, headers=made)
    assert answer.status_code == 200
    return made


async def listed(client: httpx.AsyncClient, who: Headers, **params: Any) -> Any:
    answer = await client.get(PATH, headers=who, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def given(client: httpx.AsyncClient, who: Headers, path: str, **changes: Any) -> str:
    answer = await client.post(path, json={**MORE, **changes}, headers=who)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_host_applications_account_is_given_another_limit(
    client: httpx.AsyncClient, database: Database, operator: Somebody, host: Headers
) -> None:
    await consume(client, host, 10, account_id="external:acme")
    problem(await consume(client, host, account_id="external:acme"), 402, "quota_exceeded")
    made = await given(client, operator.headers, ACME)
    account_id = (await client.get("/v1/accounts/acme", headers=host)).json()["id"]
    act = await last_act(database)
    assert (act["action"], act["target_kind"], act["target_id"]) == ("account.overrides.create", "account", account_id)
    assert (await consume(client, host, 5, account_id="external:acme")).json()["limit"] == 15
    listed_ = (await client.get(f"/v1/admin/accounts/{account_id}/overrides", headers=operator.headers)).json()
    assert (listed_["total"], listed_["items"][0]["id"]) == (1, made)
    gone = await client.delete(f"{ACME}/{made}", headers=operator.headers)
    assert (gone.status_code, gone.json()["state"]) == (200, "taken_back")
    act = await last_act(database)
    assert (act["action"], act["target_id"], act["before"]["id"]) == ("account.overrides.delete", account_id, made)
    problem(await client.delete(f"{ACME}/{made}", headers=operator.headers), 409, "override_over")
    problem(await client.delete(f"{ACME}/{NOBODYS}", headers=operator.headers), 404, "override_unknown")


async def test_a_users_own_account_is_the_users(
    client: httpx.AsyncClient, database: Database, operator: Somebody
) -> None:
    user = await somebody(client, database, "customer")
    account_id = (await client.get("/v1/auth/me", headers=user.headers)).json()["account"]["id"]
    made = await given(client, operator.headers, f"/v1/admin/accounts/{account_id}/overrides")
    act = await last_act(database)
    assert (act["action"], act["target_id"]) == ("user.overrides.create", user.id)
    gone = await client.delete(f"/v1/admin/users/{user.id}/overrides/{made}", headers=operator.headers)
    assert gone.status_code == 200
    support = await somebody(client, database, "support", "support")
    mine = (await client.get("/v1/auth/me", headers=support.headers)).json()["account"]["id"]
    answer = await client.post(f"/v1/admin/accounts/{mine}/overrides", json=MORE, headers=support.headers)
    problem(answer, 403, "target_protected")


async def test_what_is_gone_or_nobodys_is_given_nothing(
    client: httpx.AsyncClient, database: Database, operator: Somebody, host: Headers
) -> None:
    account_id = (await client.get("/v1/accounts/acme", headers=host)).json()["id"]
    assert (await client.delete("/v1/accounts/acme", headers=host)).status_code < 300
    before = await acts(database)
    answer = await client.post(f"/v1/admin/accounts/{account_id}/overrides", json=MORE, headers=operator.headers)
    problem(answer, 404, "account_unknown")
    other = "01920000-0000-7000-8000-000000000002"
    for method, rest in (("GET", ""), ("POST", ""), ("DELETE", f"/{NOBODYS}")):
        body = MORE if method == "POST" else None
        answers = [
            await client.request(
                method, f"/v1/admin/accounts/{each}/overrides{rest}", json=body, headers=operator.headers
            )
            for each in (other, NOBODYS)
        ]
        problem(answers[0], 404, "account_unknown")
        same(answers[0], answers[1], other, NOBODYS)
    assert await acts(database) == before


async def test_the_list_is_narrowed_by_state_meter_and_whose(
    client: httpx.AsyncClient, database: Database, clock: ManualClock, operator: Somebody, host: Headers
) -> None:
    assert await listed(client, operator.headers) == {
        "page": 1,
        "page_size": 20,
        "total": 0,
        "total_is_exact": True,
        "items": [],
    }
    user = await somebody(client, database, "customer")
    path = f"/v1/admin/users/{user.id}/overrides"
    now = await given(client, operator.headers, path)
    later = await given(client, operator.headers, path, starts_at="2026-03-20T00:00:00Z")
    over = await given(client, operator.headers, ACME, meter="storage", ends_at="2026-03-10T12:00:01Z")
    back = await given(client, operator.headers, ACME)
    assert (await client.delete(f"{ACME}/{back}", headers=operator.headers)).status_code == 200
    clock.advance(timedelta(seconds=5))
    everything = await listed(client, operator.headers)
    assert [one["id"] for one in everything["items"]] == [back, over, later, now]
    first = everything["items"][0]
    assert (first["account"]["external_id"], first["account"]["name"], first["created_by_email"]) == (
        "acme",
        "Acme 100%",
        operator.email,
    )
    account_id = everything["items"][3]["account"]["id"]
    for wanted, expected in (
        ({"state": "in_force"}, [now]),
        ({"state": "scheduled"}, [later]),
        ({"state": "ended"}, [over]),
        ({"state": "taken_back"}, [back]),
        ({"meter": "storage"}, [over]),
        ({"meter": "cups"}, []),
        ({"q": "CUSTOMER@"}, [later, now]),
        ({"q": "acme 100%"}, [back, over]),
        ({"q": "%"}, [back, over]),
        ({"q": "external:acme"}, [back, over]),
        ({"q": "external:none"}, []),
        ({"q": user.id}, [later, now]),
        ({"q": f" {account_id} "}, [later, now]),
        ({"q": over}, [over]),
        ({"q": user.id, "state": "scheduled", "meter": "jobs"}, [later]),
    ):
        found = await listed(client, operator.headers, **wanted)
        assert [one["id"] for one in found["items"]] == expected, wanted
        assert (found["total"], found["total_is_exact"]) == (len(expected), True)
        states = {one["state"] for one in found["items"]}
        assert "state" not in wanted or states == {wanted["state"]}
    second = await listed(client, operator.headers, page=2, page_size=3)
    assert ([one["id"] for one in second["items"]], second["total"]) == ([now], 4)


async def test_an_account_with_a_clock_of_its_own(
    client: httpx.AsyncClient, database: Database, operator: Somebody
) -> None:
    who = await customer(database)
    async with database.system() as session:
        ahead = text("UPDATE accounts SET mode = 'test', clock_offset = '30 days' WHERE id = :id")
        await session.execute(ahead, {"id": who.person.account_id})
    path = f"/v1/admin/accounts/{who.account_id}/overrides"
    made = await given(client, operator.headers, path, starts_at="2026-04-20T00:00:00Z")
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET clock_offset = '60 days' WHERE mode = 'test'"))
    found = await listed(client, operator.headers, state="in_force")
    assert [(one["id"], one["state"]) for one in found["items"]] == [(made, "in_force")]


@pytest.mark.parametrize("role", PERMISSIONS)
async def test_the_table_says_who_may(client: httpx.AsyncClient, database: Database, host: Headers, role: str) -> None:
    caller = (await somebody(client, database, "caller", role)).headers
    assert (await client.get(PATH, headers=caller)).status_code == 200
    assert (await client.get(ACME, headers=caller)).status_code == 200
    may_write = allowed(frozenset({role}), "overrides.write")
    answer = await client.post(ACME, json=MORE, headers=caller)
    assert answer.status_code == (201 if may_write else 403)
    taken = await client.delete(f"{ACME}/{answer.json()['id'] if may_write else NOBODYS}", headers=caller)
    assert taken.status_code == (200 if may_write else 403)


@pytest.mark.parametrize("params", [{"state": "x"}, {"meter": "\0"}, {"q": "\0"}, {"page": 0}, {"page_size": 101}])
async def test_hostile_filters_are_refused(
    client: httpx.AsyncClient, operator: Somebody, params: dict[str, Any]
) -> None:
    problem(await client.get(PATH, headers=operator.headers, params=params), 422, "invalid_input")
    too_far = {"page": 10_000, "page_size": 100}
    problem(await client.get(PATH, headers=operator.headers, params=too_far), 422, "invalid_input")
