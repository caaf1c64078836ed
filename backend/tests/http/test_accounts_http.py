"""Accounts of a host application over HTTP: by its own ids, with members, portal links and tokens of its issuer."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sqlalchemy import text

from backend.catalog.service import Catalogs
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.security.signing_keys import new_jwk
from backend.subscription.change import assign_plan
from backend.tests.fakes.clock import ManualClock
from backend.tests.fakes.issuer import AUDIENCE, ISSUER, Issuer, running_issuer
from backend.tests.http.calls import Headers, bearer, client_of, consume, customer, problem, service_key, signed_up
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW

ROLES = ("owner", "admin", "developer", "billing", "viewer")
MAY_SPEND = ("owner", "admin", "developer")


@pytest.fixture
async def host(database: Database) -> Headers:
    return await service_key(database, "accounts:create", "usage:read", "usage:write")


async def put(client: httpx.AsyncClient, host: Headers, external_id: str = "org-1", **body: Any) -> httpx.Response:
    return await client.put(f"/v1/accounts/{external_id}", json=body, headers=host)


async def member(
    client: httpx.AsyncClient, host: Headers, subject: str, role: str, account: str = "org-1"
) -> httpx.Response:
    return await client.put(f"/v1/accounts/{account}/members/{subject}", json={"role": role}, headers=host)


async def set_plan(database: Database, account_id: str, plan: str) -> None:
    async with database.system() as session:
        await assign_plan(
            session,
            account_id=AccountId(UUID(account_id)),
            user_id=None,
            plan_name=plan,
            duration_days=30,
            catalogs=Catalogs(),
            now=NOW,
        )


async def test_an_account_is_made_changed_read_and_deleted_by_the_hosts_own_id(
    client: httpx.AsyncClient, host: Headers
) -> None:
    made = (await put(client, host, name="Acme", kind="team", time_zone="Asia/Tokyo", metadata={"tier": 1})).json()
    assert made == {
        "id": made["id"],
        "external_id": "org-1",
        "name": "Acme",
        "kind": "team",
        "time_zone": "Asia/Tokyo",
        "metadata": {"tier": 1},
        "status": "active",
        "plan": {"name": "free", "display_name": "Free Plan"},
        "members": [],
        "created_at": made["created_at"],
    }
    changed = (await put(client, host, name="Acme Ltd")).json()
    assert changed == {**made, "name": "Acme Ltd"}
    assert (await put(client, host, metadata={})).json() == {**changed, "metadata": {}}
    assert (await client.get("/v1/accounts/org-1", headers=host)).json()["name"] == "Acme Ltd"
    problem(await put(client, host, time_zone="Europe/Berlin"), 409, "time_zone_fixed")
    problem(await put(client, host, "org-2", time_zone="Mars/Olympus"), 422, "invalid_input")

    assert (await consume(client, host, account_id="external:org-1")).status_code == 200
    assert (await client.delete("/v1/accounts/org-1", headers=host)).status_code == 200
    problem(await client.get("/v1/accounts/org-1", headers=host), 404, "account_unknown")
    problem(await client.delete("/v1/accounts/org-1", headers=host), 404, "account_unknown")
    again = (await put(client, host)).json()
    assert (again["id"] != made["id"], again["name"], again["time_zone"]) == (True, "org-1", "UTC")


async def test_one_account_for_one_id_also_when_twenty_ask_at_once(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    answers = await asyncio.gather(*(put(client, host, name="Acme") for _ in range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_an_unknown_account_is_made_by_a_key_that_may_and_unknown_to_others(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    narrow = await service_key(database, "usage:write")
    problem(await consume(client, narrow, account_id="external:new"), 404, "account_unknown")
    answers = await asyncio.gather(*(consume(client, host, account_id="external:new") for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    problem(await consume(client, narrow, account_id="external:new"), 402, "quota_exceeded")
    problem(await consume(client, host, account_id="external:no good"), 404, "account_unknown")
    problem(await consume(client, host, account_id="new"), 404, "account_unknown")
    assert (await client.get("/v1/accounts/new", headers=host)).json()["plan"]["name"] == "free"


@pytest.mark.parametrize("external_id", ["a b", "%00", "a" * 201, ".hidden", "ä", "a%2Fb", "%20"])
async def test_an_id_is_of_letters_digits_and_a_few_signs(
    client: httpx.AsyncClient, host: Headers, external_id: str
) -> None:
    assert (await put(client, host, external_id)).status_code in {404, 405, 422}


async def test_only_the_host_manages_accounts(client: httpx.AsyncClient, host: Headers, database: Database) -> None:
    await put(client, host)
    user = bearer((await signed_up(client, "ada@example.com"))["access_token"])
    callers = [user, (await customer(database)).headers, await service_key(database, "usage:write")]
    for caller in callers:
        for path in ("org-1", "org-2"):
            for answer in (
                await put(client, caller, path),
                await client.get(f"/v1/accounts/{path}", headers=caller),
                await client.delete(f"/v1/accounts/{path}", headers=caller),
                await member(client, caller, "user-1", "owner", path),
                await client.delete(f"/v1/accounts/{path}/members/user-1", headers=caller),
                await client.post(f"/v1/accounts/{path}/portal-session", headers=caller),
            ):
                problem(answer, 403, "scope_missing")


async def test_a_user_of_two_accounts_sees_the_plan_and_usage_of_each(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    pair = await signed_up(client, "ada@example.com")
    user = bearer(pair["access_token"])
    me = (await client.get("/v1/auth/me", headers=user)).json()
    team = (await put(client, host, name="Acme")).json()
    await set_plan(database, team["id"], "pro")
    assert (await member(client, host, me["id"], "developer")).json() == {"subject": me["id"], "role": "developer"}
    both = {name: {**user, "Feature-Account": name} for name in (team["id"], "external:org-1")}
    for headers in both.values():
        found = (await client.get("/v1/auth/me", headers=headers)).json()
        assert (found["account"]["id"], found["account"]["role"], found["plan"]["name"]) == (
            team["id"],
            "developer",
            "pro",
        )
        assert [account["name"] for account in found["accounts"]] == ["Acme", "ada@example.com"]
    acting = both["external:org-1"]
    assert (await consume(client, acting, 3)).json()["limit"] == 500
    assert (await consume(client, user)).json()["limit"] == 10
    for headers, used in ((acting, 3), (user, 1)):
        usage = (await client.get("/v1/subscription/usage", headers=headers)).json()
        assert usage["usage"]["jobs_created"] == used
    own = {**user, "Feature-Account": me["account"]["id"]}
    assert (await client.get("/v1/auth/me", headers=own)).json()["account"]["kind"] == "personal"


async def test_an_account_of_others_is_as_unknown_as_none(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    team = (await put(client, host)).json()
    user = bearer((await signed_up(client, "ada@example.com"))["access_token"])
    key = (await customer(database)).headers
    for caller in (user, key):
        found = []
        for name in (team["id"], "external:org-1", "external:org-2", "0" * 36, "x", ""):
            answer = await client.get("/v1/subscription/me", headers={**caller, "Feature-Account": name})
            if name == "":
                assert answer.status_code == 200, "an empty field names none"
                continue
            found.append(problem(answer, 404, "account_unknown")["detail"])
        assert len(set(found)) == 1
        # What needs no account goes on.
        assert (
            await client.get("/v1/subscription/plans", headers={**caller, "Feature-Account": "x"})
        ).status_code == 200


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_decides_what_may_be_done_and_a_change_counts_at_once(
    client: httpx.AsyncClient, host: Headers, role: str
) -> None:
    user = bearer((await signed_up(client, "ada@example.com"))["access_token"])
    me = (await client.get("/v1/auth/me", headers=user)).json()
    await put(client, host)
    await member(client, host, me["id"], role)
    acting = {**user, "Feature-Account": "external:org-1"}
    assert (await client.get("/v1/subscription/usage", headers=acting)).status_code == 200
    assert (
        await client.post("/v1/usage/check", json={"meter": "jobs", "amount": 1}, headers=acting)
    ).status_code == 200
    for answer in (await consume(client, acting), await client.get("/v1/ping", headers=acting)):
        if role in MAY_SPEND:
            assert answer.status_code == 200
        else:
            assert problem(answer, 403, "role_missing")["role"] == role
    await member(client, host, me["id"], "viewer")
    problem(await consume(client, acting), 403, "role_missing")
    await client.delete(f"/v1/accounts/org-1/members/{me['id']}", headers=host)
    problem(await consume(client, acting), 404, "account_unknown")
    problem(await client.delete(f"/v1/accounts/org-1/members/{me['id']}", headers=host), 404, "member_unknown")


async def portal(client: httpx.AsyncClient, host: Headers, **body: Any) -> str:
    answer = await client.post("/v1/accounts/org-1/portal-session", json=body, headers=host)
    assert answer.status_code == 200, answer.text
    url = str(answer.json()["url"])
    assert url.startswith("http://localhost:5173/portal?token=")
    return url.partition("?token=")[2]


async def test_a_portal_link_opens_the_rooms_of_the_account_once_within_five_minutes(
    client: httpx.AsyncClient, host: Headers, clock: ManualClock
) -> None:
    await put(client, host, name="Acme")
    token = await portal(client, host)
    answers = await asyncio.gather(*(client.post("/v1/auth/portal-link", json={"token": token}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 4
    pair = next(answer.json() for answer in answers if answer.status_code == 200)
    guest = bearer(pair["access_token"])
    me = (await client.get("/v1/auth/me", headers=guest)).json()
    assert (me["kind"], me["id"], me["email"], me["account"]["name"]) == ("portal", None, None, "Acme")
    assert (await consume(client, guest)).status_code == 200
    for method, path in (("GET", "sessions"), ("POST", "2fa/enable-init"), ("PATCH", "me")):
        body: dict[str, str] | None = {} if method == "PATCH" else None
        problem(await client.request(method, f"/v1/auth/{path}", json=body, headers=guest), 403, "scope_missing")
    renewed = await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert renewed.status_code == 200
    assert (await client.post("/v1/auth/logout", headers=guest)).status_code == 200
    problem(await client.get("/v1/auth/me", headers=guest), 401, "unauthenticated")
    late = await portal(client, host)
    clock.advance(timedelta(minutes=5))
    problem(await client.post("/v1/auth/portal-link", json={"token": late}), 400, "link_invalid")


async def test_a_guest_has_the_role_of_the_member_as_long_as_they_have_it(
    client: httpx.AsyncClient, host: Headers
) -> None:
    await put(client, host)
    answer = await client.post("/v1/accounts/org-1/portal-session", json={"subject": "user-1"}, headers=host)
    problem(answer, 404, "member_unknown")
    await member(client, host, "user-1", "viewer")
    pair = await client.post("/v1/auth/portal-link", json={"token": await portal(client, host, subject="user-1")})
    guest = bearer(pair.json()["access_token"])
    problem(await consume(client, guest), 403, "role_missing")
    await member(client, host, "user-1", "developer")
    assert (await consume(client, guest)).status_code == 200
    await client.delete("/v1/accounts/org-1/members/user-1", headers=host)
    problem(await consume(client, guest), 401, "unauthenticated")


async def test_a_deleted_account_ends_its_sessions_and_its_plan(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    made = (await put(client, host)).json()
    await set_plan(database, made["id"], "pro")
    pair = await client.post("/v1/auth/portal-link", json={"token": await portal(client, host)})
    token = await portal(client, host)
    assert (await client.delete("/v1/accounts/org-1", headers=host)).status_code == 200
    problem(await consume(client, bearer(pair.json()["access_token"])), 401, "unauthenticated")
    problem(await client.post("/v1/auth/portal-link", json={"token": token}), 400, "link_invalid")
    async with database.read() as session:
        statuses = (await session.scalars(text("SELECT status FROM user_subscriptions"))).all()
    assert statuses == ["cancelled"]


async def test_a_portal_session_ends_after_twelve_hours_however_busy_it_is(
    client: httpx.AsyncClient, host: Headers, clock: ManualClock
) -> None:
    await put(client, host)
    answer = await client.post("/v1/auth/portal-link", json={"token": await portal(client, host)})
    pair = answer.json()
    for _ in range(23):
        clock.advance(timedelta(minutes=30))
        answer = await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        assert answer.status_code == 200, answer.text
        pair = answer.json()
    clock.advance(timedelta(minutes=29, seconds=59))
    answer = await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    pair = answer.json()
    assert (await client.get("/v1/auth/me", headers=bearer(pair["access_token"]))).status_code == 200
    clock.advance(timedelta(seconds=1))
    problem(await client.get("/v1/auth/me", headers=bearer(pair["access_token"])), 401, "unauthenticated")
    answer = await client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    problem(answer, 401, "refresh_refused")


async def test_a_removed_members_portal_session_does_not_come_back_with_them(
    client: httpx.AsyncClient, host: Headers
) -> None:
    await put(client, host)
    guests = {}
    for subject in ("user-1", "user-2"):
        await member(client, host, subject, "viewer")
        answer = await client.post("/v1/auth/portal-link", json={"token": await portal(client, host, subject=subject)})
        guests[subject] = answer.json()
    assert (await client.delete("/v1/accounts/org-1/members/user-1", headers=host)).status_code == 200
    await member(client, host, "user-1", "viewer")
    me = {
        subject: (await client.get("/v1/auth/me", headers=bearer(pair["access_token"]))).status_code
        for subject, pair in guests.items()
    }
    assert me == {"user-1": 401, "user-2": 200}
    answer = await client.post("/v1/auth/refresh", json={"refresh_token": guests["user-1"]["refresh_token"]})
    problem(answer, 401, "refresh_refused")


async def test_a_link_and_a_deletion_at_once_leave_no_session(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    for _ in range(10):
        await put(client, host)
        token = await portal(client, host)
        await asyncio.gather(
            client.post("/v1/auth/portal-link", json={"token": token}),
            client.delete("/v1/accounts/org-1", headers=host),
        )
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")) == 0


async def test_a_user_who_was_deleted_can_still_be_removed(
    client: httpx.AsyncClient, host: Headers, database: Database
) -> None:
    user = bearer((await signed_up(client, "ada@example.com"))["access_token"])
    subject = (await client.get("/v1/auth/me", headers=user)).json()["id"]
    await put(client, host)
    await member(client, host, subject, "owner")
    async with database.system() as session:
        await session.execute(text("UPDATE users SET status = 'deleted', deleted_at = now()"))
    assert (await client.delete(f"/v1/accounts/org-1/members/{subject}", headers=host)).status_code == 200
    assert (await client.get("/v1/accounts/org-1", headers=host)).json()["members"] == []
    problem(await client.delete(f"/v1/accounts/org-1/members/{subject}", headers=host), 404, "member_unknown")


async def test_a_name_has_a_letter(client: httpx.AsyncClient, host: Headers) -> None:
    for name in (" ", "   ", "\t", "\u00a0"):
        problem(await put(client, host, name=name), 422, "invalid_input")


# Users of the host application's own sign-in


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as made:
        yield made


def trusted(issuer: Issuer, **changes: Any) -> list[dict[str, Any]]:
    terms = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": issuer.url, "account_claim": "org"}
    return [{name: value for name, value in {**terms, **changes}.items() if value is not None}]


@pytest.fixture
async def foreign(running: RunningApp, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    """An application that trusts the issuer, whose tokens name the account."""
    async with (
        running(trusted_issuers=trusted(issuer), rate_limit_allowlist="192.0.2.1") as app,
        client_of(app) as made,
    ):
        yield made


async def test_users_of_a_trusted_issuer_act_for_their_account(
    foreign: httpx.AsyncClient, issuer: Issuer, host: Headers
) -> None:
    await put(foreign, host, name="Acme")
    user = bearer(issuer.token(now=NOW, org="org-1"))
    me = (await foreign.get("/v1/auth/me", headers=user)).json()
    assert (me["kind"], me["subject"], me["account"]["external_id"]) == ("foreign_user", "user-1", "org-1")
    assert me["account"]["role"] == "developer"
    assert (await consume(foreign, user)).status_code == 200
    problem(
        await foreign.get("/v1/auth/me", headers=bearer(issuer.token(now=NOW, org="org-2"))), 404, "account_unknown"
    )
    await member(foreign, host, "user-1", "viewer")
    problem(await consume(foreign, user), 403, "role_missing")
    for path in ("logout", "2fa/enable-init"):
        problem(await foreign.post(f"/v1/auth/{path}", headers=user), 403, "scope_missing")
    assert issuer.asked == 1, "keys are kept"


async def test_members_of_several_accounts_name_one(running: RunningApp, issuer: Issuer, host: Headers) -> None:
    async with running(trusted_issuers=trusted(issuer, account_claim=None)) as app, client_of(app) as client:
        user = bearer(issuer.token(now=NOW))
        problem(await client.get("/v1/auth/me", headers=user), 404, "account_unknown")
        for account, kind in (("org-1", "team"), ("org-2", "personal")):
            await put(client, host, account, kind=kind)
            await member(client, host, "user-1", "developer", account)
        me = (await client.get("/v1/auth/me", headers=user)).json()
        assert me["account"]["external_id"] == "org-2", "the personal one"
        assert len(me["accounts"]) == 2
        named = {**user, "Feature-Account": "external:org-1"}
        assert (await client.get("/v1/auth/me", headers=named)).json()["account"]["external_id"] == "org-1"
        problem(
            await client.get("/v1/auth/me", headers={**user, "Feature-Account": "external:org-3"}),
            404,
            "account_unknown",
        )


async def test_who_was_removed_may_do_nothing_though_the_issuer_vouches_for_them(
    foreign: httpx.AsyncClient, issuer: Issuer, host: Headers
) -> None:
    await put(foreign, host)
    user = bearer(issuer.token(now=NOW, org="org-1"))
    path = "/v1/accounts/org-1/members/user-1"
    assert (await consume(foreign, user)).status_code == 200
    problem(await foreign.delete(path, headers=host), 404, "member_unknown")
    await member(foreign, host, "user-1", "viewer")
    assert (await foreign.delete(path, headers=host)).status_code == 200
    for headers in (user, {**user, "Feature-Account": "external:org-1"}):
        problem(await consume(foreign, headers), 404, "account_unknown")
    assert (await foreign.get("/v1/accounts/org-1", headers=host)).json()["members"] == []
    problem(await foreign.delete(path, headers=host), 404, "member_unknown")
    answer = await foreign.post("/v1/accounts/org-1/portal-session", json={"subject": "user-1"}, headers=host)
    problem(answer, 404, "member_unknown")
    await member(foreign, host, "user-1", "developer")
    assert (await consume(foreign, user)).status_code == 200
    assert (await consume(foreign, bearer(issuer.token(now=NOW, sub="user-2", org="org-1")))).status_code == 200


async def test_a_rotated_key_is_fetched_and_a_withdrawn_one_is_not_good_any_more(
    foreign: httpx.AsyncClient, issuer: Issuer, host: Headers, clock: ManualClock
) -> None:
    await put(foreign, host)

    async def status(token: str) -> int:
        return (await foreign.get("/v1/auth/me", headers=bearer(token))).status_code

    assert await status(issuer.token(now=clock.now(), org="org-1")) == 200
    clock.advance(timedelta(seconds=11))
    issuer.rotate(kid="second", algorithm="RS256")
    assert await status(issuer.token(now=clock.now(), org="org-1")) == 200
    assert await status(issuer.token(now=clock.now(), org="org-1", kid="first")) == 200
    assert issuer.asked == 2
    withdrawn = issuer.keys["first"]
    issuer.rotate(kid="third", keep=False)
    clock.advance(timedelta(minutes=10))
    assert await status(issuer.token(now=clock.now(), org="org-1")) == 200
    issuer.keys["first"] = withdrawn
    stale = issuer.token(now=clock.now(), org="org-1", kid="first")
    del issuer.keys["first"]
    assert await status(stale) == 401
    # An issuer that does not answer is not missed for a while, and told apart from a bad token afterwards.
    issuer.fails = True
    clock.advance(timedelta(hours=23))
    assert await status(issuer.token(now=clock.now(), org="org-1")) == 200
    clock.advance(timedelta(hours=2))
    assert await status(issuer.token(now=clock.now(), org="org-1")) == 503


async def test_unknown_key_ids_do_not_make_us_ask_all_the_time(foreign: httpx.AsyncClient, issuer: Issuer) -> None:
    for number in range(20):
        token = jwt.encode({"iss": ISSUER}, issuer.keys["first"], algorithm="ES256", headers={"kid": f"k{number}"})
        assert (await foreign.get("/v1/auth/me", headers=bearer(token))).status_code == 401
    assert issuer.asked == 1


async def test_hostile_tokens_of_an_issuer_are_401(foreign: httpx.AsyncClient, issuer: Issuer, host: Headers) -> None:
    await put(foreign, host)
    good: dict[str, Any] = {"now": NOW, "org": "org-1"}
    public = jwt.PyJWK(issuer.jwk("first"), algorithm="ES256").key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(issuer.token(**good), options={"verify_signature": False})
    stranger = Issuer()
    stranger.rotate(kid="first")
    header, body, signature = issuer.token(**good).split(".")
    at = int(NOW.timestamp())
    hostile = {
        "wrong audience": issuer.token(**good, aud="somebody-else"),
        "no audience": issuer.token(**good, aud=None),
        "unknown issuer": issuer.token(**good, iss="https://evil.example.test"),
        "unknown key": jwt.encode(claims, stranger.keys["first"], algorithm="ES256", headers={"kid": "other"}),
        "another key of that name": stranger.token(**good),
        "alg none": jwt.encode(claims, "", algorithm="none", headers={"kid": "first"}),
        "HS256 with the public key": _hs256(claims, pem),
        "no key id": jwt.encode(claims, issuer.keys["first"], algorithm="ES256"),
        "over": issuer.token(**good, exp=at - 31),
        "no end": issuer.token(**good, exp=None),
        "an end in words": _signed(issuer, {**claims, "exp": "tomorrow"}),
        "not yet good": issuer.token(**good, nbf=at + 31),
        "issued in the future": issuer.token(**good, iat=at + 31),
        "no subject": issuer.token(**good, sub=None),
        "an empty subject": issuer.token(**good, sub=""),
        "a long subject": issuer.token(**good, sub="x" * 201),
        "no account": issuer.token(now=NOW),
        "a list of accounts": issuer.token(now=NOW, org=["org-1"]),
        "changed": f"{header}.{body[:-2]}AA.{signature}",
        "no signature": f"{header}.{body}.",
    }
    for name, token in hostile.items():
        answer = await foreign.get("/v1/auth/me", headers=bearer(token))
        assert answer.status_code == 401, (name, answer.text)
    for name, token in {
        "just over": issuer.token(**good, exp=at - 29),
        "just early": issuer.token(**good, nbf=at + 29),
    }.items():
        assert (await foreign.get("/v1/auth/me", headers=bearer(token))).status_code == 200, name


async def test_algorithms_that_are_not_listed_are_not_taken(running: RunningApp, issuer: Issuer, host: Headers) -> None:
    async with running(trusted_issuers=trusted(issuer, algorithms=["RS256"])) as app, client_of(app) as client:
        await put(client, host)
        problem(
            await client.get("/v1/auth/me", headers=bearer(issuer.token(now=NOW, org="org-1"))), 401, "unauthenticated"
        )
        issuer.rotate(kid="second", algorithm="RS256")
        assert (await client.get("/v1/auth/me", headers=bearer(issuer.token(now=NOW, org="org-1")))).status_code == 200


async def test_an_issuer_that_has_never_answered_is_a_503_and_hides_no_other_caller(
    running: RunningApp, issuer: Issuer
) -> None:
    issuer.fails = True
    async with running(trusted_issuers=trusted(issuer)) as app, client_of(app) as client:
        answer = await client.get("/v1/auth/me", headers=bearer(issuer.token(now=NOW, org="org-1")))
        assert problem(answer, 503, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "10"
        assert (await signed_up(client, "ada@example.com"))["access_token"]


async def test_our_own_key_does_not_sign_for_an_issuer(app: FastAPI, foreign: httpx.AsyncClient) -> None:
    """A token that names the issuer is judged by its keys alone."""
    token = jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": int(NOW.timestamp()) + 60},
        jwt.PyJWK.from_json(new_jwk()).key,
        algorithm="ES256",
        headers={"kid": "first"},
    )
    problem(await foreign.get("/v1/auth/me", headers=bearer(token)), 401, "unauthenticated")


def _hs256(claims: dict[str, Any], secret: bytes) -> str:
    """By hand: the library refuses to sign with a public key."""

    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT", "kid": "first"}) + b"." + part(claims)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + signature).decode()


def _signed(issuer: Issuer, claims: dict[str, Any]) -> str:
    return jwt.api_jws.encode(
        json.dumps(claims).encode(), issuer.keys["first"], algorithm="ES256", headers={"kid": "first"}
    )
