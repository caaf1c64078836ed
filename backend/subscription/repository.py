"""The SQL of accounts and their subscriptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from backend.core.ids import AccountId, UserId, uuid7
from backend.db.session import ReadSession, WriteSession
from backend.subscription.lifecycle import Status, SubscriptionFacts, next_due_at
from backend.subscription.periods import Interval
from backend.subscription.stacking import Kind, Override


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account, as far as its entitlements depend on it."""

    id: AccountId
    status: str
    version: int
    owner_user_id: UserId | None
    zone: ZoneInfo
    usage_anchor: datetime
    clock_offset: timedelta


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """The live subscription as stored; `lifecycle.at` says what it is now."""

    id: UUID
    user_id: UserId | None
    account_id: AccountId
    plan_id: UUID
    plan_version_id: UUID
    facts: SubscriptionFacts


_COLUMNS = """
    a.id AS account_id, a.status AS account_status, a.version, a.owner_user_id, a.billing_zone, a.usage_anchor,
    a.clock_offset, s.id AS subscription_id, s.user_id, s.plan_id, s.plan_version_id, s.status, s.started_at,
    s.expires_at, s.cancelled_at, s.current_period_start, s.current_period_end, s.trial_end, s.cancel_at_period_end,
    coalesce(d.anchor_at, s.started_at) AS anchor_at, coalesce(d.interval_unit, 'month') AS interval_unit,
    coalesce(d.interval_count, 1) AS interval_count, coalesce(d.billing_zone, a.billing_zone) AS schedule_zone,
    (
        SELECT json_agg(json_build_array(o.id, o.meter, o.kind, o.amount, o.starts_at, o.ends_at, o.reason)
            ORDER BY o.number)
        FROM account_overrides o WHERE o.account_id = a.id AND o.ended_at IS NULL
            AND (o.ends_at IS NULL OR o.ends_at > CAST(:now AS timestamptz) + a.clock_offset)
    ) AS overrides
"""
_JOINS = """
    LEFT JOIN user_subscriptions s ON s.account_id = a.id AND s.status IN ('trial', 'active', 'past_due')
    LEFT JOIN subscription_schedules d ON d.subscription_id = s.id
"""

_STATE = text(f"SELECT {_COLUMNS} FROM accounts a {_JOINS} WHERE a.id = :account_id")
_STATES = text(f"SELECT {_COLUMNS} FROM accounts a {_JOINS} WHERE a.id = ANY (CAST(:account_ids AS uuid[]))")
_LOCK = text("SELECT 1 FROM accounts WHERE id = :account_id FOR NO KEY UPDATE")
_VERSION = text("SELECT version FROM accounts WHERE id = :account_id")
_BUMP = text("UPDATE accounts SET version = version + 1, updated_at = now() WHERE id = :account_id")
_PERSONAL = text("SELECT personal_account_id FROM users WHERE id = :user_id AND deleted_at IS NULL")
_BY_EXTERNALS = text("""
    SELECT external_id, id FROM accounts
    WHERE external_id = ANY (CAST(:external_ids AS text[])) AND status <> 'deleted'
""")

