"""A log replayed shuffled, with duplicates and late events, comes to what the ordered log comes to."""

import asyncio
import itertools
import random
from collections import Counter
from datetime import UTC
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.db.session import Database
from backend.subscription.service import upgrade_user_plan
from backend.tests.factories.accounts import person
from backend.tests.http.calls import Headers, service_key
from backend.tests.http.replay import PROFILES, Entry, Model, Profile, make_log, shuffled
from backend.tests.http.test_events_http import EVENTS
from backend.tests.moments import NOW
from backend.usage.tasks import compare_all

_BATCH = 1_000


@pytest.mark.parametrize(
    "number", [20_000, pytest.param(1_000_000, marks=pytest.mark.prove)], ids=["twenty thousand", "a million"]
)
async def test_a_shuffled_log_counts_as_the_ordered_one(
    client: httpx.AsyncClient, database: Database, database_url: str, number: int
) -> None:
    source = random.Random(number)
    log = make_log(number, source)
    accounts = [await _account(database, profile) for profile in PROFILES]
    host = await service_key(database, "usage:write")
    deposits, lanes = [(entry, entry.at) for entry in log if entry.is_deposit], shuffled(log, source)
    repeated = len(deposits) + sum(map(len, lanes)) - number
    assert 0.04 < repeated / number < 0.06
    first = await _post(client, host, accounts, deposits)
    found = await asyncio.gather(*(_post(client, host, accounts, lane) for lane in lanes))
    assert sum(found, first) == {"accepted": number, "duplicate": repeated}
    model = Model()
    model.read(log)
    patient = Database(database_url, statement_seconds=900)
    await _compare(patient, accounts, model)
    compared = await compare_all(patient, now=NOW)
    assert (compared.differences, compared.records) == ([], [])
    await patient.close()


async def _account(database: Database, profile: Profile) -> str:
    since = profile.anchor.astimezone(UTC)
    async with database.system() as session:
        who = await person(session, now=since, billing_zone=profile.zone)
        if profile.plan != "free":
            await upgrade_user_plan(session, who.user_id, profile.plan, now=since)
    return str(who.account_id)


async def _post(client: httpx.AsyncClient, host: Headers, accounts: list[str], lane: list[Any]) -> Counter[str]:
    """One batch after the other, as lanes do that keep their order."""
    found: Counter[str] = Counter()
    for start in range(0, len(lane), _BATCH):
        body = {"events": [entry.posted(accounts, at) for entry, at in lane[start : start + _BATCH]]}
        answer = await client.post(EVENTS, json=body, headers=host)
        assert answer.status_code == 200, answer.text
        found.update(item["status"] for item in answer.json()["items"])
    return found


async def _compare(database: Database, accounts: list[str], model: Model) -> None:
    numbers = {account: number for number, account in enumerate(accounts)}

    async def rows(query: str) -> list[tuple[Any, ...]]:
        async with database.read() as session:
            found = (await session.execute(text(query))).all()
        return [(numbers[str(account)], *rest) for account, *rest in found]

    counters = await rows("SELECT account_id, meter, window_start, used FROM meter_usage WHERE used <> 0")
    assert {row[:3]: row[3] for row in counters} == {key: used for key, used in model.counters.items() if used}
    sums = await rows("SELECT account_id, meter, bucket_start, sum(amount)::bigint FROM usage_rollups GROUP BY 1, 2, 3")
    assert {row[:3]: row[3] for row in sums if row[3]} == {key: sum_ for key, sum_ in model.buckets.items() if sum_}
    records = await rows(
        "SELECT account_id, period_start, api_calls, jobs_created, storage_used_mb, compute_minutes FROM user_usage"
    )
    assert sorted(records) == sorted(model.rows())
    events: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for account, meter in itertools.product(accounts, ("api_calls", "jobs", "compute", "storage")):
        found = await rows(
            "SELECT account_id, external_id, meter, amount, occurred_at, window_start FROM usage_events"
            f" WHERE account_id = '{account}' AND meter = '{meter}' AND counted"
        )
        assert not events.keys() & {row[:2] for row in found}
        events |= {row[:2]: row[2:] for row in found}
    assert events == model.events


def test_the_model_depends_on_no_order_but_its_own() -> None:
    """What is claimed of a shuffled log holds for the model itself, or it would prove nothing."""
    source = random.Random(7)
    log = make_log(3_000, source)
    ordered, other = Model(), Model()
    ordered.read(log)
    seen: set[tuple[int, str]] = set()
    firsts: list[Entry] = [entry for entry in log if entry.is_deposit]
    lanes = shuffled(log, source)
    while any(lanes):
        lane = source.choice([lane for lane in lanes if lane])
        entry, _ = lane.pop(0)
        if (entry.account, entry.id) not in seen:
            seen.add((entry.account, entry.id))
            firsts.append(entry)
    other.read(firsts)
    assert (other.counters, other.buckets, other.records) == (ordered.counters, ordered.buckets, ordered.records)
