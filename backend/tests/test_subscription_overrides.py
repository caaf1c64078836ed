"""Limits beside a plan's: how they add up, when they begin and end, and who may not be given what."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from backend.auth.errors import AccountUnknown
from backend.catalog.errors import MeterUnknown
from backend.catalog.service import Catalogs
from backend.core.errors import InvalidInput
from backend.core.ids import AccountId, uuid7
from backend.db.session import Database
from backend.subscription import overrides
from backend.subscription.entitlements import Entitlements, resolve
from backend.subscription.errors import OverrideOver, OverridesFull, OverrideUnknown
from backend.subscription.overrides import Granted, list_of, sweep
from backend.subscription.projection import project
from backend.subscription.service import check_quota, upgrade_user_plan
from backend.subscription.stacking import Kind, Override, boundaries, in_force, stacked
from backend.tests.factories.accounts import Person, person
from backend.tests.moments import NOW
from backend.usage.series import Pace

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)


def made(kind: Kind, amount: int | None, begins: int = 0, ends: int | None = None, meter: str = "jobs") -> Override:
    """One from hour to hour."""
    end = None if ends is None else NOW + ends * HOUR
    return Override(uuid7(), meter, kind, amount, NOW + begins * HOUR, end, "why")


def limit(plan: int | None, given: Sequence[Override], at: datetime = NOW) -> int | None:
    return stacked(plan, in_force(given, "jobs", at))


@pytest.mark.parametrize(
    ("plan", "given", "expected"),
    [
        (500, [], 500),
        (500, [made("add", 50)], 550),
        (500, [made("add", 50), made("add", 7)], 557),
        (500, [made("set", 0)], 0),
        (500, [made("set", 0), made("add", 3)], 3),
        (500, [made("add", 3), made("set", 10)], 13),
        (500, [made("set", 10), made("set", 20)], 20),
        (500, [made("set", 20), made("set", None)], None),
        (500, [made("set", None), made("set", 20)], 20),
        (500, [made("set", None), made("add", 5)], None),
        (None, [made("add", 5)], None),
        (None, [made("set", 5)], 5),
        (0, [made("add", 5)], 5),
        (500, [made("add", 50, meter="compute")], 500),
        (500, [made("add", 50, begins=1)], 500),
        (500, [made("set", 9), made("set", 7, begins=1)], 9),
    ],
)
def test_what_overrides_make_of_a_limit(plan: int | None, given: list[Override], expected: int | None) -> None:
    assert limit(plan, given) == expected


def test_an_override_holds_from_its_beginning_until_before_its_end() -> None:
    given = [made("add", 50, begins=1, ends=2)]
    moments = [NOW, NOW + HOUR - TICK, NOW + HOUR, NOW + 2 * HOUR - TICK, NOW + 2 * HOUR]
    assert [limit(500, given, at) for at in moments] == [500, 500, 550, 550, 500]
    assert boundaries(given, NOW) == [NOW + HOUR, NOW + 2 * HOUR]
    assert boundaries(given, NOW + HOUR) == [NOW + 2 * HOUR]
    assert boundaries(given, NOW + 2 * HOUR) == []


_PARTS = st.tuples(
    st.sampled_from(["add", "set"]), st.integers(1, 1_000), st.integers(0, 8), st.none() | st.integers(1, 8)
)


@given(plan=st.none() | st.integers(0, 1_000), parts=st.lists(_PARTS, max_size=8), closes=st.booleans())
def test_between_two_boundaries_a_limit_is_the_same_and_is_what_was_said(
    plan: int | None, parts: list[tuple[Kind, int, int, int | None]], closes: bool
) -> None:
    given = [made(kind, amount, begins, ends and begins + ends) for kind, amount, begins, ends in parts]
    given += [made("set", None if closes else 0, 3, 5)]
    edges = [NOW, *boundaries(given, NOW), NOW + 100 * HOUR]
    for since, until in pairwise(edges):
        sets = [one for one in given if one.kind == "set" and one.is_in_force(since)]
        expected = sets[-1].amount if sets else plan
        if expected is not None:
            expected += sum(one.amount or 0 for one in given if one.kind == "add" and one.is_in_force(since))
        for at in (since, since + (until - since) / 2, until - TICK):
            assert limit(plan, given, at) == expected


def test_a_projection_knows_that_a_limit_will_be_lower_or_higher() -> None:
    def reached(now_limit: int | None, *ahead: tuple[datetime, int | None]) -> datetime | None:
        # Ten a day, 40 used: 140 in ten days.
        pace = Pace(40, NOW - 4 * DAY)
        found = project(used=40, limit=now_limit, ahead=ahead, end=NOW + 10 * DAY, pace=pace, now=NOW)
        assert found is not None
        return found.limit_at

    assert reached(100, (NOW + 3 * DAY, 90)) == NOW + 5 * DAY
    assert reached(100, (NOW + 3 * DAY, 20)) == NOW + 3 * DAY, "used up as soon as it is lower"
    assert reached(100, (NOW + 3 * DAY, None)) is None
    assert reached(None, (NOW + 3 * DAY, 100)) == NOW + 6 * DAY
    assert reached(100, (NOW + 7 * DAY, None)) == NOW + 6 * DAY
    assert reached(100, (NOW + 11 * DAY, 10)) == NOW + 6 * DAY, "after the window"
    assert reached(40, (NOW + DAY, 60)) is None, "it is reached already"


class Account:
    """Somebody on Pro, with 500 jobs a period, and what is given to them."""

    def __init__(self, database: Database, who: Person) -> None:
        self.database = database
        self.who = who

    async def grant(self, kind: Kind = "add", amount: int | None = 50, **changes: Any) -> Granted:
        given = {"meter": "jobs", "reason": "a launch", "by": None, "now": NOW, **changes}
        given = {"account_id": self.who.account_id, "catalogs": Catalogs(), **given}
        async with self.database.system() as session:
            return await overrides.grant(session, kind=kind, amount=amount, **given)

    async def take_back(self, one: Granted, *, now: datetime = NOW, account_id: AccountId | None = None) -> Granted:
        async with self.database.system() as session:
            return await overrides.take_back(
                session,
                account_id=account_id or self.who.account_id,
                override_id=one.id,
                by=self.who.user_id,
                catalogs=Catalogs(),
                now=now,
            )

    async def at(self, now: datetime) -> Entitlements:
        async with self.database.read(self.who.account_id) as session:
            found = await resolve(session, account_id=self.who.account_id, catalogs=Catalogs(), now=now)
        assert found is not None
        return found

    async def limit(self, now: datetime = NOW) -> int | None:
        return (await self.at(now)).quota("jobs").limit

    async def states(self, now: datetime) -> list[str]:
        async with self.database.read() as session:
            rows, total = await list_of(session, account_id=self.who.account_id, now=now)
        assert total == len(rows)
        return [row.state for row in rows]

    async def set_clock(self, offset: timedelta) -> None:
        async with self.database.system() as session:
            await session.execute(
                text("UPDATE accounts SET mode = 'test', clock_offset = :offset WHERE id = :id"),
                {"offset": offset, "id": self.who.account_id},
            )

    async def messages(self) -> list[str]:
        async with self.database.read() as session:
            rows = await session.scalars(
                text("SELECT payload->>'kind' FROM outbox WHERE topic = :topic ORDER BY id"),
                {"topic": overrides.TOPIC},
            )
            return list(rows)


@pytest.fixture
async def account(database: Database) -> Account:
    async with database.system() as session:
        who = await person(session)
        await upgrade_user_plan(session, who.user_id, "pro", now=NOW)
    return Account(database, who)


async def test_grants_stack_and_end_by_themselves_and_outlast_a_change_of_plan(account: Account) -> None:
    version = (await account.at(NOW)).account.version
    await account.grant("add", 50, ends_at=NOW + DAY)
    await account.grant("set", 0, starts_at=NOW + 2 * DAY, ends_at=NOW + 3 * DAY)
    assert (await account.at(NOW)).account.version == version + 2
    moments = [NOW, NOW + DAY - TICK, NOW + DAY, NOW + 2 * DAY, NOW + 3 * DAY]
    assert [await account.limit(at) for at in moments] == [550, 550, 500, 0, 500]
    terms = await account.at(NOW)
    assert (terms.limits_until, terms.plan_quota("jobs").limit) == (NOW + DAY, 500)
    assert (await account.at(NOW + DAY - HOUR)).good_until == NOW + DAY, "by the system's clock"
    assert terms.limits_ahead("jobs") == [(NOW + DAY, 500), (NOW + 2 * DAY, 0), (NOW + 3 * DAY, 500)]
    assert terms.limits_ahead("compute") == []
    async with account.database.system() as session:
        await upgrade_user_plan(session, account.who.user_id, "free", now=NOW)
        assert await check_quota(session, account.who.user_id, "jobs", now=NOW) == (True, 0, 60)
    assert await account.states(NOW + DAY) == ["scheduled", "ended"]


async def test_what_is_taken_back_holds_no_more_and_is_kept(account: Account) -> None:
    one, later = await account.grant("set", 0), await account.grant("add", 5, starts_at=NOW + DAY)
    assert await account.limit() == 0
    ended = await account.take_back(one, now=NOW + HOUR)
    assert (ended.state, ended.ended_at, ended.ended_by) == ("taken_back", NOW + HOUR, account.who.user_id)
    await account.take_back(later)
    # Also for a request that came before: whoever has spent by then is not undone, and no limit comes back.
    assert [await account.limit(at) for at in (NOW, NOW + 2 * DAY)] == [500, 500]
    assert await account.states(NOW) == ["taken_back", "taken_back"]
    with pytest.raises(OverrideOver, match="taken back"):
        await account.take_back(one)
    over = await account.grant("add", 5, ends_at=NOW + HOUR)
    with pytest.raises(OverrideOver, match="over"):
        await account.take_back(over, now=NOW + HOUR)


async def test_an_override_is_of_its_account_alone(account: Account, database: Database) -> None:
    one = await account.grant()
    async with database.system() as session:
        other = await person(session)
    with pytest.raises(OverrideUnknown):
        await account.take_back(one, account_id=other.account_id)
    with pytest.raises(AccountUnknown):
        await account.grant(account_id=AccountId(uuid4()))
    async with database.system() as session:
        await session.execute(text("UPDATE accounts SET status = 'deleted' WHERE id = :id"), {"id": other.account_id})
    with pytest.raises(AccountUnknown):
        await account.grant(account_id=other.account_id)


@pytest.mark.parametrize(
    ("kind", "amount", "changes", "why"),
    [
        ("add", None, {}, "nothing unlimited"),
        ("add", 0, {}, "from 1 to"),
        ("set", -1, {}, "from 0 to"),
        ("set", 10**15 + 1, {}, "from 0 to"),
        ("add", 1, {"reason": " \n "}, "say why"),
        ("add", 1, {"reason": "x" * 501}, "say why"),
        ("add", 1, {"starts_at": NOW - TICK}, "has passed"),
        ("add", 1, {"ends_at": NOW}, "must be later"),
        ("add", 1, {"starts_at": NOW + DAY, "ends_at": NOW + DAY}, "must be later"),
        ("add", 1, {"ends_at": datetime.max.replace(tzinfo=NOW.tzinfo)}, "within 100 years"),
    ],
)
async def test_what_cannot_be_given(
    account: Account, kind: Kind, amount: int | None, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        await account.grant(kind, amount, **changes)
    assert await account.states(NOW) == []


async def test_a_meter_that_is_not_there_and_more_than_there_may_be(account: Account) -> None:
    with pytest.raises(MeterUnknown, match="There are: api_calls"):
        await account.grant(meter="nothing")
    for _ in range(overrides.MOST):
        last = await account.grant("add", 1)
    with pytest.raises(OverridesFull):
        await account.grant("add", 1)
    await account.take_back(last)
    await account.grant("add", 1)
    assert await account.limit() == 500 + overrides.MOST


async def test_the_clock_is_the_accounts(account: Account) -> None:
    await account.set_clock(10 * DAY)
    with pytest.raises(InvalidInput, match="has passed"):
        await account.grant(starts_at=NOW + 9 * DAY)
    one = await account.grant(ends_at=NOW + 11 * DAY)
    assert one.starts_at == NOW + 10 * DAY
    assert [await account.limit(at) for at in (NOW, NOW + DAY - TICK, NOW + DAY)] == [550, 550, 500]
    assert (await account.at(NOW)).limits_until == NOW + 11 * DAY
    assert (await account.at(NOW + DAY - HOUR)).good_until == NOW + DAY
    assert await sweep(account.database, now=NOW + DAY - TICK) == 0
    assert await sweep(account.database, now=NOW + DAY) == 1


async def test_beginnings_and_ends_are_told_once_however_late(account: Account) -> None:
    await account.grant(starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    forever = await account.grant(starts_at=NOW + HOUR)
    taken = await account.grant(ends_at=NOW + HOUR)
    await account.take_back(taken)
    told = ["granted"] * 3 + ["taken_back"]
    assert await sweep(account.database, now=NOW + HOUR - TICK) == 0
    assert await account.messages() == told
    assert [await sweep(account.database, now=NOW + 5 * DAY) for _ in range(3)] == [2, 1, 0]
    assert await account.messages() == [*told, "started", "started", "ended"]
    assert (await account.take_back(forever, now=NOW + 5 * DAY)).state == "taken_back"


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ("kind = 'other'", "ck_account_overrides_kind"),
        ("amount = NULL", "ck_account_overrides_amount"),
        ("amount = 0", "ck_account_overrides_amount"),
        ("kind = 'set', amount = -1", "ck_account_overrides_amount"),
        ("amount = 1000000000000001", "ck_account_overrides_amount_is_counted"),
        ("ends_at = starts_at", "ck_account_overrides_times"),
        ("reason = ''", "ck_account_overrides_reason"),
        ("reason = E' \\n'", "ck_account_overrides_reason"),
        ("reason = repeat('x', 501)", "ck_account_overrides_reason"),
        ("ended_by = created_by, created_by = NULL", "ck_account_overrides_ended_by"),
        ("ended_at = now(), next_due_at = now()", "ck_account_overrides_next_due_at"),
        ("meter = 'nothing'", "fk_account_overrides_meter"),
    ],
)
async def test_wrong_states_cannot_be_stored(account: Account, changes: str, by: str) -> None:
    await account.grant(by=account.who.user_id)
    with pytest.raises(Exception, match=by):
        async with account.database.system() as session:
            await session.execute(text(f"UPDATE account_overrides SET {changes}"))
