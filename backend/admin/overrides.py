"""Limits that operators give to accounts, each act in one transaction with its line in the audit log."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select

from backend.admin import users
from backend.admin.accounts import account_named
from backend.admin.errors import TargetProtected
from backend.admin.operator import Operator
from backend.auth.errors import AccountUnknown
from backend.auth.service.operators import SUPERADMIN
from backend.catalog.service import Catalogs
from backend.core.ids import AccountId
from backend.db.audit import Target, record
from backend.db.models import Account, AccountMember, User
from backend.db.session import SystemSession
from backend.subscription import overrides
from backend.subscription.overrides import Granted
from backend.subscription.stacking import Kind


@dataclass(frozen=True, slots=True)
class Whose:
    """An account that may be given something, and how the log names it: by its user, where it is a user's own."""

    account_id: AccountId
    target: Target


@dataclass(frozen=True, slots=True)
class Giving:
    """What one operator gives and takes back in one transaction."""

    session: SystemSession
    operator: Operator
    catalogs: Catalogs
    now: datetime

    async def of_user(self, user_id: UUID) -> Whose:
        """A user's own account. Raises UserUnknown, TargetProtected."""
        user = await users.lock(self.session, user_id)
        is_free = SUPERADMIN in self.operator.roles
        await self.operator.ensure_may_change(self.session, user, oneself=is_free)
        if not is_free and await self._is_member(user.personal_account_id):
            raise TargetProtected("You are a member of this account: nobody gives anything to themselves.")
        return Whose(user.personal_account_id, Target("user", user.id))

    async def of_account(self, named: str) -> Whose:
        """The account with this id, or with this `external:` id. Raises AccountUnknown, and as `of_user`."""
        account_id = await account_named(self.session, named)
        of_it = (User.personal_account_id == account_id, User.deleted_at.is_(None))
        user_id = await self.session.scalar(select(User.id).where(*of_it))
        if user_id is not None:
            return await self.of_user(user_id)
        if SUPERADMIN not in self.operator.roles and await self._is_member(account_id):
            raise TargetProtected("You are a member of this account: nobody gives anything to themselves.")
        status = await self.session.scalar(select(Account.status).where(Account.id == account_id))
        if status == "deleted":
            raise AccountUnknown("This account is deleted; nothing can be given to it.")
        return Whose(account_id, Target("account", account_id))

    async def _is_member(self, account_id: AccountId) -> bool:
        member = exists().where(
            AccountMember.account_id == account_id,
            AccountMember.user_id == self.operator.user_id,
            AccountMember.removed_at.is_(None),
        )
        return bool(await self.session.scalar(select(member)))

    async def grant(
        self,
        whose: Whose,
        *,
        meter: str,
        kind: Kind,
        amount: int | None,
        starts_at: datetime | None,
        ends_at: datetime | None,
        reason: str,
    ) -> Granted:
        """As `overrides.grant`."""
        made = await overrides.grant(
            self.session,
            account_id=whose.account_id,
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
        record(
            self.session,
            self.operator.actor,
            f"{whose.target.kind}.overrides.create",
            whose.target,
            now=self.now,
            reason=made.reason,
            after=made.to_json(),
        )
        return made

    async def take_back(self, whose: Whose, override_id: UUID) -> Granted:
        """As `overrides.take_back`."""
        ended = await overrides.take_back(
            self.session,
            account_id=whose.account_id,
            override_id=override_id,
            by=self.operator.user_id,
            catalogs=self.catalogs,
            now=self.now,
        )
        target, action = whose.target, f"{whose.target.kind}.overrides.delete"
        record(self.session, self.operator.actor, action, target, now=self.now, before=ended.to_json())
        return ended
