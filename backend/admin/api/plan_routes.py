"""/v1/admin/plans: which plans there are, who is on which version, and applying a new file of plans."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from backend.admin import plans
from backend.admin.api.deps import may
from backend.admin.errors import NoOperator, PlansChanged, PlansInvalid, SecondFactorNeeded
from backend.admin.operator import Operator
from backend.admin.plans import Change
from backend.auth.api.deps import CurrentDatabase, CurrentSettings, Now, SystemWrite
from backend.auth.errors import Unauthenticated
from backend.catalog.errors import CatalogMissing, CatalogRefused
from backend.core.problem import StrictRoute, problem_responses

router = APIRouter(prefix="/v1/admin/plans", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded)


class DocumentBody(BaseModel):
    """A file of plans, as plans.toml is written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    document: Annotated[str, Field(min_length=1, max_length=60_000)]


class ApplyBody(DocumentBody):
    """The same with the `ticket` of its preview."""

    ticket: Annotated[str, Field(min_length=1, max_length=64)]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class VersionAnswer(_Answer):
    """A version of a plan and how many live subscriptions are on it."""

    number: int
    created_at: datetime
    subscriptions: int


class PlanInUseAnswer(_Answer):
    """A plan with its versions, the newest first; `is_active` is whether it is sold."""

    id: UUID
    name: str
    display_name: str
    is_active: bool
    is_default: bool
    versions: list[VersionAnswer]


class PlansInUseAnswer(_Answer):
    """All plans, and what is stored as a file of plans.

    `file_agrees` is whether the server's own plans.toml says the same, null where it cannot be read: each start applies
    that file, so put `document` there to keep what was applied here.
    """

    plans: list[PlanInUseAnswer]
    document: str
    file_agrees: bool | None


class PlanChangeAnswer(_Answer):
    """What becomes of one plan, line by line; `version` is the one that it then has."""

    plan: str
    kind: str
    version: int
    lines: list[str]


class ChangeAnswer(BaseModel):
    """All changes. With `refusals` it cannot be applied; `ticket` stands for exactly this change."""

    refusals: list[str]
    catalog: list[str]
    plans: list[PlanChangeAnswer]
    ticket: str


@router.get("", responses=problem_responses(*_OPERATES, CatalogMissing))
async def list_plans(
    operator: Annotated[Operator, may("stats.read")], database: CurrentDatabase, settings: CurrentSettings
) -> PlansInUseAnswer:
    """Plans, also those that are no longer sold, with who is on which version."""
    async with database.read() as session:
        found = await plans.plans_in_use(session, file=settings.plans_file)
    return PlansInUseAnswer.model_validate(found)


@router.post("/preview", responses=problem_responses(*_OPERATES, PlansInvalid, body=True))
async def preview_plans(
    body: DocumentBody, operator: Annotated[Operator, may("stats.read")], database: CurrentDatabase
) -> ChangeAnswer:
    """What applying a file of plans would change. Changes nothing."""
    document = await plans.read(body.document)
    async with database.read() as session:
        return _answer(await plans.preview(session, document))


@router.post("", responses=problem_responses(*_OPERATES, PlansInvalid, PlansChanged, CatalogRefused, body=True))
async def apply_plans(
    body: ApplyBody, operator: Annotated[Operator, may("plans.write")], session: SystemWrite, now: Now
) -> ChangeAnswer:
    """Applies a file of plans. Subscriptions keep the version that they have; the default plan's new one is for all."""
    return _answer(await plans.apply(session, operator, body.document, ticket=body.ticket, now=now))


def _answer(change: Change) -> ChangeAnswer:
    found = change.found
    return ChangeAnswer(
        refusals=list(found.refusals),
        catalog=list(found.catalog),
        plans=[PlanChangeAnswer.model_validate(each) for each in found.plans],
        ticket=change.ticket,
    )
