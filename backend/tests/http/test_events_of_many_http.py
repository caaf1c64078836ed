"""One request about many accounts: each is found by id or by the host's own, and one that is unknown harms no other."""

import httpx
from sqlalchemy import text

from backend.db.session import Database
from backend.tests.http.calls import customer, service_key, spent
from backend.tests.http.test_events_http import report, statuses

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
