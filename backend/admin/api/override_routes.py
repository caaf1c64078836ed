"""/v1/admin/users/{user_id}/overrides: limits of a user's own account beside its plan's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from backend.admin import users
from backend.admin.api.deps import Page, PageSize, may
from backend.admin.errors import NoOperator, SecondFactorNeeded, TargetProtected
from backend.admin.operator import Operator
from backend.admin.overrides import Giving
from backend.auth.api.deps import CurrentDatabase, Now, SystemWrite
from backend.auth.errors import Unauthenticated, UserUnknown
from backend.catalog.errors import MeterUnknown
from backend.core.moment import Moment
from backend.core.problem import StrictRoute, problem_responses
from backend.db.session import ReadSession
from backend.subscription.api.deps import CurrentCatalogs
from backend.subscription.errors import OverrideOver, OverridesFull, OverrideUnknown
from backend.subscription.overrides import MOST_REASON, Granted, list_of
from backend.usage.model import MAX_AMOUNT

router = APIRouter(prefix="/v1/admin/users/{user_id}/overrides", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded, UserUnknown)
_CHANGES = (*_OPERATES, TargetProtected)


class OverrideBody(BaseModel):
    """`amount` base units more than the plan gives (`add`), or instead of it (`set`; null is unlimited, 0 nothing).

    From `starts_at` (now) until before `ends_at` (until it is taken back), by the account's clock. The customer reads
    the reason.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    meter: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Literal["add", "set"]
    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    reason: Annotated[str, Field(min_length=1, max_length=MOST_REASON, pattern=r"\S")]


class GivenAnswer(BaseModel):
    """An override with who gave it and where it stands; `created_by` and `ended_by` are null for a command.

    `created_by_email` is the address that who gave it has now.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    meter: str
    kind: Literal["add", "set"]
    amount: int | None
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    state: Literal["scheduled", "in_force", "ended", "taken_back"]
    created_by: UUID | None
    created_by_email: str | None
    created_at: datetime
    ended_by: UUID | None
    ended_at: datetime | None


class GivenPageAnswer(BaseModel):
    """A page of all that was ever given, the newest first."""

    page: int
    page_size: int
    total: int
    items: list[GivenAnswer]


async def given_answers(session: ReadSession, rows: Sequence[Granted]) -> list[GivenAnswer]:
    """These overrides, with the addresses of who gave them."""
    known = await users.addresses_of(session, {row.created_by for row in rows})
    return [GivenAnswer.model_validate(given_fields(row, known.get(row.created_by))) for row in rows]


def given_fields(row: Granted, by: str | None) -> dict[str, Any]:
    names = GivenAnswer.model_fields.keys() - {"created_by_email"}
    return {**{name: getattr(row, name) for name in names}, "created_by_email": by}


@router.get("", responses=problem_responses(*_OPERATES))
async def list_overrides(
    user_id: UUID,
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    now: Now,
    page: Page = 1,
    page_size: PageSize = 20,
) -> GivenPageAnswer:
    """All limits that the user's own account was ever given beside its plan's, the newest first."""
    async with database.read() as session:
        user = await users.find(session, user_id)
        rows, total = await list_of(
            session,
            account_id=user.personal_account_id,
            now=now,
            limit=page_size,
            offset=(page - 1) * page_size,
        )
        items = await given_answers(session, rows)
    return GivenPageAnswer(page=page, page_size=page_size, total=total, items=items)


@router.post("", status_code=201, responses=problem_responses(*_CHANGES, MeterUnknown, OverridesFull, body=True))
async def grant_override(
    user_id: UUID,
    body: OverrideBody,
    operator: Annotated[Operator, may("overrides.write")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> GivenAnswer:
    """Gives the user's own account another limit, in every process within a second."""
    giving = Giving(session, operator, catalogs, now)
    made = await giving.grant(await giving.of_user(user_id), **dict(body))
    return (await given_answers(session, [made]))[0]


@router.delete("/{override_id}", responses=problem_responses(*_CHANGES, OverrideUnknown, OverrideOver))
async def take_override_back(
    user_id: UUID,
    override_id: UUID,
    operator: Annotated[Operator, may("overrides.write")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> GivenAnswer:
    """Ends an override now, or keeps it from beginning. It stays in the list."""
    giving = Giving(session, operator, catalogs, now)
    ended = await giving.take_back(await giving.of_user(user_id), override_id)
    return (await given_answers(session, [ended]))[0]
