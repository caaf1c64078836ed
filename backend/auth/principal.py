"""Who is calling."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from backend.auth.errors import RoleMissing
from backend.core.ids import AccountId, UserId

Kind = Literal["user", "portal", "foreign_user", "personal_key", "service_key"]
Role = Literal["owner", "admin", "developer", "billing", "viewer"]
Permission = Literal["read", "spend", "pay", "manage"]

# What the role of a member allows in the account. Everybody in it may read.
ROLES: Mapping[str, frozenset[Permission]] = {
    "owner": frozenset({"read", "spend", "pay", "manage"}),
    "admin": frozenset({"read", "spend", "pay", "manage"}),
    "developer": frozenset({"read", "spend"}),
    "billing": frozenset({"read", "pay"}),
    "viewer": frozenset({"read"}),
}


_OPERATOR = "operator"
_ACTING = re.compile(rf"{_OPERATOR}:[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")


def role_named(name: str) -> Role:
    """The role of this name; the tables hold no other."""
    return next(role for role in get_args(Role) if role == name)


def told_to_customer(subject: str | None) -> str | None:
    """Who a customer is told that it was: `operator` of whoever acted as a user, without their id."""
    return _OPERATOR if subject is not None and _ACTING.fullmatch(subject) else subject


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential was verified against the database in this request.

    `account_id` is the acting account; None for a service key, which names an account in each request. `role` is the
    caller's in that account; a key has its user's, if it is a user's, and its `scopes`. `roles` are the operator roles
    of a signed-in user, `has_second_factor` is whether they sign in with two factors. `subject` names somebody who is
    no user of ours. `good_until` is when the credential ends by itself; None is never. `requests_per_minute` is a key's
    own limit, beside that of its account; None is none, 0 lets nothing pass. `impersonator_id` is the operator who acts
    as this user, who only reads without `may_write`.
    """

    kind: Kind
    account_id: AccountId | None
    user_id: UserId | None = None
    subject: str | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None
    role: Role | None = None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    has_second_factor: bool = False
    good_until: datetime | None = None
    requests_per_minute: int | None = None
    impersonator_id: UserId | None = None
    may_write: bool = True

    @property
    def recorded_as(self) -> str | None:
        """The subject of what is recorded: the user's id, or what others call them; of an operator who acts as a user,
        `operator:` and their own id."""
        if self.impersonator_id is not None:
            return f"{_OPERATOR}:{self.impersonator_id}"
        return str(self.user_id) if self.user_id else self.subject

    def may(self, permission: Permission) -> bool:
        """Whether the caller's role in the acting account allows it."""
        return self.role is None or permission in ROLES[self.role]

    def ensure(self, permission: Permission) -> None:
        """Raises RoleMissing where the caller's role in the acting account does not allow it."""
        if not self.may(permission):
            raise RoleMissing(
                f"Your role in this account is {self.role}; this needs a role that may {permission}.",
                role=self.role,
                permission=permission,
            )
