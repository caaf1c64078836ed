"""Callers of a server that runs by the true clock."""

from backend.core.clock import SystemClock
from backend.db.session import Database
from backend.tests.http import calls
from backend.tests.http.calls import Caller, Headers


async def customer(database: Database, *, plan: str = "free") -> Caller:
    """Somebody on a plan, from now on."""
    return await calls.customer(database, plan=plan, now=SystemClock().now())


async def service_headers(database: Database) -> Headers:
    """A host application that reads and writes usage; its calls are not rate-limited."""
    return await calls.service_key(database, "usage:read", "usage:write", now=SystemClock().now())
