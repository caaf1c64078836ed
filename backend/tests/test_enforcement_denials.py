"""The way of refusals into the log: folding, its bound, and a database that does not answer."""

from datetime import timedelta
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from backend.core.ids import AccountId, uuid7
from backend.db.session import Database
from backend.enforcement.denials import MOST_KINDS, Denials
from backend.enforcement.paths import Paths
from backend.tests.moments import NOW
from backend.usage.denials import Denied, Folded

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"


def denied(account_id: AccountId | None = None, code: str = "quota_exceeded") -> Denied:
    return Denied(
        account_id=account_id or AccountId(uuid7()),
        code=code,
        meter="jobs",
        scope=None,
        method="POST",
        path="/v1/usage/consume",
        key_id=None,
        subject=None,
        plan="free",
        plan_version=1,
        rules=[],
        used=10,
        held=0,
        limit=10,
        requested=1,
    )


def lost() -> float:
    return REGISTRY.get_sample_value("feature_denials_lost_total") or 0


async def rows(database: Database) -> list[tuple[int, int]]:
    async with database.read() as session:
        found = await session.execute(text("SELECT count, cardinality(request_ids) FROM denials ORDER BY id"))
        return [(row[0], row[1]) for row in found]


async def test_what_it_was_is_asked_once_for_each_kind(database: Database) -> None:
    made = []

    def make() -> Denied:
        made.append(1)
        return denied()

    denials = Denials(database, interval=60)
    for number in range(1_000):
        denials.note("kind", uuid7(), str(number), NOW, make)
    assert len(made) == 1
    assert len(denials) == 1
    await denials.flush()
    assert await rows(database) == [(1_000, 32)]
    await denials.close()


async def test_the_oldest_kinds_are_dropped_and_counted_while_nobody_can_write() -> None:
    database, before = Database(NOWHERE), lost()
    denials = Denials(database, interval=60)
    account = AccountId(uuid7())
    for number in range(MOST_KINDS + 10):
        denials.note(number, uuid7(), "r", NOW, lambda: denied(account))
    assert (len(denials), lost() - before) == (MOST_KINDS, 10)
    assert not await denials.flush()
    assert (len(denials), lost() - before) == (MOST_KINDS, 10)
    denials.note("one more", uuid7(), "r", NOW, lambda: denied(account))
    assert (len(denials), lost() - before) == (MOST_KINDS, 11)
    await denials.close()
    assert lost() - before == MOST_KINDS + 11
    await database.close()


async def test_what_could_not_be_written_is_folded_with_what_came_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    denials = Denials(database, interval=60)
    account, first = AccountId(uuid7()), uuid7()
    denials.note("kind", first, "r1", NOW, lambda: denied(account))
    nowhere = Database(NOWHERE)
    monkeypatch.setattr(denials, "_database", nowhere)
    assert not await denials.flush()
    denials.note("kind", uuid7(), "r2", NOW + timedelta(seconds=5), lambda: denied(account))
    assert not await denials.flush()
    monkeypatch.setattr(denials, "_database", database)
    assert await denials.flush()
    async with database.read(account) as session:
        row = (await session.execute(text("SELECT id, count, request_ids, first_at, last_at FROM denials"))).one()
    assert tuple(row) == (first, 2, ["r1", "r2"], NOW, NOW + timedelta(seconds=5))
    await denials.close()
    await nowhere.close()


async def test_writing_the_same_again_adds_nothing(database: Database) -> None:
    denials = Denials(database, interval=60)
    account, first = AccountId(uuid7()), uuid7()
    for _ in range(2):  # as after a commit of which nobody heard
        denials.note("kind", first, "r1", NOW, lambda: denied(account))
        await denials.flush()
    assert await rows(database) == [(1, 1)]
    await denials.close()


def test_ids_are_those_of_the_first_32() -> None:
    one, other = Folded(denied(), NOW, NOW), Folded(denied(), NOW, NOW)
    for number in range(20):
        one.add(UUID(int=number), f"a{number}", NOW)
        other.add(UUID(int=100 + number), f"b{number}", NOW)
    one.absorb(other)
    assert one.count == 40
    assert one.request_ids == [*(f"a{number}" for number in range(20)), *(f"b{number}" for number in range(12))]
    assert [each.int for each in one.decision_ids] == [*range(20), *range(100, 112)]


async def test_a_request_is_found_by_index_under_row_level_security(database: Database) -> None:
    account = AccountId(uuid7())
    async with database.account(account) as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        for condition, found_by in (
            ("request_ids[1] = 'r'", "request_ids[1] ="),  # with the account or without: it is one either way
            ("id <= '01920000-0000-7000-8000-000000000001' ORDER BY id DESC LIMIT 1", "(account_id ="),
        ):
            asked = text(f"EXPLAIN SELECT * FROM denials WHERE account_id = '{account}' AND {condition}")
            plan = " ".join((await session.scalars(asked)).all())
            assert found_by in plan.partition("Index Cond")[2].partition("Filter")[0], plan


def test_paths_are_those_of_routes_or_other() -> None:
    paths = Paths(["/v1/a/{name}", "/v1/a/{name}/b/{id}", "/v1/ping"])
    for path, found in (
        ("/v1/ping", "/v1/ping"),
        ("/v1/a/x", "/v1/a/{name}"),
        ("/v1/a/x/b/y", "/v1/a/{name}/b/{id}"),
        ("/v1/a", "other"),
        ("/" + "x/" * 2_000, "other"),
        ("", "other"),
    ):
        assert paths.of({"type": "http", "path": path}) == found
