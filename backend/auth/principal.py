"""Who is calling."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from backend.core.ids import AccountId, UserId

Kind = Literal["user", "personal_key", "service_key"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential was verified against the database in this request.

    `account_id` is the acting account; None for a service key, which names an account in each request. `scopes`
    are those of a key, `roles` the operator roles of a signed-in user.
    """

    kind: Kind
    account_id: AccountId | None
    user_id: UserId | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
