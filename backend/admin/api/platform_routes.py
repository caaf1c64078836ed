"""/v1/admin: who operates, the platform in numbers, and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from backend.admin import audit_log, users
from backend.admin.api.deps import Page, PageSize, Sought, may, operates
from backend.admin.api.schemas import AuditPageAnswer, OperatorAnswer, StatisticsAnswer, audit_event
from backend.admin.audit_log import AuditFilter
from backend.admin.errors import NoOperator, SecondFactorNeeded
from backend.admin.operator import Operator
from backend.admin.permissions import permissions_of
from backend.admin.statistics import Counting
from backend.auth.api.deps import CurrentDatabase, Now
from backend.auth.errors import Unauthenticated
from backend.core.moment import Moment
from backend.core.problem import StrictRoute, problem_responses
from backend.subscription.api.deps import CurrentCatalogs

router = APIRouter(prefix="/v1/admin", tags=["Operators"], route_class=StrictRoute)

_OPERATES = problem_responses(Unauthenticated, NoOperator, SecondFactorNeeded)
_CSV = "text/csv; charset=utf-8"


def _filter(
    action: Sought = None,
    actor: Sought = None,
    target_id: Sought = None,
    request_id: Sought = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
) -> AuditFilter:
    return AuditFilter(action, actor, target_id, request_id, since, until)


Wanted = Annotated[AuditFilter, Depends(_filter)]


@router.get("/me", responses=_OPERATES)
async def read_operator(operator: Annotated[Operator, operates()], database: CurrentDatabase) -> OperatorAnswer:
    """Who you are here, and what your roles allow."""
    async with database.read() as session:
        user = await users.find(session, operator.user_id)
    return OperatorAnswer(
        user_id=user.id,
        email=user.email,
        roles=sorted(operator.roles),
        permissions=sorted(permissions_of(operator.roles)),
    )


@router.get("/stats", responses=_OPERATES)
async def read_statistics(
    request: Request,
    operator: Annotated[Operator, may("stats.read")],
    database: CurrentDatabase,
    catalogs: CurrentCatalogs,
    now: Now,
) -> StatisticsAnswer:
    """Users, sessions, subscriptions, usage and revenue."""
    counting: Counting = request.app.state.statistics
    async with database.read() as session:
        currency = (await catalogs.current(session)).currency
    found = await counting.statistics(now=now, currency=currency)
    return StatisticsAnswer(as_of=found.as_of, **found.numbers)


@router.get("/audit-logs", responses=_OPERATES)
async def read_audit_log(
    operator: Annotated[Operator, may("audit.read")],
    database: CurrentDatabase,
    wanted: Wanted,
    page: Page = 1,
    page_size: PageSize = 50,
) -> AuditPageAnswer:
    """What was done by whom, the newest first. An `action` that ends with a dot names all that begin so: `user.`."""
    async with database.read() as session:
        found = await audit_log.read(session, wanted, page=page, page_size=page_size)
    return AuditPageAnswer(
        page=page,
        page_size=page_size,
        total=found.total,
        total_is_exact=found.total_is_exact,
        items=[audit_event(line) for line in found.items],
    )


@router.get("/audit-logs/export", response_class=StreamingResponse, responses=_OPERATES)
async def export_audit_log(
    operator: Annotated[Operator, may("audit.read")], database: CurrentDatabase, wanted: Wanted
) -> StreamingResponse:
    """The same as CSV, whole and the oldest first, safe to open in a spreadsheet."""
    async with database.read() as session:
        await audit_log.ensure(session, wanted)
    headers = {"Content-Disposition": 'attachment; filename="audit-log.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(audit_log.export(database, wanted), media_type=_CSV, headers=headers)
