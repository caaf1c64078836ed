"""Accounts and keys for tests over HTTP, made where the commands make them."""

from dataclasses import dataclass

from backend.auth.service.keys_service import create_key
from backend.core.clock import SystemClock
from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import Person, person


@dataclass(frozen=True)
class Customer:
    """A person with a personal key."""

    person: Person
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


async def customer(database: Database, *, plan: str = "free") -> Customer:
    """Somebody on a plan, from now on."""
    now = SystemClock().now()
    async with database.system() as session:
        user = await person(session, now=now)
        made = await create_key(
            session, name="test", account_id=user.account_id, user_id=user.user_id, scopes=(), now=now
        )
        if plan != "free":
            await upgrade_user_plan(session, user.user_id, plan, now=now)
    return Customer(user, made.key)


async def service_headers(database: Database) -> dict[str, str]:
    """A host application that reads and writes usage; its calls are not rate-limited."""
    async with database.system() as session:
        made = await create_key(
            session,
            name="host",
            account_id=None,
            user_id=None,
            scopes=("usage:read", "usage:write"),
            now=SystemClock().now(),
        )
    return {"Authorization": f"Bearer {made.key}"}
