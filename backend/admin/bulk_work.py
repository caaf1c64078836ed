"""Does bulk actions, one user a transaction: what a worker that dies has begun, another one goes on with."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from backend.admin.acts import Acts
from backend.admin.bulk import needs
from backend.admin.operator import Operator, operator_in
from backend.auth.service.confirmations import Confirmations
from backend.catalog.service import Catalogs
from backend.core.errors import PlatformError
from backend.db.audit import Actor
from backend.db.models import BulkAction, BulkActionUser
from backend.db.session import Database, SystemSession, is_unavailable

_AT_ONCE = 20
_MOST_DETAIL = 300

_log = structlog.get_logger(__name__)


class BulkWork:
    """One for a worker."""

    def __init__(self, database: Database, *, catalogs: Catalogs, confirmations: Confirmations) -> None:
        self._database = database
        self._catalogs = catalogs
        self._confirmations = confirmations

    async def go_on(self, *, now: datetime) -> int:
        """Some users of the oldest bulk action that is under way. Returns how many; none: there is nothing to do."""
        async with self._database.read() as session:
            running = select(BulkAction.id).where(BulkAction.state == "running").order_by(BulkAction.id).limit(1)
            action_id = await session.scalar(running)
        if action_id is None:
            return 0
        done = 0
        while done < _AT_ONCE and await self._one(action_id, now):
            done += 1
        return done

    async def _one(self, action_id: UUID, now: datetime) -> bool:
        """The act for the next user; False where there is none, or it has ended."""
        async with self._database.system() as session:
            # Held by one worker at a time. Who stops it waits for this user, and then nobody's turn comes any more.
            action = await session.scalar(
                select(BulkAction)
                .where(BulkAction.id == action_id, BulkAction.state == "running")
                .with_for_update(key_share=True, skip_locked=True)
            )
            if action is None:
                return False
            waiting = BulkActionUser.bulk_action_id == action_id, BulkActionUser.state == "waiting"
            each = await session.scalar(
                select(BulkActionUser).where(*waiting).order_by(BulkActionUser.user_id).limit(1)
            )
            if each is None:
                action.state, action.ended_at = "finished", now
                return False
            try:
                operator = await _operator(session, action)
            except PlatformError as error:  # they are no operator any more, or may not do this
                action.state, action.ended_at, action.detail = "stopped", now, _words(error)
                return False
            each.state, each.detail = await self._try(Acts(session, operator, now), each.user_id, action)
        return True

    async def _try(self, acts: Acts, user_id: UUID, action: BulkAction) -> tuple[str, str | None]:
        """(the state that the user then has, why if it was not done): one who cannot be helped holds up nobody."""
        try:
            async with acts.session.begin_nested():
                await self._act(acts, user_id, action)
        except PlatformError as error:
            return "left_out", _words(error)
        except Exception as error:
            if is_unavailable(error):
                raise
            _log.exception("bulk action failed for a user", bulk_action_id=str(action.id), user_id=str(user_id))
            return "left_out", "An error of ours; it is in the worker's log."
        return "done", None

    async def _act(self, acts: Acts, user_id: UUID, action: BulkAction) -> None:
        arguments: dict[str, Any] = action.arguments
        reason: str = arguments["reason"]
        match action.action:
            case "lock":
                await acts.lock(user_id, reason)
            case "unlock":
                await acts.unlock(user_id, reason)
            case "revoke_sessions":
                await acts.revoke_sessions(user_id, reason)
            case "resend_verification":
                await acts.resend_verification(user_id, self._confirmations, reason)
            case "upgrade_plan":
                plan, days = arguments["plan_name"], arguments["duration_days"]
                await acts.upgrade_plan(user_id, plan, days, self._catalogs, reason)
            case unknown:
                raise AssertionError(unknown)  # a constraint of the routes


def _words(error: PlatformError) -> str:
    return f"{error.title}: {error.detail}"[:_MOST_DETAIL]


async def _operator(session: SystemSession, action: BulkAction) -> Operator:
    """Who asked for it, with what they may do now. Raises NoOperator, SecondFactorNeeded."""
    actor = Actor("user", user_id=action.created_by, address=action.address, request_id=action.request_id)
    return await operator_in(session, actor, needs(action))
