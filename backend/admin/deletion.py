"""What a deletion takes along, told before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from backend.core.ids import AccountId
from backend.db.models import User
from backend.db.session import ReadSession

MOST_LISTED = 100
# Beyond that nobody learns anything from the number: a user with more is looked at before anyway.
MOST_COUNTED = 10_000

# Keys are found by the accounts for which the user acts: by their makers they are not indexed.
_COUNTS = text("""
    SELECT
        (SELECT count(*) FROM (
            SELECT FROM sessions
            WHERE (user_id = :user_id OR impersonator_id = :user_id) AND revoked_at IS NULL AND expires_at > :now
            LIMIT :most) s) AS sessions,
        (SELECT count(*) FROM (
            SELECT FROM account_members m JOIN api_keys k ON k.account_id = m.account_id AND k.revoked_at IS NULL
            WHERE m.user_id = :user_id AND (k.user_id = :user_id OR k.account_id = :account_id)
            LIMIT :most) k) AS keys,
        (SELECT count(*) FROM (
            SELECT FROM usage_holds WHERE account_id = :account_id AND state = 'open'
            LIMIT :most) h) AS open_reservations,
        (SELECT count(*) FROM (
            SELECT FROM account_members
            WHERE account_id = :account_id AND removed_at IS NULL AND user_id IS DISTINCT FROM :user_id
            LIMIT :most) m) AS members_who_lose_access,
        (SELECT count(*) FROM (
            SELECT FROM account_members m JOIN accounts a ON a.id = m.account_id
            WHERE m.user_id = :user_id AND a.id <> :account_id AND a.status <> 'deleted'
            LIMIT :most) o) AS memberships
""")
_MEMBERSHIPS = text("""
    SELECT a.id, a.name, m.role, NOT EXISTS (
        SELECT FROM account_members others
        WHERE others.account_id = a.id AND others.id <> m.id AND others.removed_at IS NULL
    ) AS is_only_member
    FROM account_members m JOIN accounts a ON a.id = m.account_id
    WHERE m.user_id = :user_id AND a.id <> :account_id AND a.status <> 'deleted'
    ORDER BY is_only_member DESC, a.name, a.id LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Membership:
    """A role in the account of somebody else. An account whose `is_only_member` goes has nobody left to act for it."""

    account_id: AccountId
    account_name: str
    role: str
    is_only_member: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """Each number is at most 10,000. `open_reservations` and `members_who_lose_access` are of the personal account;
    `accounts` are the first of the `memberships` elsewhere, those that are left without anybody before all others."""

    sessions: int
    keys: int
    open_reservations: int
    members_who_lose_access: int
    memberships: int
    accounts: Sequence[Membership]


async def deletion_of(session: ReadSession, user: User, *, now: datetime) -> Deletion:
    """What the deletion of a user ends, as of now."""
    whose = {"user_id": user.id, "account_id": user.personal_account_id}
    counts = (await session.execute(_COUNTS, {**whose, "now": now, "most": MOST_COUNTED})).one()
    accounts = await session.execute(_MEMBERSHIPS, {**whose, "most": MOST_LISTED})
    return Deletion(**counts._mapping, accounts=[Membership(*row) for row in accounts])