_WRITE = text("""
    UPDATE user_subscriptions SET status = :status, expires_at = :expires_at, cancelled_at = :cancelled_at,
        current_period_start = :current_period_start, current_period_end = :current_period_end,
        trial_end = :trial_end, cancel_at_period_end = :cancel_at_period_end, updated_at = now()
    WHERE account_id = :account_id AND id = :id
""")
_SCHEDULE = text("""
    UPDATE subscription_schedules SET next_due_at = :next_due_at
    WHERE account_id = :account_id AND subscription_id = :id
""")
_INSERT = text("""
    INSERT INTO user_subscriptions (id, user_id, account_id, plan_id, plan_version_id, price_id, status, started_at,
        expires_at, current_period_start, current_period_end, trial_end)
    VALUES (:id, :user_id, :account_id, :plan_id, :plan_version_id, :price_id, :status, :started_at,
        :expires_at, :current_period_start, :current_period_end, :trial_end)
""")
_INSERT_SCHEDULE = text("""
    INSERT INTO subscription_schedules (subscription_id, account_id, anchor_at, interval_unit, interval_count,
        billing_zone, next_due_at)
    VALUES (:id, :account_id, :anchor_at, :interval_unit, :interval_count, :zone, :next_due_at)
""")
_INSERT_PERIOD = text("""
    INSERT INTO subscription_periods (id, account_id, subscription_id, plan_version_id, period_start, period_end)
    VALUES (:id, :account_id, :subscription_id, :plan_version_id, :period_start, :period_end)
""")
_END_PERIOD = text("""
    UPDATE subscription_periods SET period_end = :period_end
    WHERE account_id = :account_id AND subscription_id = :subscription_id AND period_start = :period_start
""")
# A period that ends where it began never was; the constraint that keeps periods from being empty stays strict.
_DROP_EMPTY_PERIOD = text("""
    DELETE FROM subscription_periods
    WHERE account_id = :account_id AND subscription_id = :subscription_id AND period_start >= :moment
""")


async def personal_account(session: ReadSession, *, user_id: UserId) -> AccountId | None:
    """The account that was born with the user; None for a user that does not exist any more."""
    found: AccountId | None = await session.scalar(_PERSONAL, {"user_id": user_id})
    return found


async def accounts_by_external_ids(session: ReadSession, *, external_ids: Sequence[str]) -> dict[str, AccountId]:
    """Those of them that are there, at once."""
    rows = await session.execute(_BY_EXTERNALS, {"external_ids": external_ids})
    return {row.external_id: AccountId(row.id) for row in rows}


async def lock_account(session: WriteSession, *, account_id: AccountId) -> None:
    """Whoever changes a subscription holds this until the end of the transaction; counting does not wait for it."""
    await session.execute(_LOCK, {"account_id": account_id})


async def read_version(session: ReadSession, *, account_id: AccountId) -> int | None:
    """The version as committed now; None when there is no such account."""
    found: int | None = await session.scalar(_VERSION, {"account_id": account_id})
    return found


async def raise_version(session: WriteSession, *, account_id: AccountId) -> None:
    """Tells every cache, in this transaction, that what the account may do has changed."""
    await session.execute(_BUMP, {"account_id": account_id})


class State(NamedTuple):
    """What is stored of an account: its live subscription, and the overrides that are not over, oldest first."""

    account: AccountRow
    subscription: SubscriptionRow | None
    overrides: tuple[Override, ...]


async def load_state(session: ReadSession, *, account_id: AccountId, now: datetime) -> State | None:
    """None when there is no such account. `now` is the system's clock."""
    row = (await session.execute(_STATE, {"account_id": account_id, "now": now})).one_or_none()
    return None if row is None else _state_of(row)


async def load_states(
    session: ReadSession, *, account_ids: Sequence[AccountId], now: datetime
) -> dict[AccountId, State]:
    """The same of many at once; those that do not exist are missing."""
    rows = await session.execute(_STATES, {"account_ids": account_ids, "now": now})
    states = (_state_of(row) for row in rows)
    return {state.account.id: state for state in states if state is not None}


def _state_of(row: Any) -> State | None:
    if row.account_status == "deleted":
        return None
    account = AccountRow(
        id=row.account_id,
        status=row.account_status,
        version=row.version,
        owner_user_id=row.owner_user_id,
        zone=ZoneInfo(row.billing_zone),
        usage_anchor=row.usage_anchor,
        clock_offset=row.clock_offset,
    )
    return State(account, subscription_of(row), tuple(_override_of(*one) for one in row.overrides or ()))


