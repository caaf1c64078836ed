"""What the routes of the back office ask for."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from backend.admin.operator import Operator, operator_of
from backend.admin.permissions import Permission
from backend.auth.api.deps import CurrentPrincipal

Page = Annotated[int, Query(ge=1, le=10_000)]
PageSize = Annotated[int, Query(ge=1, le=100)]
# What is looked for as text. PostgreSQL's texts have no U+0000.
Sought = Annotated[str | None, Query(max_length=320, pattern=r"^[^\x00]*$")]


def may(permission: Permission) -> Any:
    """A dependency: the operator who calls, if they have this permission."""
    return Depends(_with(permission))


def operates() -> Any:
    """A dependency: the operator who calls, whatever their role."""
    return Depends(_with(None))


def _with(permission: Permission | None) -> Callable[[Request, CurrentPrincipal], Operator]:
    def operator(request: Request, principal: CurrentPrincipal) -> Operator:
        return operator_of(
            principal,
            permission,
            address=str(request.state.client_address),
            request_id=request.state.request_id,
        )

    return operator
