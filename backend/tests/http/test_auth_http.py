"""Becoming a user and staying signed in, over HTTP: what strangers may learn, and what many at once may do."""

import asyncio
import time
from datetime import timedelta
from itertools import product
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.auth.service.operators import first_admin_link
from backend.db.session import Database
from backend.tests.factories.users import PASSWORD
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import bearer, client_of, customer, link_token, mails, problem, signed_up
from backend.tests.http.conftest import RunningApp
from backend.tests.moments import NOW

EMAIL = "ada@example.com"
WEB = {"X-Feature-Client": "web"}
OTHER = "another long walk, elsewhere"


async def register(client: httpx.AsyncClient, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/v1/auth/register", json={"email": email, "password": password})


async def login(client: httpx.AsyncClient, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/v1/auth/login", json={"email": email, "password": password})


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/v1/auth/refresh", json={"refresh_token": token})


async def me(client: httpx.AsyncClient, access_token: str) -> int:
    return (await client.get("/v1/auth/me", headers=bearer(access_token))).status_code


async def test_registering_again_with_the_same_password_sends_a_new_link(client: httpx.AsyncClient) -> None:
    assert (await register(client)).status_code == 202
    first = await link_token(client, EMAIL)
    assert (await register(client, EMAIL.upper())).status_code == 202
    second = await link_token(client, EMAIL)
    problem(await client.get("/v1/auth/verify-email", params={"token": first}), 400, "link_invalid")
    assert (await client.post("/v1/auth/verify-email", json={"token": second})).status_code == 200
    assert (await login(client)).status_code == 200


async def test_registering_again_with_another_password_lets_the_mails_reader_choose(client: httpx.AsyncClient) -> None:
    assert (await register(client)).status_code == 202
    first = await link_token(client, EMAIL)
    answers = [await register(client, EMAIL.upper(), OTHER), await register(client)]
    assert len({answer.content for answer in answers}) == 1
    problem(await client.get("/v1/auth/verify-email", params={"token": first}), 400, "link_invalid")
    chosen = "what the reader of the mail chose"
    body = {"token": await link_token(client, EMAIL), "new_password": chosen}
    assert (await client.post("/v1/auth/reset-password", json=body)).status_code == 200
    for password in (PASSWORD, OTHER):
        problem(await login(client, password=password), 401, "invalid_credentials")
    assert (await login(client, password=chosen)).status_code == 200


async def test_registering_a_known_address_changes_nothing_and_says_so_by_mail(client: httpx.AsyncClient) -> None:
    await signed_up(client, EMAIL)
    assert (await register(client, password=OTHER)).status_code == 202
    assert (await mails(client, EMAIL))[0]["subject"] == "You have an account already"
    problem(await login(client, password=OTHER), 401, "invalid_credentials")
    assert (await login(client)).status_code == 200


async def test_fifty_sign_ups_at_once_in_mixed_case_are_one_account(running: RunningApp, database: Database) -> None:
    spellings = ["".join(letters) + "@Example.COM" for letters in product("aA", "dD", "aA", "xX", "yY", "zZ")][:50]
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        answers = await asyncio.gather(*(register(client, email) for email in spellings))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.content for answer in answers}) == 1
        async with database.read() as session:
            for table in ("users", "accounts", "account_members"):
                assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 1
        token = await link_token(client, "adaxyz@example.com")
        assert (await client.get("/v1/auth/verify-email", params={"token": token})).status_code == 200
        assert len(await mails(client, "adaxyz@example.com")) <= 6, "a form fills nobody's mailbox"


