"""Limits that operators give to users' accounts, each act in one transaction with its line in the audit log."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.admin import users
from backend.admin.operator import Operator
from backend.auth.service.operators import SUPERADMIN
from backend.catalog.service import Catalogs
from backend.db.audit import Target, record
from backend.db.models import User
from backend.db.session import SystemSession
from backend.subscription import overrides
from backend.subscription.overrides import Granted
from backend.subscription.stacking import Kind


@dataclass(frozen=True, slots=True)
class Giving:
    """What one operator gives and takes back in one transaction."""

    session: SystemSession
    operator: Operator
    catalogs: Catalogs
    now: datetime

    async def grant(
        self,
        user_id: UUID,
        *,
        meter: str,
        kind: Kind,
        amount: int | None,
        starts_at: datetime | None,
        ends_at: datetime | None,
        reason: str,
    ) -> Granted:
        """As `overrides.grant`, for a user's own account. Raises also UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        made = await overrides.grant(
            self.session,
            account_id=user.personal_account_id,
            meter=meter,
            kind=kind,
            amount=amount,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=reason,
            by=self.operator.user_id,
            catalogs=self.catalogs,
            now=self.now,
        )
        target = Target("user", user.id)
        record(
            self.session,
            self.operator.actor,
            "user.overrides.create",
            target,
            now=self.now,
            reason=made.reason,
            after=made.to_json(),
        )
        return made

    async def take_back(self, user_id: UUID, override_id: UUID) -> Granted:
        """As `overrides.take_back`. Raises also UserUnknown, TargetProtected."""
        user = await self._target(user_id)
        ended = await overrides.take_back(
            self.session,
            account_id=user.personal_account_id,
            override_id=override_id,
            by=self.operator.user_id,
            catalogs=self.catalogs,
            now=self.now,
        )
        target, action = Target("user", user.id), "user.overrides.delete"
        record(self.session, self.operator.actor, action, target, now=self.now, before=ended.to_json())
        return ended

    async def _target(self, user_id: UUID) -> User:
        user = await users.lock(self.session, user_id)
        await self.operator.ensure_may_change(self.session, user, oneself=SUPERADMIN in self.operator.roles)
        return user
