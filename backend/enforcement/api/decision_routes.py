"""/v1/decisions: what was refused and why, then and now."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from backend.auth.api.deps import CurrentDatabase
from backend.auth.errors import AccountUnknown, ScopeMissing, Unauthenticated
from backend.core.moment import Moment
from backend.core.problem import StrictRoute, problem_responses
from backend.db.models import Denial
from backend.enforcement import explain as explaining
from backend.enforcement.api.deps import CurrentCallers
from backend.enforcement.api.series_routes import Account
from backend.enforcement.errors import AccountSuspended, DecisionUnknown, RateLimited
from backend.usage import denial_log
from backend.usage.denial_log import DenialFilter

router = APIRouter(prefix="/v1/decisions", tags=["Decisions"], route_class=StrictRoute)

_ERRORS = (Unauthenticated, ScopeMissing, AccountUnknown, AccountSuspended, RateLimited)
Code = Literal["quota_exceeded", "rate_limited", "concurrency_limited", "feature_not_in_plan", "account_suspended"]
# PostgreSQL's texts have no U+0000.
Name = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class DenialAnswer(_Answer):
    """One refusal, with how many equal ones came until `last_at`; the numbers are as of `first_at`.

    `limit` is in base units of the meter, or in requests of the rate limit `scope`. `request_ids` are of the first 32.
    """

    id: UUID
    code: str
    meter: str | None
    scope: str | None
    method: str
    path: str
    used: int | None
    held: int | None
    limit: int | None
    requested: int | None
    plan: str
    plan_version: int
    window_start: datetime | None
    window_end: datetime | None
    first_at: datetime
    last_at: datetime
    count: int
    request_ids: list[str]


class DenialsAnswer(BaseModel):
    """Refusals, the newest first. `next` is the `after` of those before them; null is the end.

    Where a filter leaves most of them out, there may be fewer than `limit` although there are more.
    """

    items: list[DenialAnswer]
    next: UUID | None


class DenialKeyAnswer(_Answer):
    """The account's own key that was used; `state` is as of now."""

    id: UUID
    name: str
    prefix: str
    state: Literal["active", "expired", "revoked"]


class FixAnswer(_Answer):
    """What would let it pass: `plan` of an upgrade, `at` of waiting."""

    kind: str
    text: str
    at: datetime | None = None
    plan: str | None = None
    url: str | None = None


class NowAnswer(_Answer):
    """What the same question is answered now. `allowed` is null where only the caller's next request can tell."""

    as_of: datetime
    allowed: bool | None
    rule: str | None
    plan: str
    plan_version: int
    used: int | None
    held: int | None
    limit: int | None
    remaining: int | None
    resets_at: datetime | None
    fixes: list[FixAnswer]


class DecisionAnswer(DenialAnswer):
    """A refusal whole: each rule in its order, `passed`, `failed` or `not_reached`, with its numbers; and now.

    `subject` is the member who asked, or `operator` of support who acted as one; null is somebody else.
    """

    decision_ids: list[UUID]
    rules: list[dict[str, Any]]
    key: DenialKeyAnswer | None
    subject: str | None
    time_zone: str
    now: NowAnswer


@router.get("", responses=problem_responses(*_ERRORS))
async def list_decisions(
    database: CurrentDatabase,
    callers: CurrentCallers,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: UUID | None = None,
    code: Code | None = None,
    meter: Name = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
    request_id: Name = None,
    account_id: Account = None,
) -> DenialsAnswer:
    """What was refused, the newest first; equal ones of a second are one. They come within two seconds."""
    caller = await callers.reader(account_id)
    async with database.read(caller.account_id) as session:
        ids = None
        if request_id is not None:
            ids = [denial.id for denial in await denial_log.named(session, caller.account_id, request_id)]
        wanted = DenialFilter(code, meter, since, until, ids)
        found = await denial_log.newest(session, caller.account_id, wanted, limit=limit, after=after)
    items = [DenialAnswer.model_validate(denial_fields(denial)) for denial in found.items]
    return DenialsAnswer(items=items, next=found.next)


@router.get("/{decision}", responses=problem_responses(*_ERRORS, DecisionUnknown))
async def read_decision(
    decision: str, request: Request, callers: CurrentCallers, account_id: Account = None
) -> DecisionAnswer:
    """Why it was refused, and what the same question is answered now; nothing is spent.

    `decision` is a decision's id or a request's. A request that is not the first of equal ones is looked for among
    5,000 refusals: those before its time where the server named it, else the newest. Beyond the first 32 equal ones
    of a second only decisions are known, under the id that their answers say.
    """
    caller = await callers.reader(account_id)
    rates = request.state.rates if _is_own(request, caller.account_id) else {}
    found = await explaining.explain(request.app.state.engine, caller.account_id, decision, now=caller.now, rates=rates)
    return DecisionAnswer.model_validate(
        {
            **denial_fields(found.denial),
            "decision_ids": found.denial.decision_ids,
            "rules": found.rules,
            "key": found.key,
            "subject": found.subject,
            "time_zone": found.zone,
            "now": found.now,
        }
    )


def _is_own(request: Request, account_id: UUID) -> bool:
    """Whether the account's rate limit has counted this request."""
    own = request.state.entitlements
    return own is not None and own.account.id == account_id


def denial_fields(denial: Denial) -> dict[str, Any]:
    """A refusal under the names of the API."""
    return {
        **{name: getattr(denial, name) for name in DenialAnswer.model_fields if name != "limit"},
        "limit": denial.limit_amount,
    }
