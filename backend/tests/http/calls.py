"""What tests over HTTP do again and again: sign up, make keys, read answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from backend.auth.service.keys_service import create_key
from backend.core.problem import MEDIA_TYPE
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person
from backend.tests.factories.users import PASSWORD
from backend.tests.moments import NOW

Headers = dict[str, str]


@dataclass(frozen=True)
class Caller:
    """A person and the header that makes a request theirs."""

    person: Person
    headers: Headers

    @property
    def account_id(self) -> str:
        return str(self.person.account_id)


def client_of(app: FastAPI, address: str = "192.0.2.1") -> httpx.AsyncClient:
    """Calls the application from an address. An exception that leaves it is an answer that no client would get."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 4_000)), base_url="http://localhost:8000", timeout=30
    )


def bearer(credential: str) -> Headers:
    return {"Authorization": f"Bearer {credential}"}


async def customer(database: Database, *, plan: str = "free", now: datetime = NOW) -> Caller:
    """Somebody with a personal key, on a plan."""
    async with database.system() as session:
        who = await person(session, now=now)
        made = await create_key(
            session, name="test", account_id=who.account_id, user_id=who.user_id, scopes=(), now=now
        )
        if plan != "free":
            await upgrade_user_plan(session, who.user_id, plan, now=now)
    return Caller(who, bearer(made.key))


async def service_key(database: Database, *scopes: str, now: datetime = NOW) -> Headers:
    """A host application's key."""
    async with database.system() as session:
        made = await create_key(session, name="host", account_id=None, user_id=None, scopes=scopes, now=now)
    return bearer(made.key)


async def scoped_key(database: Database, who: Caller, *scopes: str) -> Headers:
    """A personal key that may do no more than its scopes name."""
    async with database.system() as session:
        made = await create_key(
            session,
            name="narrow",
            account_id=who.person.account_id,
            user_id=who.person.user_id,
            scopes=scopes,
            now=NOW,
        )
    return bearer(made.key)


async def mails(client: httpx.AsyncClient, to: str) -> list[dict[str, Any]]:
    """What was sent to an address, newest first."""
    items: list[dict[str, Any]] = (await client.get("/dev/mail", params={"to": to})).json()["items"]
    return items


async def link_token(client: httpx.AsyncClient, to: str) -> str:
    """The token of the newest mail's link."""
    return str((await mails(client, to))[0]["links"][0]).partition("?token=")[2]


async def signed_up(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> dict[str, Any]:
    """Registered, confirmed and signed in: the answer of the login."""
    body = {"email": email, "password": password}
    assert (await client.post("/v1/auth/register", json=body)).status_code == 202
    token = await link_token(client, email)
    assert (await client.get("/v1/auth/verify-email", params={"token": token})).status_code == 200
    answer = await client.post("/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json()
    return pair


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer that must be this one."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), answer.text
    found: dict[str, Any] = answer.json()
    assert (found["code"], found["status"]) == (code, status)
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["type"].endswith(f"/errors/{code}")
    assert status != 401 or answer.headers["www-authenticate"] == "Bearer"  # RFC 9110, section 15.5.2
    return found


async def consume(
    client: httpx.AsyncClient, headers: Headers, amount: int = 1, meter: str = "jobs", **body: Any
) -> httpx.Response:
    return await client.post("/v1/usage/consume", json={"meter": meter, "amount": amount, **body}, headers=headers)


async def reserve(
    client: httpx.AsyncClient, headers: Headers, *, key: str | None = None, **body: Any
) -> httpx.Response:
    extra = {"Idempotency-Key": key} if key else {}
    body = {"meter": "compute", "amount": 60, "ttl": 60, **body}
    return await client.post("/v1/usage/reserve", json=body, headers={**headers, **extra})


async def settle(
    client: httpx.AsyncClient, headers: Headers, reservation: str, verb: str, **body: Any
) -> httpx.Response:
    return await client.post(f"/v1/usage/reservations/{reservation}/{verb}", json=body, headers=headers)


async def table_counts(database: Database) -> dict[str, int]:
    """The rows of every table; a request that changes nothing leaves them as they are.

    But for what the application writes of itself, whatever is asked: its rate states, and where its journal
    and its stored spends begin.
    """
    async with database.engine.connect() as connection:
        await connection.execute(text("SELECT set_config('feature.scope', 'system', true)"))  # else rows are hidden
        names = (
            await connection.scalars(
                text(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                    " AND tablename NOT IN ('rate_limit_states', 'journal_positions', 'spend_stores')"
                )
            )
        ).all()
        counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS rows FROM \"{name}\"" for name in names)
        return {row.name: row.rows for row in await connection.execute(text(counts))}


async def spent(database: Database, who: Caller, meter: str = "jobs") -> tuple[int, int]:
    """What the counters say, and what the events sum up to."""
    async with database.read(who.person.account_id) as session:
        used = await session.scalar(
            text("SELECT coalesce(sum(used), 0) FROM meter_usage WHERE meter = :meter"), {"meter": meter}
        )
        events = await session.scalar(
            text("SELECT coalesce(sum(amount), 0) FROM usage_events WHERE meter = :meter AND counted"),
            {"meter": meter},
        )
        return int(used), int(events)
