"""Reports about many accounts: each is found by id or by the host's own, and one that is unknown harms no other."""

import asyncio

import httpx
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.http.calls import customer, service_key, spent
from backend.tests.http.test_events_http import event, report, statuses
from backend.tests.turns import until_somebody_waits

_LOCK = text("SELECT FROM meter_usage WHERE account_id = :id FOR UPDATE")
_STRAYED = text("""
    SELECT count(*) FROM usage_events event JOIN usage_event_keys known ON known.event_id = event.id
    WHERE known.account_id <> event.account_id
""")
_OWN = text("UPDATE accounts SET external_id = 'customer-' || id WHERE id = :id")


async def test_each_account_of_a_batch_is_found_or_refused_by_itself(
    client: httpx.AsyncClient, database: Database
) -> None:
    people = [await customer(database, plan="pro" if number % 2 else "free") for number in range(12)]
    async with database.system() as session:
        for who in people[::3]:
            await session.execute(_OWN, {"id": who.person.account_id})
    names = [f"external:customer-{who.account_id}" if n % 3 == 0 else who.account_id for n, who in enumerate(people)]
    strange = ["0" * 32, "external:nobody", "external:", "external:\x7f", "nobody", "", "external:" + "x" * 300]
    named = [name for pair in zip(names, strange + names, strict=False) for name in pair]
    answer = await report(
        client,
        await service_key(database, "usage:write"),
        *({"id": f"{number}", "meter": "jobs", "amount": 1, "account_id": name} for number, name in enumerate(named)),
    )
    found = [status for _, status, _ in statuses(answer)]
    assert found == ["rejected" if name in strange else "accepted" for name in named]
    for number, who in enumerate(people):
        counted = named.count(names[number])
        assert await spent(database, who) == (counted, counted)


async def test_a_key_that_creates_accounts_makes_those_that_are_missing(
    client: httpx.AsyncClient, database: Database
) -> None:
    host = await service_key(database, "usage:write", "accounts:create")
    events = [{"id": f"{n}", "meter": "jobs", "amount": 1, "account_id": f"external:new-{n % 4}"} for n in range(8)]
    assert {status for _, status, _ in statuses(await report(client, host, *events))} == {"accepted"}
    async with database.read() as session:
        used = (await session.scalars(text("SELECT used FROM meter_usage WHERE meter = 'jobs'"))).all()
    assert list(used) == [2, 2, 2, 2]


async def test_requests_that_are_written_together_are_counted_each_where_it_belongs(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Accounts, meters and amounts differ, one of them repeats itself, one sets a level; all wait for one lock."""
    host = await service_key(database, "usage:write")
    people = [await customer(database, plan="pro" if number % 2 else "free") for number in range(6)]
    for who in people:
        answer = await report(client, host, event(who, "first"), event(who, "level", meter="storage", amount=7))
        assert {status for _, status, _ in statuses(answer)} == {"accepted"}
    async with database.system() as session:
        await session.execute(_LOCK, {"id": people[0].person.account_id})
        calls = [asyncio.create_task(report(client, host, event(people[0], "waits")))]
        await until_somebody_waits(database)
        for number, who in enumerate(people):
            of_both = [
                event(who, f"a{number}", amount=number + 1),
                event(who, f"b{number}", meter="storage", amount=10 * (number + 1), operation="add"),
                event(people[number - 1], f"c{number}", amount=100),
            ]
            if number == 2:
                of_both.append(event(who, "first"))
            if number == 3:
                of_both.append(event(who, "set", meter="storage", amount=5, operation="set"))
            calls.append(asyncio.create_task(report(client, host, *of_both)))
        await asyncio.sleep(0.3)
    found = [[status for _, status, _ in statuses(answer)] for answer in await asyncio.gather(*calls)]
    accepted = ["accepted"] * 3
    assert found == [
        ["accepted"],
        accepted,
        accepted,
        [*accepted, "duplicate"],
        [*accepted, "accepted"],
        accepted,
        accepted,
    ]
    for number, who in enumerate(people):
        jobs = 1 + number + 1 + 100 + (number == 0)
        assert await spent(database, who) == (jobs, jobs)
        level = 5 if number == 3 else 7 + 10 * (number + 1)
        assert await spent(database, who, "storage") == (level, level)
    async with database.system() as session:
        assert await session.scalar(_STRAYED) == 0
