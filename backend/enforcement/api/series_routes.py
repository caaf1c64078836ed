"""/v1/usage/series and /v1/usage/export: what was used over time, and the events that say so."""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from backend.auth.api.deps import CurrentDatabase
from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.catalog.errors import MeterUnknown
from backend.core.errors import InvalidInput
from backend.core.problem import StrictRoute, problem_responses
from backend.db.session import Database
from backend.enforcement.api.deps import Callers, CurrentCallers
from backend.enforcement.api.series_schemas import KeyPointAnswer, PointAnswer, SeriesAnswer
from backend.enforcement.decide import find_meter
from backend.enforcement.errors import AccountSuspended, RateLimited
from backend.subscription.entitlements import Entitlements
from backend.subscription.periods import first_moment
from backend.usage.export import as_csv, as_json, events
from backend.usage.facts import NEWEST
from backend.usage.series import MOST_POINTS, Step, Wanted, read_series, read_series_by_key

router = APIRouter(prefix="/v1/usage", tags=["Usage"], route_class=StrictRoute)

_ERRORS = (Unauthenticated, ScopeMissing, AccountUnknown, AccountSuspended, MeterUnknown, RateLimited)
_LENGTH_OF_DATE = len("2026-11-25")
_INSTANT = timedelta(microseconds=1)
# What a level was repaired by has the first moment of 1970.
_YEARS = range(1970, 2101)
_CSV, _JSON = "text/csv; charset=utf-8", "application/json"

MeterName = Annotated[str, Query(min_length=1, max_length=100)]
Account = Annotated[str | None, Query(min_length=1, max_length=300, description="As in the calls of spending.")]
From = Annotated[str, Query(alias="from", max_length=40, description="A time, or a date in the account's zone.")]
To = Annotated[str | None, Query(max_length=40, description="As `from`, and not part of it; now without one.")]
SomeMeter = Annotated[str | None, Query(min_length=1, max_length=100, description="All without one.")]


@router.get("/series", responses=problem_responses(*_ERRORS))
async def series(
    request: Request,
    database: CurrentDatabase,
    callers: CurrentCallers,
    meter: MeterName,
    start: From,
    to: To = None,
    step: Step = "day",
    by_key: bool = False,
    account_id: Account = None,
) -> SeriesAnswer:
    """What was counted in each hour, day or month of the account's zone; steps without usage are 0.

    The first step is the one that contains `from`. At most 1,000 steps. With `by_key`, also what each key counted.
    """
    caller = await callers.reader(account_id)
    entitlements = caller.entitlements or await request.app.state.engine.fresh_entitlements(caller)
    definition = find_meter(entitlements, meter)
    begins, ends = _range(start, to, entitlements)
    await request.app.state.treasury.settle_account(caller.account_id, meter)
    wanted = Wanted(caller.account_id, meter, begins, ends, step, entitlements.zone)
    async with database.read(caller.account_id) as session:
        points = await read_series(session, wanted, is_gauge=definition.kind == "gauge")
        if len(points) > MOST_POINTS:
            raise InvalidInput(f"from, to: these are over {MOST_POINTS:,} steps; take longer steps or a shorter time.")
        keys = await read_series_by_key(session, wanted) if by_key else []
    return SeriesAnswer(
        meter=meter,
        unit=definition.unit,
        step=step,
        time_zone=entitlements.zone.key,
        as_of=entitlements.now,
        points=[PointAnswer.model_validate(point) for point in points],
        keys=[KeyPointAnswer.model_validate(point) for point in keys] if by_key else None,
    )


@router.get(
    "/export.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}, **problem_responses(*_ERRORS)},
)
async def export_csv(
    request: Request,
    database: CurrentDatabase,
    callers: CurrentCallers,
    start: From,
    to: To = None,
    meter: SomeMeter = None,
    account_id: Account = None,
) -> StreamingResponse:
    """Every event that took place in the time, as CSV that is safe to open in a spreadsheet."""
    found = await _events(request, database, callers, start, to, meter, account_id)
    return StreamingResponse(as_csv(found), media_type=_CSV, headers=_as_file("usage.csv"))


@router.get("/export.json", response_class=StreamingResponse, responses=problem_responses(*_ERRORS))
async def export_json(
    request: Request,
    database: CurrentDatabase,
    callers: CurrentCallers,
    start: From,
    to: To = None,
    meter: SomeMeter = None,
    account_id: Account = None,
) -> StreamingResponse:
    """The same as one array of JSON."""
    found = await _events(request, database, callers, start, to, meter, account_id)
    return StreamingResponse(as_json(found), media_type=_JSON, headers=_as_file("usage.json"))


async def _events(
    request: Request,
    database: Database,
    callers: Callers,
    start: str,
    to: str | None,
    meter: str | None,
    account_id: str | None,
) -> AsyncIterator[dict[str, Any]]:
    caller = await callers.reader(account_id)
    entitlements = caller.entitlements or await request.app.state.engine.fresh_entitlements(caller)
    if meter is not None:
        find_meter(entitlements, meter)
    begins, ends = _range(start, to, entitlements, ahead=NEWEST + _INSTANT)
    await request.app.state.treasury.settle_account(caller.account_id, meter)
    return events(database, account_id=caller.account_id, meter=meter, start=begins, end=ends)


def _range(
    start: str, to: str | None, entitlements: Entitlements, *, ahead: timedelta = _INSTANT
) -> tuple[datetime, datetime]:
    """From and to, by the account's clock; without a to, what took place by now, and so much after. Raises
    InvalidInput."""
    begins = _moment("from", start, entitlements.zone)
    ends = entitlements.now + ahead if to is None else _moment("to", to, entitlements.zone)
    if begins >= ends:
        raise InvalidInput("from, to: the first is before the second.")
    return begins, ends


def _moment(name: str, given: str, zone: ZoneInfo) -> datetime:
    try:
        if len(given) == _LENGTH_OF_DATE:
            found = first_moment(datetime.combine(date.fromisoformat(given), time.min), zone)
        else:
            found = datetime.fromisoformat(given.replace(" ", "+"))  # a plus sign that was not written as %2B
    except ValueError:
        raise InvalidInput(f"{name}: a date or a time, such as 2026-11-25 or 2026-11-25T12:00:00Z.") from None
    if found.tzinfo is None:
        raise InvalidInput(f"{name}: a time has an offset, such as Z or +01:00.")
    if found.year not in _YEARS:
        raise InvalidInput(f"{name}: a year from {_YEARS[0]} to {_YEARS[-1]}.")
    return found


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
