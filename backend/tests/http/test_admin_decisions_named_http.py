"""A request's id is chosen by its sender: it never leads to another customer's refusal without saying so."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from backend.core.ids import request_id
from backend.db.session import Database
from backend.tests.http.calls import Caller, Headers, consume, customer, problem
from backend.tests.http.test_admin_decisions_http import PATH, found, read
from backend.tests.http.test_admin_http import somebody


@pytest.fixture
async def operator(client: httpx.AsyncClient, database: Database) -> Headers:
    return (await somebody(client, database, "root", "superadmin")).headers


async def refused(client: httpx.AsyncClient, who: Caller, *names: str) -> None:
    """Refused alike within a second: one row, whose first name is the first one."""
    for name in names:
        problem(await consume(client, {**who.headers, "X-Request-ID": name}, 1_000), 402, "quota_exceeded")


def accounts(answer: Any) -> set[str]:
    return {one["account"]["id"] for one in answer["items"]}


@pytest.mark.parametrize("is_ours", [False, True])
async def test_the_first_of_one_may_be_among_the_folded_of_another(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers, is_ours: bool
) -> None:
    one, other = await customer(database), await customer(database)
    names = [request_id() for _ in range(3)] if is_ours else ["order-0", "order-1", "order-2"]
    await refused(client, one, *names)
    await refused(client, other, names[2])
    await app.state.denials.flush()
    both = {one.account_id, other.account_id}
    several = problem(await client.get(f"{PATH}/{names[2]}", headers=operator), 409, "decision_ambiguous")
    assert {each["account_id"] for each in several["decisions"]} == both
    answer = await client.post(f"{PATH}/{names[2]}/simulate", json={}, headers=operator)
    problem(answer, 409, "decision_ambiguous")
    assert accounts(await found(client, operator, q=names[2])) == both
    for who in (one, other):
        whole = await read(client, operator, names[2], account_id=who.account_id)
        assert whole["account"]["id"] == who.account_id
    assert (await read(client, operator, names[1]))["account"]["id"] == one.account_id


async def test_an_id_may_look_like_a_decisions(
    app: FastAPI, client: httpx.AsyncClient, database: Database, operator: Headers
) -> None:
    who, name = await customer(database), str(uuid4())
    await refused(client, who, name)
    await app.state.denials.flush()
    assert (await read(client, operator, name))["request_ids"] == [name]
    assert accounts(await found(client, operator, q=name)) == {who.account_id}
    assert (await client.get(f"/v1/decisions/{name}", headers=who.headers)).status_code == 200
