"""Races of sign-in and of reservations over HTTP, with several processes. Those of consuming are in `faults`."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.factories.users import PASSWORD, QUICK
from backend.tests.faults.people import customer
from backend.tests.faults.server import Server
from backend.tests.http.calls import Caller, signed_up

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]

EMAIL = "ada@example.com"


@pytest.fixture
def server(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    for name, value in QUICK.items():  # what races is what surrounds the hashing of passwords
        monkeypatch.setenv(name.upper(), str(value))
    started = Server(database_url, tmp_path, processes=request.param)
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=server.base_url, timeout=60, limits=limits) as made:
        yield made


async def at_once(client: httpx.AsyncClient, path: str, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    return await asyncio.gather(*(client.post(f"/v1/auth/{path}", json=body) for body in bodies))


@pytest.mark.parametrize("server", [2], indirect=True)
async def test_sign_in_is_exact_over_processes(client: httpx.AsyncClient, database: Database) -> None:
    """One server for three races: starting it takes longer than the races themselves."""
    await fifty_sign_ups_are_one_account(client, database)
    await twenty_refreshes_have_one_successor(client)
    await fifty_guesses_take_ten_slots(client)


async def fifty_sign_ups_are_one_account(client: httpx.AsyncClient, database: Database) -> None:
    spellings = ["new@example.com", "NEW@example.com", "New@Example.Com", "nEw@EXAMPLE.com", "neW@example.COM"]
    bodies = [{"email": email, "password": PASSWORD} for email in spellings * 10]
    answers = await at_once(client, "register", bodies)
    assert {answer.status_code for answer in answers} == {202}
    async with database.read() as session:
        for table in ("users", "accounts", "account_members"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 1


async def twenty_refreshes_have_one_successor(client: httpx.AsyncClient) -> None:
    pair = await signed_up(client, EMAIL)
    for _ in range(3):
        answers = await at_once(client, "refresh", [{"refresh_token": pair["refresh_token"]}] * 20)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        parent, pair = pair, answers[0].json()
    # The parent and its successor at once, again and again: a retry of the parent never ends the family.
    tokens = [parent["refresh_token"]] * 10
    answers = await at_once(client, "refresh", [{"refresh_token": token} for token in tokens])
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["refresh_token"] for answer in answers} == {pair["refresh_token"]}


async def fifty_guesses_take_ten_slots(client: httpx.AsyncClient) -> None:
    answers = await at_once(client, "login", [{"email": EMAIL, "password": "not the password"}] * 50)
    assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 40}
    right = await at_once(client, "login", [{"email": EMAIL, "password": PASSWORD}] * 3)
    assert {answer.status_code for answer in right} == {429}


async def reserve(client: httpx.AsyncClient, who: Caller, amount: int, key: str | None = None) -> httpx.Response:
    headers = {**who.headers, **({"Idempotency-Key": key} if key else {})}
    body = {"meter": "compute", "amount": amount, "ttl": 60}
    return await client.post("/v1/usage/reserve", json=body, headers=headers)


async def held_and_used(database: Database, who: Caller) -> tuple[int, int]:
    async with database.read(who.person.account_id) as session:
        row = (await session.execute(text("SELECT held, used FROM meter_usage WHERE meter = 'compute'"))).one()
        return row.held, row.used


async def reservations_race(client: httpx.AsyncClient, database: Database, rounds: int) -> None:
    for number in range(rounds):
        who = await customer(database)
        answers = await asyncio.gather(*(reserve(client, who, 500) for _ in range(20)))
        assert Counter(answer.status_code for answer in answers) == {200: 7, 402: 13}
        assert await held_and_used(database, who) == (3_500, 0)
        holds = [answer.json()["reservation_id"] for answer in answers if answer.status_code == 200]
        # Each is committed and released at once, several times: one of the two wins, once.
        calls = [(hold, verb) for hold in holds for verb in ("commit", "release", "commit", "release")]
        settled = await asyncio.gather(
            *(
                client.post(f"/v1/usage/reservations/{hold}/{verb}", json={}, headers=who.headers)
                for hold, verb in calls
            )
        )
        committed = set()
        for hold in holds:
            of_hold = [
                (verb, answer.status_code) for (of, verb), answer in zip(calls, settled, strict=True) if of == hold
            ]
            winner = next(verb for verb, status in of_hold if status == 200)
            assert sorted(of_hold) == sorted((verb, 200 if verb == winner else 409) for verb, _ in of_hold)
            if winner == "commit":
                committed.add(hold)
        assert await held_and_used(database, who) == (0, 500 * len(committed)), number


async def one_key_rounds(client: httpx.AsyncClient, database: Database, rounds: int) -> None:
    for number in range(rounds):
        who = await customer(database)
        answers = await asyncio.gather(*(reserve(client, who, 60, f"round {number}") for _ in range(32)))
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
        assert await held_and_used(database, who) == (60, 0)


@pytest.mark.parametrize("server", [4], indirect=True)
async def test_reservations_are_exact_over_processes(client: httpx.AsyncClient, database: Database) -> None:
    await reservations_race(client, database, rounds=3)
    await one_key_rounds(client, database, rounds=5)


@pytest.mark.prove
@pytest.mark.parametrize("server", [1, 4], indirect=True)
async def test_reservations_are_exact_over_processes_a_thousand_times(
    client: httpx.AsyncClient, database: Database
) -> None:
    await reservations_race(client, database, rounds=1_000)
    await one_key_rounds(client, database, rounds=500)
