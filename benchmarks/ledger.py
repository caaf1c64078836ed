"""The product's own hot path, as `in_process` measures it: credential by hash, rate limit, quota, record in a journal.

Everything is what serves requests; only the round that fills pools and settles spends is left out, so the pools are
filled once and the journal counts as settled.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

from feature_platform.core.allowance import Grant

from backend.auth.principal import Principal
from backend.catalog.service import Catalogs
from backend.core.clock import SystemClock
from backend.core.ids import AccountId
from backend.db.session import Database
from backend.enforcement.allowances import Allowances
from backend.enforcement.engine import Engine
from backend.enforcement.gate import Gate, Metering, Passage
from backend.enforcement.journal import Journal, boot_nanoseconds
from backend.enforcement.passes import Passes
from backend.enforcement.treasury import Treasury
from backend.ratelimit.memory import MemoryRateStore
from backend.ratelimit.model import Bucket, account_subject
from backend.subscription.entitlements import Entitlements, resolve
from benchmarks.database import Cluster, Prepared
from benchmarks.in_process import MakeLedger, Spend

_CALL = Metering("api_calls")
_PLENTY = 1_000_000_000
_HOUR = 3_600_000_000_000


class _Filled:
    """In place of the treasury: pools that need no round."""

    def __init__(self, allowances: Allowances) -> None:
        self.allowances = allowances


def keys(number: int) -> list[bytes]:
    """Names of credentials, as the hot path finds them."""
    return [hashlib.sha256(str(each).encode()).digest() for each in range(number)]


def maker(cluster: Cluster) -> MakeLedger[bytes]:
    """Makes ledgers of accounts that are as one account of a new database is."""
    entitlements = asyncio.run(_entitlements(cluster.prepare(accounts=1)))
    return lambda names: _ledger(entitlements, names)


async def _entitlements(prepared: Prepared) -> Entitlements:
    database = Database(prepared.url)
    try:
        async with database.read() as session:
            found = await resolve(
                session,
                account_id=AccountId(UUID(prepared.accounts[0])),
                catalogs=Catalogs(),
                now=SystemClock().now(),
            )
    finally:
        await database.close()
    assert found is not None
    return found


def _ledger(like: Entitlements, names: Sequence[bytes]) -> Spend[bytes]:
    now = SystemClock().now()
    at = boot_nanoseconds()
    rate = like.rate_limit("api")
    meter = next(meter for meter in like.catalog.meters if meter.key == _CALL.meter)
    window = like.window(meter)
    assert rate is not None
    journal = Journal.create(Path(tempfile.mkdtemp(prefix="feature-bench-")))
    journal.path.unlink()  # the file lives as long as it is open
    journal.settled = 1 << 62
    allowances = Allowances(journal, lambda: None)
    allowances.lease_until = at + _HOUR
    passes = Passes(Catalogs(), most=2 * len(names))
    for number, name in enumerate(names):
        account_id = AccountId(UUID(int=number + 1))
        entitlements = replace(like, account=replace(like.account, id=account_id))
        principal = Principal(
            kind="personal_key",
            account_id=account_id,
            user_id=like.account.owner_user_id,
            key_id=UUID(int=number + 1),
            good_until=now + timedelta(days=1),
        )
        found = passes.remember(
            name,
            principal,
            entitlements,
            bucket=Bucket("api", account_subject(account_id)),
            rate=rate,
            asked_at=at + _HOUR,
        )
        assert found is not None
        pool = allowances.pool(entitlements, _CALL.meter, window)
        pool.fill(Grant(_PLENTY, _PLENTY, is_tail=False), pool.counter, at)
        found.lots[_CALL.name] = allowances.lot(pool, principal.key_id)
    gate = Gate(
        engine=cast(Engine, None),
        passes=passes,
        rates=MemoryRateStore(max_buckets=2 * len(names)),
        treasury=cast(Treasury, _Filled(allowances)),
    )
    seconds = int(now.timestamp())
    assert isinstance(gate.quick(names[0], _CALL, now, seconds), Passage)
    return lambda name: gate.quick(name, _CALL, now, seconds)
