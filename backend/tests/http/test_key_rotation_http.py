"""Keys for secrets at rest change while processes that have not been restarted still answer."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pyotp
from sqlalchemy import text

from backend.db.session import Database
from backend.security.encryption import KeyRing, new_ring
from backend.tests.factories.users import PASSWORD
from backend.tests.fakes.clock import ManualClock
from backend.tests.http.calls import Headers, bearer, client_of, problem, signed_up
from backend.tests.http.conftest import RunningApp
from backend.tests.http.test_second_factor_http import EMAIL, STEP, challenge, enabled, post, verify

BEFORE = KeyRing.parse(new_ring(), None)
ADDED = BEFORE.with_readable()
(NEW,) = ADDED.keys.keys() - BEFORE.keys.keys()
ACTIVE = ADDED.with_active(NEW)


@contextlib.asynccontextmanager
async def processes(running: RunningApp, *rings: KeyRing) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Applications on one database, each with keys of its own."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                client_of(await stack.enter_async_context(running(encryption_keys=str(ring))))
            )
            for ring in rings
        ]


async def key_in_use(database: Database) -> str:
    async with database.read() as session:
        return str(await session.scalar(text("SELECT split_part(secret, '.', 1) FROM totp_secrets")))


async def signs_in(client: httpx.AsyncClient, codes: pyotp.TOTP, clock: ManualClock) -> int:
    clock.advance(STEP)
    return (await verify(client, await challenge(client), codes.at(clock.now()))).status_code


async def test_a_rotation_with_restarts_between_its_steps_refuses_nobody(
    running: RunningApp, clock: ManualClock, database: Database
) -> None:
    async with processes(running, BEFORE, ADDED, ACTIVE) as (old, added, active):
        user = bearer((await signed_up(old, EMAIL))["access_token"])
        codes, _ = await enabled(old, clock, user)
        for client in (added, old, added, old):
            assert await signs_in(client, codes, clock) == 200
        assert await key_in_use(database) == BEFORE.active
        for client in (active, added, active, added, active):  # the old ones are gone now
            assert await signs_in(client, codes, clock) == 200
        assert await key_in_use(database) == NEW


async def test_a_process_that_was_not_restarted_says_so_and_loses_nothing(
    running: RunningApp, clock: ManualClock, database: Database
) -> None:
    async with processes(running, BEFORE, ACTIVE) as (old, active):
        headers: Headers = bearer((await signed_up(old, EMAIL))["access_token"])
        begun = (await post(active, "2fa/enable-init", headers=headers)).json()
        codes = pyotp.TOTP(begun["secret"])
        body = {"challenge_id": begun["challenge_id"], "otp": codes.at(clock.now())}
        answer = await post(old, "2fa/enable-complete", body, headers)
        problem(answer, 503, "temporarily_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await post(active, "2fa/enable-complete", body, headers)).status_code == 200
        clock.advance(STEP)
        opened = await challenge(old)
        for _ in range(12):  # more than a challenge has attempts: none was counted
            problem(await verify(old, opened, codes.at(clock.now())), 503, "temporarily_unavailable")
        answer = await post(old, "2fa/disable", {"otp": codes.at(clock.now())}, headers)
        problem(answer, 503, "temporarily_unavailable")
        assert (await verify(active, opened, codes.at(clock.now()))).status_code == 200
        assert (await post(old, "2fa/disable", {"password": PASSWORD}, headers)).status_code == 200
