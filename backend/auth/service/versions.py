"""Tells caches, in the transaction of a change, that what somebody may do has changed."""

from collections.abc import Collection

from sqlalchemy import text

from backend.core.ids import AccountId, UserId
from backend.db.session import SystemSession

_OF_ACCOUNT = text("UPDATE accounts SET version = version + 1, updated_at = now() WHERE id = :account_id")
# In the order of ids: two users of the same accounts must not wait for each other in a circle.
_OF_USER = text("""
    WITH theirs AS MATERIALIZED (
        SELECT a.id FROM accounts a JOIN account_members m ON m.account_id = a.id
        WHERE m.user_id = :user_id ORDER BY a.id FOR NO KEY UPDATE OF a
    )
    UPDATE accounts SET version = version + 1, updated_at = now() WHERE id IN (SELECT id FROM theirs)
""")
_OF_MANY = text("""
    WITH theirs AS MATERIALIZED (
        SELECT id FROM accounts
        WHERE id = ANY (CAST(:account_ids AS uuid[]))
            OR id IN (SELECT account_id FROM account_members WHERE user_id = ANY (CAST(:user_ids AS uuid[])))
        ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE accounts SET version = version + 1, updated_at = now() WHERE id IN (SELECT id FROM theirs)
""")


async def note_account_change(session: SystemSession, account_id: AccountId) -> None:
    """After a change of an account's keys, members, status or sessions."""
    await session.execute(_OF_ACCOUNT, {"account_id": account_id})


async def note_user_change(session: SystemSession, user_id: UserId) -> None:
    """After a change of a user's sessions, roles or status: in every account for which they act."""
    await session.execute(_OF_USER, {"user_id": user_id})


async def note_changes(
    session: SystemSession, *, user_ids: Collection[UserId] = (), account_ids: Collection[AccountId] = ()
) -> None:
    """The same of many at once, whose accounts are held in the order of ids: before anything of theirs is."""
    if user_ids or account_ids:
        await session.execute(_OF_MANY, {"user_ids": list(user_ids), "account_ids": list(account_ids)})
