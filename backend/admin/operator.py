"""Who operates: a signed-in user with a role, and what they may do to whom."""

from dataclasses import dataclass

from sqlalchemy import text

from backend.admin.errors import NoOperator, SecondFactorNeeded, TargetProtected
from backend.admin.permissions import Permission, allowed
from backend.auth.principal import Principal
from backend.auth.service.operators import SUPERADMIN, roles_of
from backend.core.ids import UserId
from backend.db.audit import Actor
from backend.db.models import User
from backend.db.session import SystemSession

# Two who take each other's role away at once would leave none: changes of superadmins take turns.
_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('superadmins', 0))")
_OTHERS = text("""
    SELECT EXISTS (
        SELECT 1 FROM user_roles r JOIN users u ON u.id = r.user_id
        WHERE r.role = 'superadmin' AND u.status = 'active' AND u.id <> :user_id
    )
""")


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator in a request. `actor` is how the audit log names them."""

    user_id: UserId
    roles: frozenset[str]
    actor: Actor

    def ensure(self, permission: Permission) -> None:
        """Raises NoOperator."""
        if not allowed(self.roles, permission):
            mine = ", ".join(sorted(self.roles)) or "none"
            raise NoOperator(f"Your role ({mine}) has no permission {permission}.", permission=permission)

    async def ensure_may_change(
        self, session: SystemSession, user: User, *, oneself: bool = True, ends_power: bool = False
    ) -> None:
        """Raises TargetProtected: for an operator whom only a superadmin may change; for oneself where that is not
        among what one may do to `oneself`; for the last superadmin where `ends_power` keeps them from acting."""
        theirs = await roles_of(session, user_id=user.id)
        if theirs and user.id != self.user_id and SUPERADMIN not in self.roles:
            raise TargetProtected("This user is an operator: only a superadmin changes operators.")
        if user.id == self.user_id and not oneself:
            raise TargetProtected("This is yourself: use your own settings, or ask another operator.")
        if ends_power and SUPERADMIN in theirs:
            await ensure_not_last(session, user.id)


async def ensure_not_last(session: SystemSession, user_id: UserId) -> None:
    """Raises TargetProtected where no other superadmin could act afterwards."""
    await session.execute(_TURN)
    if not await session.scalar(_OTHERS, {"user_id": user_id}):
        raise TargetProtected("This is the last superadmin; make another one first: `feature user set-superadmin`.")


def operator_of(principal: Principal, permission: Permission | None, *, address: str, request_id: str) -> Operator:
    """The operator behind a caller; any role does where `permission` is None. Raises NoOperator, SecondFactorNeeded.

    Keys are no operators, whoever's they are: what is done here is done by somebody who signed in.
    """
    if principal.kind != "user" or principal.user_id is None or not principal.roles:
        raise NoOperator("This is for operators of the platform who are signed in.")
    actor = Actor("user", user_id=principal.user_id, address=address, request_id=request_id)
    operator = Operator(principal.user_id, principal.roles, actor)
    return _ensured(operator, permission, has_second_factor=principal.has_second_factor)


async def operator_in(session: SystemSession, actor: Actor, permission: Permission) -> Operator:
    """The operator who asked for background work, with what they may do now. Raises NoOperator, SecondFactorNeeded."""
    assert actor.user_id is not None
    user = await session.get_one(User, actor.user_id)
    roles = await roles_of(session, user_id=user.id) if user.status == "active" else []
    return _ensured(Operator(user.id, frozenset(roles), actor), permission, has_second_factor=user.mfa_enabled)


def _ensured(operator: Operator, permission: Permission | None, *, has_second_factor: bool) -> Operator:
    if permission is not None:
        operator.ensure(permission)
    if SUPERADMIN not in operator.roles and not has_second_factor:
        raise SecondFactorNeeded("Operators need two-factor sign-in: turn it on under Settings, Security.")
    return operator
