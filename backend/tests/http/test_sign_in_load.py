"""Many at once: tabs that refresh together, a burst of sign-ins beside other work."""

import asyncio
import random
import statistics
import time
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from backend.core.settings import Settings
from backend.db.session import Database
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import bearer, client_of, customer, signed_up
from backend.tests.http.conftest import RunningApp
from backend.tests.turns import in_turns

TABS, ROUNDS = 20, 50
LOGINS = 100
MIB = 1024 * 1024


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    """As a tab of the web app does it: the cookie is the browser's, one for all tabs."""
    client.cookies.clear()
    headers = {"X-Feature-Client": "web", "Cookie": f"feature_refresh={token}"}
    return await client.post("/v1/auth/refresh", json={}, headers=headers)


async def test_twenty_tabs_that_refresh_at_once_stay_signed_in(running: RunningApp, clock: ManualClock) -> None:
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        await refresh_rounds(client, clock)


async def refresh_rounds(client: httpx.AsyncClient, clock: ManualClock) -> None:
    pair = await signed_up(client, "ada@example.com")
    token = str(pair["refresh_token"])
    for _ in range(ROUNDS):
        clock.advance(timedelta(seconds=400))
        answers = await in_turns(TABS, partial(refresh, client, token))
        assert {answer.status_code for answer in answers} == {200}
        successors = {answer.cookies["feature_refresh"] for answer in answers}
        assert len(successors) == 1
        token = successors.pop()
    access = answers[0].json()["access_token"]
    sessions = (await client.get("/v1/auth/sessions", headers=bearer(access))).json()["items"]
    assert len(sessions) == 1, "one family"


class Browser:
    """Tabs that share a jar of cookies: each sends what is there when it asks; the last answer to arrive stays."""

    def __init__(self, client: httpx.AsyncClient, token: str, seed: int) -> None:
        self._client = client
        self._random = random.Random(seed)
        self.token = token

    async def ask(self) -> int:
        """One tab notices some time that its access token is over."""
        await self._wait(0.06)
        sent = self.token
        await self._wait(0.03)
        answer = await refresh(self._client, sent)
        await self._wait(0.03)  # answers overtake one another
        if answer.status_code == 200:
            self.token = answer.cookies["feature_refresh"]
        return answer.status_code

    async def _wait(self, most: float) -> None:
        await asyncio.sleep(self._random.random() * most)


async def test_twenty_tabs_of_one_browser_that_each_refresh_in_their_own_time_stay_signed_in(
    running: RunningApp, clock: ManualClock
) -> None:
    async with running(rate_limit_allowlist="192.0.2.1") as app, client_of(app) as client:
        pair = await signed_up(client, "ada@example.com")
        browser, seen = Browser(client, str(pair["refresh_token"]), seed=1), set()
        for _ in range(ROUNDS):
            seen.add(browser.token)
            answers = await asyncio.gather(*(browser.ask() for _ in range(TABS)))
            assert Counter(answers) == {200: TABS}
            clock.advance(timedelta(seconds=400))
        assert len(seen) == ROUNDS, "the token went on in every round"
        spent = (seen - {browser.token}).pop()
        refused = await refresh(client, spent)
        assert refused.status_code == 401, "a copy of a spent token is still noticed"
        assert (await refresh(client, browser.token)).status_code == 401


def resident() -> int:
    """Bytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096


@pytest.mark.alone
async def test_a_burst_of_sign_ins_starves_nobody_and_takes_the_memory_of_the_pool(
    running: RunningApp, database: Database
) -> None:
    standard = Settings(_env_file=None)
    workers, memory = standard.argon2_workers, standard.argon2_memory_kib * 1024
    async with (
        running(
            rate_limit_allowlist="192.0.2.1",
            argon2_time_cost=1,
            argon2_memory_kib=standard.argon2_memory_kib,
            argon2_parallelism=standard.argon2_parallelism,
            argon2_workers=workers,
        ) as app,
        client_of(app) as client,
    ):
        who = await customer(database, plan="enterprise")
        body = {"email": "nobody@example.com", "password": "a guess of somebody"}
        await client.post("/v1/auth/login", json=body)  # what is loaded once is loaded
        before, most, delays, done = resident(), 0, [], False

        async def watch() -> None:
            nonlocal most
            while not done:
                began = time.perf_counter()
                assert (await client.get("/v1/subscription/me", headers=who.headers)).status_code == 200
                delays.append(time.perf_counter() - began)
                most = max(most, resident())

        watching = asyncio.create_task(watch())
        answers = await asyncio.gather(
            *(
                client.post("/v1/auth/login", json={**body, "email": f"nobody{number}@example.com"})
                for number in range(LOGINS)
            )
        )
        done = True
        await watching
    found = Counter(answer.status_code for answer in answers)
    assert set(found) <= {401, 503}
    assert found[401] >= workers
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)
    assert len(delays) > 10
    assert statistics.median(delays) < 0.25, "other requests go on"
    assert statistics.quantiles(delays, n=20)[-1] < 0.75, "also of those that waited longest, 19 of 20"
    assert most - before < workers * memory + 48 * MIB
