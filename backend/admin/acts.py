"""What operators do to users: each act in one transaction with its line in the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from backend.admin import users
from backend.admin.deletion import deletion_of
from backend.admin.errors import StateConflict
from backend.admin.operator import Operator, ensure_not_last
from backend.auth.errors import EmailTaken
from backend.auth.service import operators
from backend.auth.service.addresses import normal
from backend.auth.service.confirmations import Confirmations
from backend.auth.service.links import expire_links
from backend.auth.service.operators import SUPERADMIN
from backend.auth.service.own_security import tell
from backend.auth.service.profile import change_profile
from backend.auth.service.second_factor import SecondFactor
from backend.auth.service.sessions import end_sessions
from backend.auth.service.versions import note_user_change
from backend.catalog.service import Catalogs
from backend.db.audit import Target, record
from backend.db.models import User
from backend.db.session import SystemSession
from backend.subscription.change import Assignment, assign_plan, end_subscription
from backend.subscription.service import get_user_plan


@dataclass(frozen=True, slots=True)
class Acts:
    """The acts of one operator in one transaction."""

    session: SystemSession
    operator: Operator
    now: datetime

    async def find(self, user_id: UUID) -> User:
        """The user, held. Raises UserUnknown, TargetProtected."""
        return await self._target(user_id)

    async def rename(self, user_id: UUID, name: str | None) -> User:
        """Changes the name; None takes it away. Raises UserUnknown, TargetProtected, InvalidInput."""
        user = await self._target(user_id)
        before = user.name
        await change_profile(self.session, user_id=user.id, changes={"name": name})
        if user.name != before:
            self._record("user.edit", user, before={"name": before}, after={"name": user.name})
        return user

    async def change_address(self, user_id: UUID, email: str, confirmations: Confirmations) -> User:
        """Gives a user another address, which they confirm before they sign in again.

        Whoever reads the old mailbox keeps nothing: links that were sent there stop working, sessions end; and it is
        told. Raises UserUnknown, TargetProtected, StateConflict, AddressRefused, EmailTaken.
        """
        user = await self._target(user_id, oneself=False)
        before, after = user.email, normal(email)
        if before == after:
            return user
        if user.status not in ("active", "unverified"):
            raise StateConflict(f"This user is {user.status}: unlock them first.")
        user.email, user.status, user.email_verified_at = after, "unverified", None
        try:
            await self.session.flush()
        except IntegrityError as error:
            raise EmailTaken(f"{after} belongs to another user.") from error
        await expire_links(self.session, user_id=user.id, now=self.now)
        await end_sessions(self.session, user_id=user.id, now=self.now, reason="the address was changed")
        await note_user_change(self.session, user.id)
        await confirmations.send_again(self.session, user=user, now=self.now)
        await tell(self.session, before, "Your address was changed", f"An operator has made {after} your address.")
        self._record("user.change_address", user, before={"email": before}, after={"email": after})
        return user

    async def lock(self, user_id: UUID, reason: str) -> User:
        """Keeps a user out at once. Raises UserUnknown, TargetProtected, StateConflict."""
        return await self._set_locked(user_id, locked=True, reason=reason)

    async def unlock(self, user_id: UUID, reason: str | None = None) -> User:
        """Lets a user in again. Raises UserUnknown, TargetProtected, StateConflict."""
        return await self._set_locked(user_id, locked=False, reason=reason)

    async def delete(self, user_id: UUID, catalogs: Catalogs, reason: str | None = None) -> None:
        """Ends a user and their subscription; their address is free. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id, oneself=False, ends_power=True)
        await note_user_change(self.session, user.id)  # and holds all their accounts, in the order of ids
        gone = await deletion_of(self.session, user, now=self.now)
        counts = {"sessions": gone.sessions, "keys": gone.keys, "memberships": gone.memberships}
        before = {"email": user.email, "status": user.status, **counts}
        await end_subscription(self.session, account_id=user.personal_account_id, catalogs=catalogs, now=self.now)
        await operators.delete_user(self.session, user=user, now=self.now)
        self._record("user.delete", user, reason=reason, before=before, after={"status": "deleted"})

    async def set_roles(self, user_id: UUID, roles: Sequence[str]) -> list[str]:
        """Gives exactly these operator roles. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        before, after = await operators.roles_of(self.session, user_id=user.id), sorted(set(roles))
        if SUPERADMIN in before and SUPERADMIN not in after:
            await ensure_not_last(self.session, user.id)
        await operators.set_roles(self.session, user_id=user.id, roles=after, now=self.now)
        self._record("user.roles", user, before={"roles": before}, after={"roles": after})
        return after

    async def reset_second_factor(self, user_id: UUID, factor: SecondFactor) -> None:
        """Turns two-factor sign-in off. Raises UserUnknown, TargetProtected, SecondFactorMissing."""
        user = await self._target(user_id, oneself=False)
        await factor.remove(self.session, user_id=user.id)
        sentence = "An operator has turned it off: sign in, and set it up again."
        await tell(self.session, user.email, "Two-factor sign-in is off", sentence)
        self._record("user.reset_2fa", user, before={"mfa_enabled": True}, after={"mfa_enabled": False})

    async def resend_verification(self, user_id: UUID, confirmations: Confirmations, reason: str | None = None) -> None:
        """Mails a new link. Raises UserUnknown, TargetProtected, StateConflict."""
        user = await self._target(user_id)
        if user.status != "unverified":
            raise StateConflict(f"This user is {user.status}: there is no address to confirm.")
        await confirmations.send_again(self.session, user=user, now=self.now)
        self._record("user.resend_verification", user, reason=reason)

    async def revoke_sessions(self, user_id: UUID, reason: str | None = None) -> int:
        """Signs a user out everywhere; returns how many sessions that ended. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        ended = await end_sessions(self.session, user_id=user.id, now=self.now, reason="an operator ended it")
        self._record("user.revoke_sessions", user, reason=reason, after={"revoked_count": ended})
        return ended

    async def clear_sign_in_limits(self, user_id: UUID) -> User:
        """Forgets failed sign-ins. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        await operators.forget_failures(self.session, user=user)
        self._record("user.clear_rate_limits", user)
        return user

    async def upgrade_plan(
        self, user_id: UUID, plan: str, days: int, catalogs: Catalogs, reason: str | None = None
    ) -> Assignment:
        """Puts a user's account on a plan, without a charge. Raises UserUnknown, PlanUnknown, InvalidInput."""
        user = await self._target(user_id, oneself=SUPERADMIN in self.operator.roles)
        before = await get_user_plan(self.session, user.id, now=self.now)
        made = await assign_plan(
            self.session,
            account_id=user.personal_account_id,
            user_id=user.id,
            plan_name=plan,
            duration_days=days,
            catalogs=catalogs,
            now=self.now,
        )
        after = {"plan": made.plan_name, "expires_at": made.expires_at.isoformat() if made.expires_at else None}
        self._record("user.upgrade_plan", user, reason=reason, before={"plan": before.name}, after=after)
        return made

    async def _set_locked(self, user_id: UUID, *, locked: bool, reason: str | None) -> User:
        user = await self._target(user_id, oneself=False, ends_power=locked)
        before = user.status
        if not await operators.set_locked(self.session, user_id=user.id, locked=locked, now=self.now):
            raise StateConflict(f"This user is {before}: nothing was changed.")
        await self.session.refresh(user)
        action = "user.lock" if locked else "user.unlock"
        self._record(action, user, reason=reason, before={"status": before}, after={"status": user.status})
        return user

    async def _target(self, user_id: UUID, *, oneself: bool = True, ends_power: bool = False) -> User:
        user = await users.lock(self.session, user_id)
        await self.operator.ensure_may_change(self.session, user, oneself=oneself, ends_power=ends_power)
        return user

    def _record(self, action: str, user: User, **details: Any) -> None:
        record(self.session, self.operator.actor, action, Target("user", user.id), now=self.now, **details)