def _override_of(
    override_id: str, meter: str, kind: Kind, amount: int | None, starts_at: str, ends_at: str | None, reason: str
) -> Override:
    return Override(
        id=UUID(override_id),
        meter=meter,
        kind=kind,
        amount=amount,
        starts_at=datetime.fromisoformat(starts_at).astimezone(UTC),
        ends_at=datetime.fromisoformat(ends_at).astimezone(UTC) if ends_at else None,
        reason=reason,
    )


def subscription_of(row: Any) -> SubscriptionRow | None:
    """The subscription's part of a row that was selected with it."""
    if row.subscription_id is None:
        return None
    facts = SubscriptionFacts(
        status=Status(row.status),
        started_at=row.started_at,
        expires_at=row.expires_at,
        cancelled_at=row.cancelled_at,
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        trial_end=row.trial_end,
        cancel_at_period_end=row.cancel_at_period_end,
        anchor_at=row.anchor_at,
        interval=Interval(row.interval_unit, row.interval_count),
        zone=ZoneInfo(row.schedule_zone),
    )
    return SubscriptionRow(row.subscription_id, row.user_id, row.account_id, row.plan_id, row.plan_version_id, facts)


async def write_facts(session: WriteSession, *, subscription: SubscriptionRow, facts: SubscriptionFacts) -> None:
    """Makes `facts` what is stored, with the moment at which something is due next."""
    key = {"account_id": subscription.account_id, "id": subscription.id}
    await session.execute(
        _WRITE,
        {
            **key,
            "status": facts.status.value,
            "expires_at": facts.expires_at,
            "cancelled_at": facts.cancelled_at,
            "current_period_start": facts.current_period_start,
            "current_period_end": facts.current_period_end,
            "trial_end": facts.trial_end,
            "cancel_at_period_end": facts.cancel_at_period_end,
        },
    )
    await session.execute(_SCHEDULE, {**key, "next_due_at": next_due_at(facts)})


async def insert_subscription(
    session: WriteSession, *, subscription: SubscriptionRow, price_id: UUID | None = None
) -> None:
    """A new live subscription with its first period. The account's other one must be over, and is locked out."""
    facts = subscription.facts
    await session.execute(
        _INSERT,
        {
            "id": subscription.id,
            "user_id": subscription.user_id,
            "account_id": subscription.account_id,
            "plan_id": subscription.plan_id,
            "plan_version_id": subscription.plan_version_id,
            "price_id": price_id,
            "status": facts.status.value,
            "started_at": facts.started_at,
            "expires_at": facts.expires_at,
            "current_period_start": facts.current_period_start,
            "current_period_end": facts.current_period_end,
            "trial_end": facts.trial_end,
        },
    )
    await session.execute(
        _INSERT_SCHEDULE,
        {
            "id": subscription.id,
            "account_id": subscription.account_id,
            "anchor_at": facts.anchor_at,
            "interval_unit": facts.interval.unit,
            "interval_count": facts.interval.count,
            "zone": facts.zone.key,
            "next_due_at": next_due_at(facts),
        },
    )
    await append_period(session, subscription=subscription, facts=facts)


async def append_period(session: WriteSession, *, subscription: SubscriptionRow, facts: SubscriptionFacts) -> None:
    """The row of the current period."""
    await session.execute(
        _INSERT_PERIOD,
        {
            "id": uuid7(),
            "account_id": subscription.account_id,
            "subscription_id": subscription.id,
            "plan_version_id": subscription.plan_version_id,
            "period_start": facts.current_period_start,
            "period_end": facts.current_period_end,
        },
    )


async def end_period(
    session: WriteSession, *, subscription: SubscriptionRow, period_start: datetime, period_end: datetime
) -> None:
    """Moves the end of the period that began at `period_start`; one that would be empty goes."""
    key = {"account_id": subscription.account_id, "subscription_id": subscription.id}
    if period_end <= period_start:
        await session.execute(_DROP_EMPTY_PERIOD, {**key, "moment": period_end})
    else:
        await session.execute(_END_PERIOD, {**key, "period_start": period_start, "period_end": period_end})