async def test_a_repeated_link_replaces_the_first_and_tells_nobody_whether_it_was_sent(
    client: httpx.AsyncClient,
) -> None:
    await register(client)
    first = await link_token(client, EMAIL)
    answers = [
        await client.post("/v1/auth/resend-verification", json={"email": email})
        for email in (EMAIL, "nobody@example.com")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    problem(await client.get("/v1/auth/verify-email", params={"token": first}), 400, "link_invalid")
    second = await link_token(client, EMAIL)
    assert (await client.get("/v1/auth/verify-email", params={"token": second})).status_code == 200
    before = len(await mails(client, EMAIL))
    assert (await client.post("/v1/auth/resend-verification", json={"email": EMAIL})).status_code == 202
    assert len(await mails(client, EMAIL)) == before, "a confirmed address waits for no link"


REPETITIONS = ("rsssssss", "ssrsssss", "srrrsrss", "rrrrrrrr", "ssssssrr")


@pytest.mark.parametrize("sequence", REPETITIONS)
async def test_no_sequence_of_sign_ups_and_repeated_links_tells_whether_an_address_is_known(
    running: RunningApp, database: Database, sequence: str
) -> None:
    """`r` registers, `s` asks for the link once more."""
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        await signed_up(client, "active@example.com")
        await register(client, "unverified@example.com")
        async with database.system() as session:
            await session.execute(text("DELETE FROM sign_in_attempts"))
        found = []
        for email in ("nobody@example.com", "active@example.com", "unverified@example.com"):
            answers = []
            for step in sequence:
                body = {"email": email}
                answer = (
                    await register(client, email)
                    if step == "r"
                    else await client.post("/v1/auth/resend-verification", json=body)
                )
                answers.append((answer.status_code, answer.content if answer.status_code == 202 else b""))
            found.append(answers)
    assert found[0] == found[1] == found[2]
    assert [status for status, _ in found[0]].count(429) == max(0, sequence.count("s") - 5)


async def test_a_link_is_good_for_a_day(client: httpx.AsyncClient, clock: ManualClock) -> None:
    await register(client)
    token = await link_token(client, EMAIL)
    clock.advance(timedelta(hours=24))
    problem(await client.post("/v1/auth/verify-email", json={"token": token}), 400, "link_invalid")


async def test_sign_in_answers_alike_for_unknown_wrong_and_unconfirmed(client: httpx.AsyncClient) -> None:
    await signed_up(client, EMAIL)
    await register(client, "new@example.com")
    answers = [
        await login(client, "nobody@example.com"),
        await login(client, EMAIL, OTHER),
        await login(client, "new@example.com"),
        await login(client, "not an address"),
    ]
    documents = [problem(answer, 401, "invalid_credentials") for answer in answers]
    for document in documents:
        document.pop("request_id")
    assert documents == documents[:1] * 4
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1


async def test_a_cookie_refreshes_only_with_the_header_of_the_web_app(client: httpx.AsyncClient) -> None:
    await signed_up(client, EMAIL)
    answer = await client.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD}, headers=WEB)
    assert answer.json()["refresh_token"] is None
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/v1/auth" in cookie
    for headers in ({}, {"X-Feature-Client": "app"}):
        problem(await client.post("/v1/auth/refresh", json={}, headers=headers), 401, "refresh_refused")
    renewed = await client.post("/v1/auth/refresh", json={}, headers=WEB)
    assert (renewed.status_code, renewed.json()["refresh_token"]) == (200, None)


async def test_a_spent_token_ends_its_family_for_good(client: httpx.AsyncClient, clock: ManualClock) -> None:
    pair = await signed_up(client, EMAIL)
    chain = [pair]
    for _ in range(3):
        chain.append((await refresh(client, chain[-1]["refresh_token"])).json())
    # Older than the direct parent: no grace, not even at once.
    problem(await refresh(client, chain[1]["refresh_token"]), 401, "refresh_refused")
    for _ in range(2):
        for link in chain:
            problem(await refresh(client, link["refresh_token"]), 401, "refresh_refused")
            assert await me(client, link["access_token"]) == 401
        clock.advance(timedelta(minutes=1))
    assert (await login(client)).status_code == 200


