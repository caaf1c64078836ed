"""What each operator role may do: the one table of it."""

from collections.abc import Mapping
from typing import Literal, get_args

Permission = Literal[
    "stats.read",
    "decisions.read",
    "users.read",
    "users.edit",
    "users.address",
    "users.lock",
    "users.delete",
    "users.roles",
    "users.sessions",
    "users.second_factor",
    "users.impersonate",
    "users.impersonate_write",
    "notes.write",
    "plans.assign",
    "plans.write",
    "overrides.write",
    "audit.read",
]
OperatorRole = Literal["superadmin", "admin", "support", "billing", "read_only"]

_LOOKS: frozenset[Permission] = frozenset({"stats.read", "decisions.read", "users.read"})
_ALL: frozenset[Permission] = frozenset(get_args(Permission))

# Roles are given by superadmins alone: who could give them could give themselves everything. Who can change an address
# can sign in as anybody, so support cannot.
PERMISSIONS: Mapping[OperatorRole, frozenset[Permission]] = {
    "superadmin": _ALL,
    "admin": _ALL - {"users.roles"},
    "support": _LOOKS
    | {
        "users.edit",
        "users.lock",
        "users.sessions",
        "users.second_factor",
        "users.impersonate",
        "notes.write",
        "overrides.write",
    },
    "billing": _LOOKS | {"notes.write", "plans.assign", "overrides.write"},
    "read_only": _LOOKS | {"audit.read"},
}


def permissions_of(roles: frozenset[str]) -> frozenset[Permission]:
    """All that these roles allow together."""
    return frozenset[Permission]().union(*(may for role, may in PERMISSIONS.items() if role in roles))


def allowed(roles: frozenset[str], permission: Permission) -> bool:
    """Whether one of these roles may. A role that the table does not know may nothing."""
    return permission in permissions_of(roles)
