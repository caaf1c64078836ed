"""Notes about users: operators write them for each other, and users never see them."""

import httpx
import pytest

from backend.db.session import Database
from backend.tests.http.test_admin_http import NOBODY, acts, last_act, somebody


async def test_a_note_is_read_by_operators_and_taken_away_by_its_author(
    client: httpx.AsyncClient, database: Database
) -> None:
    support = await somebody(client, database, "support", "support")
    billing = await somebody(client, database, "billing", "billing")
    root = await somebody(client, database, "root", "superadmin")
    user = await somebody(client, database, "user")
    url = f"/v1/admin/users/{user.id}/notes"
    first = await client.post(url, json={"text": "Called twice.\n<b>Angry</b>"}, headers=support.headers)
    assert first.status_code == 201, first.text
    act = await last_act(database)
    assert (act["action"], act["target_id"], act["after"]["text"]) == (
        "user.notes.create",
        user.id,
        "Called twice.\n<b>Angry</b>",
    )
    second = (await client.post(url, json={"text": "Paid."}, headers=billing.headers)).json()
    page = (await client.get(url, headers=root.headers)).json()
    assert page["total"] == 2
    assert [(each["text"], each["author"]) for each in page["items"]] == [
        ("Paid.", billing.email),
        ("Called twice.\n<b>Angry</b>", support.email),
    ]
    assert (await client.get(url, params={"page": 2, "page_size": 1}, headers=root.headers)).json()["items"] == [
        first.json()
    ]
    whole = (await client.get(f"/v1/admin/users/{user.id}", headers=root.headers)).json()
    assert [each["id"] for each in whole["notes"]] == [second["id"], first.json()["id"]]

    kept = await client.delete(f"{url}/{second['id']}", headers=support.headers)
    assert (kept.status_code, kept.json()["code"]) == (403, "target_protected")
    for who, note in ((support, first.json()), (root, second)):
        assert (await client.delete(f"{url}/{note['id']}", headers=who.headers)).status_code == 200
    act = await last_act(database)
    assert (act["action"], act["before"]) == ("user.notes.delete", {"note_id": second["id"], "text": "Paid."})
    assert (await client.get(url, headers=root.headers)).json()["items"] == []
    again = await client.delete(f"{url}/{second['id']}", headers=root.headers)
    assert (again.status_code, again.json()["code"]) == (404, "note_unknown")


async def test_a_note_is_found_at_its_own_user_only(client: httpx.AsyncClient, database: Database) -> None:
    root = await somebody(client, database, "root", "superadmin")
    one, two = await somebody(client, database, "one"), await somebody(client, database, "two")
    note = (await client.post(f"/v1/admin/users/{one.id}/notes", json={"text": "x"}, headers=root.headers)).json()
    before = await acts(database)
    for user, note_id in ((two.id, note["id"]), (one.id, NOBODY), (NOBODY, note["id"])):
        answer = await client.delete(f"/v1/admin/users/{user}/notes/{note_id}", headers=root.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "note_unknown")
    for method in ("GET", "POST"):
        answer = await client.request(
            method, f"/v1/admin/users/{NOBODY}/notes", json={"text": "x"}, headers=root.headers
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "user_unknown")
    assert await acts(database) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"text": ""}, 422), ({"text": " \n"}, 422), ({"text": "x" * 2_001}, 422), ({"text": 1}, 422)],
)
async def test_what_is_no_note_is_told(
    client: httpx.AsyncClient, database: Database, body: dict[str, object], status: int
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    answer = await client.post(f"/v1/admin/users/{root.id}/notes", json=body, headers=root.headers)
    assert answer.status_code == status, answer.text
    assert await acts(database) == 0