async def test_the_direct_parent_is_answered_again_for_ten_seconds(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    pair = await signed_up(client, EMAIL)
    body = pair["refresh_token"]
    answers = await asyncio.gather(*(refresh(client, body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    clock.advance(timedelta(seconds=10))
    assert (await refresh(client, body)).json()["refresh_token"] in successors
    clock.advance(timedelta(seconds=1))
    problem(await refresh(client, body), 401, "refresh_refused")
    problem(await refresh(client, successors.pop()), 401, "refresh_refused")


async def test_the_cookie_changes_once_in_ten_seconds_for_its_tabs_ask_in_any_order(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    async def tab(sent: str) -> str:
        client.cookies.clear()
        answer = await client.post("/v1/auth/refresh", json={"refresh_token": sent}, headers=WEB)
        assert answer.status_code == 200, answer.text
        return answer.cookies["feature_refresh"]

    first = (await signed_up(client, EMAIL))["refresh_token"]
    second = await tab(first)
    assert second != first
    clock.advance(timedelta(seconds=5))
    assert [await tab(sent) for sent in (second, first, second)] == [second] * 3
    clock.advance(timedelta(seconds=6))
    third = await tab(second)
    assert third not in (first, second)
    assert await tab(second) == third
    problem(await client.post("/v1/auth/refresh", json={"refresh_token": first}, headers=WEB), 401, "refresh_refused")
    problem(await client.post("/v1/auth/refresh", json={"refresh_token": third}, headers=WEB), 401, "refresh_refused")


async def test_a_made_up_token_ends_nobodys_session(client: httpx.AsyncClient) -> None:
    pair = await signed_up(client, EMAIL)
    session, generation, secret, seal = pair["refresh_token"].split(".")
    for forged in (
        f"{session}.{generation}.{'A' * len(secret)}.{seal}",
        f"{session}.{generation}.{secret}.{'A' * len(seal)}",
        f"{session}.{int(generation) + 1}.{secret}.{seal}",
        f"{session}.٣.{secret}.{seal}",
        pair["access_token"][:200],
    ):
        problem(await refresh(client, forged), 401, "refresh_refused")
    assert (await refresh(client, pair["refresh_token"])).status_code == 200


async def test_signing_out_ends_one_session_at_once(client: httpx.AsyncClient) -> None:
    first = await signed_up(client, EMAIL)
    second = (await login(client)).json()
    assert (await client.post("/v1/auth/logout", headers=bearer(first["access_token"]))).status_code == 200
    assert [await me(client, pair["access_token"]) for pair in (first, second)] == [401, 200]
    problem(await refresh(client, first["refresh_token"]), 401, "refresh_refused")
    problem(await client.post("/v1/auth/logout", headers=bearer(first["access_token"])), 401, "unauthenticated")


async def test_fifty_guesses_at_once_take_ten_slots(running: RunningApp) -> None:
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        await signed_up(client, EMAIL)
        answers = await asyncio.gather(*(login(client, password=OTHER) for _ in range(50)))
        codes = [answer.json()["code"] for answer in answers]
        assert (codes.count("invalid_credentials"), codes.count("too_many_attempts")) == (10, 40)
        refused = next(answer for answer in answers if answer.status_code == 429)
        found = problem(refused, 429, "too_many_attempts")
        assert 890 <= int(refused.headers["retry-after"]) == found["retry_after"] <= 900
        # Not even the right password passes now, and the answer is no oracle for it.
        problem(await login(client), 429, "too_many_attempts")


async def test_limits_on_sign_in_and_its_relatives_survive_a_restart(running: RunningApp) -> None:
    guess, link = {"email": EMAIL, "password": OTHER}, {"email": "bob@example.com"}
    calls: list[tuple[str, dict[str, str], int]] = [
        ("login", guess, 10),
        ("resend-verification", link, 5),
        ("forgot-password", link, 3),
        ("register", {"email": "new@example.com", "password": OTHER}, 10),
    ]
    for path, body, allowed in calls:
        async with running() as app, client_of(app) as client:
            for _ in range(allowed):
                assert (await client.post(f"/v1/auth/{path}", json=body)).status_code != 429, path
        async with running() as app, client_of(app) as client:
            for _ in range(2):
                answer = await client.post(f"/v1/auth/{path}", json=body)
                assert problem(answer, 429, "too_many_attempts")["retry_after"] > 0


async def test_the_right_password_gives_the_slots_back(client: httpx.AsyncClient) -> None:
    await signed_up(client, EMAIL)
    for _ in range(3):
        for _ in range(9):
            problem(await login(client, password=OTHER), 401, "invalid_credentials")
        assert (await login(client)).status_code == 200


async def test_a_network_has_thirty_guesses_whatever_it_guesses_at(client: httpx.AsyncClient) -> None:
    answers = [await login(client, f"nobody{number}@example.com") for number in range(31)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 900


async def test_registering_and_repeating_links_have_limits(client: httpx.AsyncClient) -> None:
    answers = [await register(client, f"new{number}@example.com") for number in range(11)]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3_600
    body = {"email": "new0@example.com"}
    again = [await client.post("/v1/auth/resend-verification", json=body) for _ in range(6)]
    assert [answer.status_code for answer in again] == [202] * 5 + [429]


async def test_a_sign_in_link_works_once_even_twenty_times_at_once(
    client: httpx.AsyncClient, database: Database
) -> None:
    link = await first_admin_link(database, now=NOW, frontend_base_url="http://localhost:5173")
    assert link is not None
    body = {"token": link.partition("?token=")[2]}
    answers = await asyncio.gather(*(client.post("/v1/auth/sign-in-link", json=body) for _ in range(20)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] + [400] * 19
    pair = next(answer for answer in answers if answer.status_code == 200).json()
    found = (await client.get("/v1/auth/me", headers=bearer(pair["access_token"]))).json()
    assert found["roles"] == ["superadmin"]


PASSWORDS = {
    "64 characters": ("x y" * 21 + "z", 202),
    "128 characters": ("word " * 25 + "abc", 202),
    "129 characters": ("word " * 25 + "abcd", 422),
    "emoji": ("🦜🐢🦔🐙🦩🐝🦊🐧🦥🐳🦚🐌", 202),
    "spaces at both ends": ("  a long walk home  ", 202),
    "11 characters": ("a long walk", 422),
    "a common one": ("password1234", 422),
    "the address": (EMAIL, 422),
}


@pytest.mark.parametrize(("password", "status"), PASSWORDS.values(), ids=PASSWORDS.keys())
async def test_a_password_is_taken_exactly_as_it_is_or_refused(
    client: httpx.AsyncClient, password: str, status: int
) -> None:
    answer = await register(client, password=password)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert password not in answer.text
        return
    token = await link_token(client, EMAIL)
    await client.get("/v1/auth/verify-email", params={"token": token})
    assert (await login(client, password=password)).status_code == 200
    for near in (password[:-1], password + " ", password.strip() + "."):
        problem(await login(client, password=near), 401, "invalid_credentials")


def chance_that_one_is_slower(first: list[float], second: list[float]) -> float:
    """How often a member of `first` is above one of `second`: 0.5 when they cannot be told apart (the ROC's area)."""
    return sum((a > b) + (a == b) / 2 for a in first for b in second) / (len(first) * len(second))


async def timed(client: httpx.AsyncClient, email: str) -> float:
    began = time.perf_counter()
    answer = await login(client, email, OTHER)
    assert answer.status_code == 401
    return time.perf_counter() - began


async def login_timing(running: RunningApp, database: Database, pairs: int, *, bound: float) -> None:
    async with (
        running(rate_limit_allowlist="192.0.2.1", argon2_memory_kib=16_384) as app,
        client_of(app) as client,
    ):
        await signed_up(client, EMAIL)
        times: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
        for number in range(pairs):
            # In turns, so that neither is always the one after the other.
            for email in sorted(times, reverse=number % 2 == 1):
                times[email].append(await timed(client, email))
            if number % 8 == 0:  # before either of them is told to wait
                async with database.system() as session:
                    await session.execute(text("DELETE FROM sign_in_attempts"))
    found = chance_that_one_is_slower(*times.values())
    assert 1 - bound < found < bound, f"{found:.2f}"


@pytest.mark.alone
async def test_the_time_of_a_sign_in_does_not_tell_known_from_unknown(running: RunningApp, database: Database) -> None:
    await login_timing(running, database, 200, bound=0.6)


@pytest.mark.prove
async def test_the_time_of_two_thousand_sign_ins_does_not_tell_known_from_unknown(
    running: RunningApp, database: Database
) -> None:
    await login_timing(running, database, 2_000, bound=0.6)


async def test_sessions_are_listed_with_their_device_and_ended_from_another(
    client: httpx.AsyncClient, app: FastAPI
) -> None:
    laptop = await signed_up(client, EMAIL)
    async with client_of(app, "198.51.100.9") as elsewhere:
        elsewhere.headers["User-Agent"] = "A telephone"
        phone = (await login(elsewhere)).json()
    listed = (await client.get("/v1/auth/sessions", headers=bearer(laptop["access_token"]))).json()["items"]
    found = {(each["user_agent"], each["address"]): each for each in listed}
    assert set(found) == {("A telephone", "198.51.100.9"), (client.headers["User-Agent"], "192.0.2.1")}
    there = found["A telephone", "198.51.100.9"]
    assert [each["is_current"] for each in listed if each["id"] != there["id"]] == [True]
    assert not there["is_current"]
    ended = await client.delete(f"/v1/auth/sessions/{there['id']}", headers=bearer(laptop["access_token"]))
    assert ended.status_code == 200
    assert await me(client, phone["access_token"]) == 401
    problem(await refresh(client, phone["refresh_token"]), 401, "refresh_refused")
    assert await me(client, laptop["access_token"]) == 200
    again = await client.delete(f"/v1/auth/sessions/{there['id']}", headers=bearer(laptop["access_token"]))
    problem(again, 404, "session_unknown")
    left = (await client.get("/v1/auth/sessions", headers=bearer(laptop["access_token"]))).json()["items"]
    assert [each["is_current"] for each in left] == [True]


async def test_a_session_that_has_run_out_is_not_listed(client: httpx.AsyncClient, clock: ManualClock) -> None:
    await signed_up(client, EMAIL)
    clock.advance(timedelta(days=31))
    pair = (await login(client)).json()
    listed = (await client.get("/v1/auth/sessions", headers=bearer(pair["access_token"]))).json()["items"]
    assert [each["is_current"] for each in listed] == [True]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_key_has_no_sessions(client: httpx.AsyncClient, database: Database, method: str) -> None:
    who = await customer(database)
    path = "/v1/auth/sessions" if method == "GET" else f"/v1/auth/sessions/{uuid4()}"
    problem(await client.request(method, path, headers=who.headers), 403, "scope_missing")
