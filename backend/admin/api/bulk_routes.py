"""/v1/admin/bulk-actions: acts on many users, with a preview of whom they would affect."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.admin import bulk
from backend.admin.api.deps import Page, may
from backend.admin.api.schemas import Reason, Status
from backend.admin.bulk import Action, Progress, Wish
from backend.admin.errors import BulkActionUnknown, NoOperator, SecondFactorNeeded, StateConflict, UsersChanged
from backend.admin.operator import Operator
from backend.admin.permissions import OperatorRole
from backend.admin.users import UserFilter
from backend.auth.api.deps import CurrentDatabase, Now, SystemWrite
from backend.auth.errors import Unauthenticated
from backend.core.problem import StrictRoute, problem_responses
from backend.subscription.api.deps import CurrentCatalogs
from backend.subscription.errors import PlanUnknown

router = APIRouter(prefix="/v1/admin/bulk-actions", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded)
# Each has up to 10,000 users, and those of a page are counted.
_PageSize = Annotated[int, Query(ge=1, le=20)]
_Sought = Annotated[str, Field(min_length=1, max_length=320)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterBody(_Body):
    """Users as `GET /v1/admin/users` finds them; without any condition, all who are not deleted."""

    q: _Sought | None = None
    status: Status | None = None
    plan: _Sought | None = None
    role: OperatorRole | None = None


class WishBody(_Body):
    """One act for many users: those with these `ids`, or those that `filter` finds, at most 10,000.

    `plan_name` and `duration_days` (30) are of `upgrade_plan` alone.
    """

    action: Action
    ids: Annotated[list[UUID], Field(min_length=1, max_length=1_000)] | None = None
    filter: FilterBody | None = None
    plan_name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    duration_days: Annotated[int, Field(ge=1, le=3_660, strict=True)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name the users by ids, or by a filter, one of both")
        if (self.action == "upgrade_plan") != (self.plan_name is not None):
            raise ValueError("plan_name goes with upgrade_plan, and only with it")
        if self.duration_days is not None and self.action != "upgrade_plan":
            raise ValueError("duration_days goes with upgrade_plan, and only with it")
        return self

    def wish(self) -> Wish:
        """As the back office knows it."""
        found = UserFilter(**dict(self.filter)) if self.filter is not None else None
        days = self.duration_days or 30 if self.action == "upgrade_plan" else None
        return Wish(self.action, ids=self.ids, filter=found, plan_name=self.plan_name, duration_days=days)


class StartBody(WishBody):
    """The same with the `ticket` of its preview, and why it is done; the audit log says so for each user."""

    ticket: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Reason


class PreviewAnswer(BaseModel):
    """How many are matched and would be affected. `ticket` stands for exactly these.

    Left out are `unknown` or deleted ones, `protected` ones (operators, oneself), and those whose `state` the act
    does not begin from.
    """

    matched: int
    affected: int
    left_out: dict[Literal["unknown", "protected", "state"], int]
    ticket: str


class BulkActionAnswer(BaseModel):
    """How far a bulk action is. `left_out` counts those to whom it could not be done, by the reason."""

    id: UUID
    action: Action
    arguments: dict[str, Any]
    state: Literal["running", "finished", "stopped"]
    detail: str | None
    created_by: UUID
    created_at: datetime
    ended_at: datetime | None
    total: int
    waiting: int
    done: int
    left_out: dict[str, int]


class BulkActionPageAnswer(BaseModel):
    """A page of bulk actions, the newest first."""

    page: int
    page_size: int
    total: int
    items: list[BulkActionAnswer]


@router.post("/preview", responses=problem_responses(*_OPERATES, PlanUnknown, body=True))
async def preview_bulk_action(
    body: WishBody,
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    catalogs: CurrentCatalogs,
) -> PreviewAnswer:
    """Whom an act would affect, and whom not. Changes nothing."""
    async with database.read() as session:
        found = await bulk.preview(session, operator, body.wish(), catalogs=catalogs)
    return PreviewAnswer(
        matched=found.matched, affected=len(found.affected), left_out=dict(found.left_out), ticket=found.ticket
    )


@router.post("", status_code=202, responses=problem_responses(*_OPERATES, PlanUnknown, UsersChanged, body=True))
async def start_bulk_action(
    body: StartBody,
    operator: Annotated[Operator, may("users.read")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> BulkActionAnswer:
    """Begins an act for those whom its preview showed; background work does it, user by user."""
    made = await bulk.start(
        session, operator, body.wish(), ticket=body.ticket, reason=body.reason, catalogs=catalogs, now=now
    )
    return _answer(made)


@router.get("", responses=problem_responses(*_OPERATES))
async def list_bulk_actions(
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    page: Page = 1,
    page_size: _PageSize = 20,
) -> BulkActionPageAnswer:
    """Bulk actions, the newest first."""
    async with database.read() as session:
        found, total = await bulk.newest(session, page=page, page_size=page_size)
    return BulkActionPageAnswer(page=page, page_size=page_size, total=total, items=[_answer(each) for each in found])


@router.get("/{bulk_action_id:uuid}", responses=problem_responses(*_OPERATES, BulkActionUnknown))
async def read_bulk_action(
    bulk_action_id: UUID, operator: Annotated[Operator, may("users.read")], database: CurrentDatabase
) -> BulkActionAnswer:
    """How far a bulk action is."""
    async with database.read() as session:
        return _answer(await bulk.progress(session, bulk_action_id))


@router.post("/{bulk_action_id:uuid}/stop", responses=problem_responses(*_OPERATES, BulkActionUnknown, StateConflict))
async def stop_bulk_action(
    bulk_action_id: UUID, operator: Annotated[Operator, may("users.read")], session: SystemWrite, now: Now
) -> BulkActionAnswer:
    """Leaves those alone who have not had their turn yet. Who had it is not changed back."""
    return _answer(await bulk.stop(session, operator, bulk_action_id, now=now))


def _answer(found: Progress) -> BulkActionAnswer:
    row = found.row
    return BulkActionAnswer(
        **{
            name: getattr(row, name)
            for name in ("id", "action", "arguments", "state", "detail", "created_by", "created_at", "ended_at")
        },
        total=found.total,
        waiting=found.waiting,
        done=found.done,
        left_out=dict(found.left_out),
    )
