"""Operators act as a user, for half an hour, to see what they see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from backend import mail
from backend.admin import users
from backend.admin.errors import StateConflict, TargetProtected
from backend.admin.operator import Operator, operator_in
from backend.admin.permissions import Permission
from backend.auth.service.operators import roles_of
from backend.auth.service.sessions import Device, Impersonation, Sessions, end_acting
from backend.core.settings import Settings
from backend.db.audit import Target, record
from backend.db.models import User
from backend.db.session import SystemSession

Access = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Impersonating:
    """What begins with an operator's request in one transaction."""

    session: SystemSession
    operator: Operator
    sessions: Sessions
    settings: Settings
    now: datetime

    async def begin(self, user_id: UUID, *, access: Access, reason: str, device: Device) -> Impersonation:
        """A session of this user for the operator, who only looks unless `access` is to write. One at a time: the one
        before ends.

        Raises UserUnknown, StateConflict for who cannot sign in themselves, TargetProtected for operators, NoOperator.
        """
        permission: Permission = "users.impersonate_write" if access == "write" else "users.impersonate"
        # Held, and asked once more: a role that is taken away meanwhile must not leave half an hour behind.
        await users.lock(self.session, self.operator.user_id)
        await operator_in(self.session, self.operator.actor, permission)
        user = await users.lock(self.session, user_id)
        if await roles_of(self.session, user_id=user.id):
            raise TargetProtected("This user is an operator: nobody acts as an operator.")
        if user.status != "active":
            raise StateConflict(f"This user is {user.status}: nobody could act as them, nor could they.")
        knows = await end_acting(self.session, operator_id=self.operator.user_id, now=self.now)
        begun = await self.sessions.begin_impersonation(
            self.session,
            user_id=user.id,
            operator_id=self.operator.user_id,
            may_write=access == "write",
            device=device,
            now=self.now,
        )
        if self.settings.impersonation_tells_user and user.id not in knows:
            await self._tell(user, access)
        after = {"session_id": str(begun.session_id), "access": access, "expires_at": begun.expires_at.isoformat()}
        target = Target("user", user.id)
        record(self.session, self.operator.actor, "user.impersonate", target, now=self.now, reason=reason, after=after)
        return begun

    async def _tell(self, user: User, access: Access) -> None:
        may = "look at it" if access == "read" else "look at it and use it for you"
        await mail.send(
            self.session,
            to=user.email,
            subject="Support is looking at your account",
            paragraphs=[
                f"An operator has opened your account to {may}, for at most 30 minutes. They cannot pay, change your"
                " password or two-factor sign-in, or make keys, and whatever they change is written down.",
                "You find them among your sessions and can sign them out there.",
            ],
            link=mail.Link("Your sessions", f"{self.settings.frontend_base_url}/app/settings/security"),
        )
