"""What the deletion of a user takes along: told before it is done, and ended by it."""

from uuid import UUID

import httpx
from sqlalchemy import text

from backend.core.ids import AccountId, UserId, uuid7
from backend.db.models import AccountMember
from backend.db.session import Database
from backend.tests.factories.accounts import person
from backend.tests.http.calls import problem
from backend.tests.http.test_admin_http import NOBODY, Somebody, acts, call, somebody

_LEFT = text("""
    SELECT (SELECT count(*) FROM sessions WHERE user_id = :id AND revoked_at IS NULL) AS sessions,
        (SELECT count(*) FROM api_keys WHERE user_id = :id AND revoked_at IS NULL) AS keys,
        (SELECT count(*) FROM account_members m JOIN users u ON u.id = m.user_id
            WHERE u.id = :id AND m.account_id <> u.personal_account_id) AS memberships
""")


async def join(database: Database, account_id: AccountId, user_id: UserId, role: str = "developer") -> None:
    async with database.system() as session:
        session.add(AccountMember(id=uuid7(), account_id=account_id, user_id=user_id, role=role))


async def leave(database: Database, account_id: AccountId) -> None:
    async with database.system() as session:
        await session.execute(text("DELETE FROM account_members WHERE account_id = :id"), {"id": account_id})


async def preview(client: httpx.AsyncClient, root: Somebody, user_id: str) -> httpx.Response:
    return await client.get(f"/v1/admin/users/{user_id}/deletion", headers=root.headers)


async def test_a_deletion_says_what_it_takes_along_and_then_takes_exactly_that(
    client: httpx.AsyncClient, database: Database
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    user = await somebody(client, database, "user")
    user_id = UserId(UUID(user.id))
    own = AccountId(UUID((await client.get("/v1/auth/me", headers=user.headers)).json()["account"]["id"]))
    fresh = (await preview(client, root, user.id)).json()
    assert fresh == {
        "sessions": 1,
        "keys": 0,
        "plan": "free",
        "subscription": None,
        "open_reservations": 0,
        "members_who_lose_access": 0,
        "memberships": 0,
        "accounts": [],
    }

    async with database.system() as session:
        alone, crowd, closed = [await person(session, email=f"{name}@example.com") for name in ("b", "a", "c")]
    await leave(database, alone.account_id)
    for account in (alone, crowd, closed):
        await join(database, account.account_id, user_id)
    await join(database, own, crowd.user_id, role="viewer")
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET status = 'deleted' WHERE id = :id"), {"id": closed.account_id})
    key = await client.post("/v1/keys", json={"name": "ci", "scopes": []}, headers=user.headers)
    assert key.status_code == 201
    await call(client, root.headers, "POST", "users/{id}/upgrade-plan", user.id, {"plan_name": "pro"})
    spend = {"meter": "compute", "amount": 1}
    assert (await client.post("/v1/usage/reserve", json=spend, headers=user.headers)).status_code == 200

    before = await acts(database)
    found = (await preview(client, root, user.id)).json()
    subscription = found.pop("subscription")
    assert (subscription["status"], subscription["user_id"]) == ("active", user.id)
    assert found == {
        "sessions": 1,
        "keys": 1,
        "plan": "pro",
        "open_reservations": 1,
        "members_who_lose_access": 1,
        "memberships": 2,
        "accounts": [
            {
                "account_id": str(alone.account_id),
                "account_name": "b@example.com",
                "role": "developer",
                "is_only_member": True,
            },
            {
                "account_id": str(crowd.account_id),
                "account_name": "a@example.com",
                "role": "developer",
                "is_only_member": False,
            },
        ],
    }
    assert await acts(database) == before
    assert (await client.get("/v1/auth/me", headers=user.headers)).status_code == 200

    assert (await call(client, root.headers, "DELETE", "users/{id}", user.id, None)).status_code == 200
    async with database.read() as session:
        left = (await session.execute(_LEFT, {"id": user_id})).one()
    assert tuple(left) == (0, 0, 0)


async def test_only_who_may_delete_is_told_and_a_deleted_user_is_unknown(
    client: httpx.AsyncClient, database: Database
) -> None:
    root = await somebody(client, database, "root", "superadmin")
    support = await somebody(client, database, "support", "support")
    user = await somebody(client, database, "user")
    problem(await preview(client, support, user.id), 403, "permission_missing")
    problem(await preview(client, root, NOBODY), 404, "user_unknown")
    await call(client, root.headers, "DELETE", "users/{id}", user.id, None)
    problem(await preview(client, root, user.id), 404, "user_unknown")
