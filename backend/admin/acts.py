"""What operators do to users: each act in one transaction with its line in the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from backend.admin import users
from backend.admin.errors import StateConflict
from backend.admin.operator import Operator, ensure_not_last
from backend.auth.errors import EmailTaken
from backend.auth.service import operators
from backend.auth.service.addresses import normal
from backend.auth.service.operators import SUPERADMIN
from backend.auth.service.registration_service import RegistrationService
from backend.auth.service.second_factor import SecondFactor
from backend.auth.service.sessions import end_sessions
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

    async def edit(self, user_id: UUID, changes: Mapping[str, Any]) -> User:
        """Changes address or name. Raises UserUnknown, TargetProtected, AddressRefused, EmailTaken."""
        user = await self._target(user_id)
        wanted = dict(changes)
        if "email" in wanted:
            wanted["email"] = normal(wanted["email"])
        before = {name: getattr(user, name) for name in wanted}
        if before == wanted:
            return user
        for name, value in wanted.items():
            setattr(user, name, value)
        try:
            await self.session.flush()
        except IntegrityError as error:
            raise EmailTaken(f"{wanted['email']} belongs to another user.") from error
        self._record("user.edit", user, before=before, after=wanted)
        return user

    async def lock(self, user_id: UUID, reason: str) -> User:
        """Keeps a user out at once. Raises UserUnknown, TargetProtected, StateConflict."""
        return await self._set_locked(user_id, locked=True, reason=reason)

    async def unlock(self, user_id: UUID) -> User:
        """Lets a user in again. Raises UserUnknown, TargetProtected, StateConflict."""
        return await self._set_locked(user_id, locked=False, reason=None)

    async def delete(self, user_id: UUID, catalogs: Catalogs) -> None:
        """Ends a user and their subscription; their address is free. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id, ends_power=True)
        before = {"email": user.email, "status": user.status}
        await end_subscription(self.session, account_id=user.personal_account_id, catalogs=catalogs, now=self.now)
        await operators.delete_user(self.session, user=user, now=self.now)
        self._record("user.delete", user, before=before, after={"status": "deleted"})

    async def set_roles(self, user_id: UUID, roles: Sequence[str]) -> list[str]:
        """Gives exactly these operator roles. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        before, after = await operators.roles_of(self.session, user_id=user.id), sorted(set(roles))
        if SUPERADMIN in before and SUPERADMIN not in after:
            await ensure_not_last(self.session, user.id)
        await operators.set_roles(self.session, user_id=user.id, roles=after)
        self._record("user.roles", user, before={"roles": before}, after={"roles": after})
        return after

    async def reset_second_factor(self, user_id: UUID, factor: SecondFactor) -> None:
        """Turns two-factor sign-in off. Raises UserUnknown, TargetProtected, SecondFactorMissing."""
        user = await self._target(user_id)
        await factor.remove(self.session, user_id=user.id)
        self._record("user.reset_2fa", user, before={"mfa_enabled": True}, after={"mfa_enabled": False})

    async def resend_verification(self, user_id: UUID, registration: RegistrationService) -> None:
        """Mails a new link. Raises UserUnknown, TargetProtected, StateConflict."""
        user = await self._target(user_id)
        if user.status != "unverified":
            raise StateConflict(f"This user is {user.status}: there is no address to confirm.")
        await registration.send_again(self.session, user=user, now=self.now)
        self._record("user.resend_verification", user)

    async def revoke_sessions(self, user_id: UUID) -> int:
        """Signs a user out everywhere; returns how many sessions that ended. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        ended = await end_sessions(self.session, user_id=user.id, now=self.now, reason="an operator ended it")
        self._record("user.revoke_sessions", user, after={"revoked_count": ended})
        return ended

    async def clear_sign_in_limits(self, user_id: UUID) -> User:
        """Forgets failed sign-ins. Raises UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        await operators.forget_failures(self.session, user=user)
        self._record("user.clear_rate_limits", user)
        return user

    async def upgrade_plan(self, user_id: UUID, plan: str, days: int, catalogs: Catalogs) -> Assignment:
        """Puts a user's account on a plan, without a charge. Raises UserUnknown, PlanUnknown, InvalidInput."""
        user = await self._target(user_id)
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
        self._record("user.upgrade_plan", user, before={"plan": before.name}, after=after)
        return made

    async def _set_locked(self, user_id: UUID, *, locked: bool, reason: str | None) -> User:
        user = await self._target(user_id, ends_power=locked)
        before = user.status
        if not await operators.set_locked(self.session, user_id=user.id, locked=locked, now=self.now):
            raise StateConflict(f"This user is {before}: nothing was changed.")
        await self.session.refresh(user)
        action = "user.lock" if locked else "user.unlock"
        self._record(action, user, reason=reason, before={"status": before}, after={"status": user.status})
        return user

    async def _target(self, user_id: UUID, *, ends_power: bool = False) -> User:
        user = await users.lock(self.session, user_id)
        await self.operator.ensure_may_change(self.session, user, ends_power=ends_power)
        return user

    def _record(self, action: str, user: User, **details: Any) -> None:
        record(self.session, self.operator.actor, action, Target("user", user.id), now=self.now, **details)
