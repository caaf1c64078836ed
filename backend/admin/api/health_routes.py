"""/v1/admin/health: whether everything runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from backend.admin.api.deps import may
from backend.admin.errors import NoOperator, SecondFactorNeeded
from backend.admin.health import State, checks_of, worst
from backend.admin.operator import Operator
from backend.admin.vitals import read_vitals
from backend.auth.api.deps import CurrentDatabase, CurrentSettings
from backend.auth.errors import Unauthenticated
from backend.core.problem import StrictRoute, problem_responses

router = APIRouter(prefix="/v1/admin", tags=["Operators"], route_class=StrictRoute)


class CheckAnswer(BaseModel):
    """One check: `found` in words, `numbers` behind them, and what to do where it is not `ok`."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    state: State
    found: str
    what_to_do: str | None
    numbers: Mapping[str, float | int | None]


class HealthAnswer(BaseModel):
    """`state` is the worst of the checks: `near` is to be looked at, `over` is broken."""

    as_of: datetime
    state: State
    checks: Sequence[CheckAnswer]


@router.get("/health", responses=problem_responses(Unauthenticated, NoOperator, SecondFactorNeeded))
async def read_health(
    request: Request,
    operator: Annotated[Operator, may("stats.read")],
    database: CurrentDatabase,
    settings: CurrentSettings,
) -> HealthAnswer:
    """Database, background work, mail, processes and tables: what runs, what waits, and what to do about it."""
    state = request.app.state
    vitals = await read_vitals(
        database, settings, head=state.schema_head, note=state.treasury.problem, clock=request.app.clock
    )
    checks = checks_of(vitals)
    return HealthAnswer(
        as_of=vitals.as_of, state=worst(checks), checks=[CheckAnswer.model_validate(check) for check in checks]
    )
