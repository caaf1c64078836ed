"""A serving process without its server: what it holds in memory, its journal, and its engine."""

import asyncio
import contextlib
from datetime import datetime
from pathlib import Path

from backend.catalog.service import Catalogs
from backend.db.session import Database
from backend.enforcement.engine import Caller, Engine, Outcome
from backend.enforcement.gate import Gate, Metering
from backend.enforcement.passes import Passes
from backend.enforcement.treasury import Treasury
from backend.ratelimit.memory import MemoryRateStore
from backend.subscription.entitlements import Entitlements, resolve
from backend.tests.factories.accounts import Person
from backend.tests.moments import NOW
from backend.usage.model import Source

CALL = Metering("api_calls")


class Process:
    """Of several on one database and one folder, as they are on one machine."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = Database(url, pool_size=8)
        self.catalogs = Catalogs()
        self.treasury = Treasury(self.database, folder, Passes(self.catalogs))
        self.engine = Engine(self.database, self.catalogs, upgrade_url="http://localhost/plans", treasury=self.treasury)
        self.gate = Gate(
            engine=self.engine, passes=Passes(self.catalogs), rates=MemoryRateStore(), treasury=self.treasury
        )

    async def start(self) -> "Process":
        await self.treasury.start()
        return self

    async def stop(self) -> None:
        """As a server ends that is asked to."""
        await self.engine.close()
        await self.treasury.stop()
        await self.database.close()

    async def die(self) -> None:
        """As after kill -9: what is in memory is gone, the file stays, its lock does not."""
        await self.treasury.recalls.stop()
        task = self.treasury._task
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if self.treasury._wire is not None:
            await self.treasury._wire.close()
        await self.treasury.store.close()
        if self.treasury.allowances is not None:
            self.treasury.allowances.journal.close(remove=False)
            self.treasury.allowances = None
        await self.engine.close()
        await self.database.close()

    async def entitlements(self, user: Person, now: datetime = NOW) -> Entitlements:
        async with self.database.read(user.account_id) as session:
            found = await resolve(session, account_id=user.account_id, catalogs=self.catalogs, now=now)
        assert found is not None
        return found

    async def call(self, user: Person, entitlements: Entitlements, metering: Metering = CALL) -> Outcome:
        """One metered call."""
        caller = Caller(user.account_id, Source(), user.user_id, entitlements.now, entitlements)
        return await self.gate.spend(caller, entitlements, metering, known_as=None)
