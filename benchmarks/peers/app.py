"""Bare FastAPI with one rate limit by a library or by hand: `uvicorn --factory benchmarks.peers.app:create`.

STORE_URL names the Valkey server, PEER the limiter and REQUESTS_PER_DAY its limit. Each counts one limit for each
request, by the caller's credential; the product also counts a quota and keeps the usage. The answer has the same bytes
as that of `benchmarks.apps.bare`. Each library works in its cheapest way that is exact over processes, a fixed window.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Annotated

import redis.asyncio as redis  # type: ignore[import-not-found]  # these are in the other environment
from fastapi import Depends, FastAPI, Header, HTTPException
from limits import RateLimitItem, RateLimitItemPerDay  # type: ignore[import-not-found]
from limits.aio.storage import MemoryStorage, RedisStorage  # type: ignore[import-not-found]
from limits.aio.strategies import FixedWindowRateLimiter  # type: ignore[import-not-found]
from pydantic import BaseModel
from throttled.asyncio import Throttled, rate_limiter, store  # type: ignore[import-not-found]

Check = Callable[[str], Awaitable[bool]]

_DAY = 86_400
_TOO_MANY = 429

# KEYS[1]; ARGV: seconds between two units, seconds that a burst may be ahead. The server's own clock, in one step.
_GCRA = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local at = tonumber(redis.call('GET', KEYS[1]) or now)
if at < now then at = now end
at = at + ARGV[1]
if at - now > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.6f', at), 'PX', math.ceil((at - now) * 1000) + 1000)
return 1
"""


class Decision(BaseModel):
    """As the product answers it."""

    allowed: bool = True
    code: str = "allowed"
    meter: str = "api_calls"
    limit: int | None = 1_000_000_000_000
    used: int = 1
    held: int = 0
    remaining: int | None = 999_999_999_999
    resets_at: str | None = None
    retry_after: int | None = None
    plan: str | None = "bench"
    decision_id: str | None = None
    fixes: list[str] = []


class Pong(BaseModel):
    """The answer of the metered endpoint."""

    message: str
    decision: Decision


_PONG = Pong(message="pong", decision=Decision())


def _limits(storage: MemoryStorage | RedisStorage, item: RateLimitItem) -> Check:
    limiter = FixedWindowRateLimiter(storage)

    async def check(caller: str) -> bool:
        return bool(await limiter.hit(item, caller))

    return check


def limits_redis(url: str, requests: int) -> Check:
    """limits, a fixed window: one script for each request. redis-py with hiredis is its fastest client here."""
    return _limits(RedisStorage(f"async+{url}", implementation="redispy"), RateLimitItemPerDay(requests))


def limits_memory(url: str, requests: int) -> Check:
    """The same in the memory of each process."""
    return _limits(MemoryStorage(), RateLimitItemPerDay(requests))


def _throttled(kept: store.BaseStore, requests: int, *, using: str) -> Check:
    quota = rate_limiter.per_day(requests, burst=requests)
    throttle = Throttled(using=using, quota=quota, store=kept)

    async def check(caller: str) -> bool:
        return not (await throttle.limit(caller)).limited

    return check


def throttled_redis(url: str, requests: int) -> Check:
    """throttled-py, a fixed window."""
    return _throttled(store.RedisStore(server=url), requests, using="fixed_window")


def throttled_memory(url: str, requests: int) -> Check:
    """The same in the memory of each process."""
    return _throttled(store.MemoryStore(), requests, using="fixed_window")


def script(url: str, requests: int) -> Check:
    """GCRA by a script on the server, called by hand."""
    run = redis.Redis.from_url(url).register_script(_GCRA)
    arguments = [_DAY / requests, _DAY]

    async def check(caller: str) -> bool:
        return bool(await run([f"rate:{caller}"], arguments))

    return check


_PEERS: dict[str, Callable[[str, int], Check]] = {
    "limits": limits_redis,
    "throttled": throttled_redis,
    "script": script,
    "limits-memory": limits_memory,
    "throttled-memory": throttled_memory,
}


def create() -> FastAPI:
    """The application of the peer that the environment names."""
    check = _PEERS[os.environ["PEER"]](os.environ["STORE_URL"], int(os.environ["REQUESTS_PER_DAY"]))

    async def limited(authorization: Annotated[str, Header()]) -> None:
        if not await check(authorization):
            raise HTTPException(_TOO_MANY)

    app = FastAPI(openapi_url=None)

    @app.get("/v1/ping", dependencies=[Depends(limited)])
    async def ping() -> Pong:
        return _PONG

    return app
