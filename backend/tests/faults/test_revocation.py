"""One second to every process: what is taken away works in none of four a second after the commit."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from backend.auth.service.host_accounts import AccountChange, put_account, put_member, remove_member
from backend.auth.service.keys_service import create_key, revoke_key
from backend.auth.service.operators import set_locked
from backend.core.clock import SystemClock
from backend.core.ids import AccountId, UserId
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import person
from backend.tests.factories.users import PASSWORD, QUICK, sign_in_on
from backend.tests.faults.server import Server
from backend.tests.http.calls import Headers, bearer

pytestmark = [pytest.mark.faults, pytest.mark.alone]

PROCESSES = 4
ROUNDS = 50
AT_ONCE = 17
BOUND = 1.0  # seconds, from the commit to the last success


@pytest.fixture
def server(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in QUICK.items():
        monkeypatch.setenv(name.upper(), str(value))
    started = Server(database_url, tmp_path, processes=PROCESSES)
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    # No connection is kept: each request may meet another process.
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30, limits=limits) as made:
        yield made


class Subject:
    """Somebody with a session, a key, and a role in a team; each can be taken away."""

    def __init__(self, database: Database, user_id: UserId, account_id: AccountId, team_id: AccountId) -> None:
        self.database = database
        self.user_id = user_id
        self.account_id = account_id
        self.team_id = team_id
        self.token: Headers = {}
        self.key: Headers = {}
        self.key_id = ""

    @classmethod
    async def make(cls, client: httpx.AsyncClient, database: Database, password_hash: str) -> "Subject":
        now = SystemClock().now()
        async with database.system() as session:
            who = await person(session, password_hash=password_hash, now=now)
            team = await put_account(session, external_id=f"team-{who.user_id.hex}", change=AccountChange(), now=now)
            await put_member(session, account_id=team.id, subject=str(who.user_id), role="developer")
            key = await create_key(
                session, name="a program", account_id=who.account_id, user_id=who.user_id, scopes=(), now=now
            )
        made = cls(database, who.user_id, who.account_id, team.id)
        answer = await client.post("/v1/auth/login", json={"email": who.email, "password": PASSWORD})
        made.token, made.key, made.key_id = bearer(answer.json()["access_token"]), bearer(key.key), str(key.id)
        return made

    async def end_session(self) -> None:
        async with self.database.system() as session:
            await session.execute(
                text("UPDATE sessions SET revoked_at = :now, revoked_reason = 'test' WHERE user_id = :id"),
                {"now": SystemClock().now(), "id": self.user_id},
            )

    async def revoke_key(self) -> None:
        async with self.database.system() as session:
            await revoke_key(session, named=self.key_id, now=SystemClock().now())

    async def lock(self) -> None:
        async with self.database.system() as session:
            await set_locked(session, user_id=self.user_id, locked=True, now=SystemClock().now())

    async def lower_role(self) -> None:
        async with self.database.system() as session:
            await put_member(session, account_id=self.team_id, subject=str(self.user_id), role="viewer")

    async def leave_team(self) -> None:
        async with self.database.system() as session:
            await remove_member(session, account_id=self.team_id, subject=str(self.user_id), now=SystemClock().now())

    async def lower_plan(self) -> None:
        async with self.database.system() as session:
            await upgrade_user_plan(session, self.user_id, "free", now=SystemClock().now())


Change = Callable[[Subject], Awaitable[None]]
CHANGES: dict[str, tuple[Change, str]] = {
    "a session": (Subject.end_session, "own"),
    "a key": (Subject.revoke_key, "key"),
    "a user": (Subject.lock, "own"),
    "a user's key": (Subject.lock, "key"),
    "a role": (Subject.lower_role, "team"),
    "a membership": (Subject.leave_team, "team"),
    "a plan": (Subject.lower_plan, "plan"),
}


async def succeeds(client: httpx.AsyncClient, who: Subject, way: str) -> bool:
    """Whether what was granted is granted still."""
    if way == "plan":
        answer = await client.get("/v1/subscription/me", headers=who.token)
        return bool(answer.json()["plan"]["name"] == "pro")
    headers = who.key if way == "key" else who.token
    if way == "team":
        headers = {**headers, "Feature-Account": str(who.team_id)}
    body = {"meter": "compute", "amount": 1}
    answer = await client.post("/v1/usage/consume", json=body, headers=headers)
    assert answer.status_code in {200, 401, 403, 404}, answer.text
    return answer.status_code == 200


async def last_success(client: httpx.AsyncClient, who: Subject, change: Change, way: str) -> float:
    """Seconds from the commit to the beginning of the last request that succeeded; negative when all failed."""
    if way == "plan":
        async with who.database.system() as session:
            await upgrade_user_plan(session, who.user_id, "pro", now=SystemClock().now())
    for _ in range(8):  # every process has seen it
        assert await succeeds(client, who, way)
    await change(who)
    committed, last = time.monotonic(), -1.0
    while (began := time.monotonic()) < committed + BOUND + 0.4:
        if await succeeds(client, who, way):
            last = began - committed
        await asyncio.sleep(0.02)
    return last


async def rounds(client: httpx.AsyncClient, database: Database, number: int) -> list[float]:
    turns, found = asyncio.Semaphore(AT_ONCE), []
    kinds = list(CHANGES.values())
    async with sign_in_on(database) as signing:
        password_hash = await signing.passwords.hash(PASSWORD)

    async def one(index: int) -> None:
        async with turns:
            change, way = kinds[index % len(kinds)]
            who = await Subject.make(client, database, password_hash)
            found.append(await last_success(client, who, change, way))

    await asyncio.gather(*(one(index) for index in range(number)))
    return found


async def asked(client: httpx.AsyncClient) -> list[int]:
    """How many spends each process has answered; none is under way. By their numbers for each kind of answer, and by
    the moment at which they were started, they are told apart."""
    found: dict[tuple[str, ...], int] = {}
    for _ in range(400):
        lines = (await client.get("/metrics")).text.splitlines()
        started = next(line for line in lines if line.startswith("process_start_time_seconds"))
        spends = [line for line in lines if line.startswith("feature_requests_total") and "usage/consume" in line]
        found[started, *spends] = round(sum(float(line.rpartition(" ")[2]) for line in spends))
        if len(found) == PROCESSES:
            break
    return list(found.values())


async def test_what_is_taken_away_works_nowhere_a_second_later(client: httpx.AsyncClient, database: Database) -> None:
    found = await rounds(client, database, ROUNDS)
    assert len(found) == ROUNDS
    assert max(found) < BOUND
    answered = await asked(client)
    assert len(answered) == PROCESSES
    assert min(answered) > ROUNDS, "each process was asked again and again"


@pytest.mark.prove
async def test_what_is_taken_away_works_nowhere_a_second_later_a_thousand_times(
    client: httpx.AsyncClient, database: Database
) -> None:
    assert max(await rounds(client, database, 1_000)) < BOUND
