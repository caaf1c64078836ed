"""/v1/admin/decisions: what was refused to whom and why, and what would let it pass."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from backend.admin import decisions
from backend.admin.accounts import NamedAccount, account_named, accounts_named
from backend.admin.api.deps import Sought, may
from backend.admin.api.schemas import NamedAccountAnswer
from backend.admin.decisions import DecisionFilter
from backend.admin.errors import NoOperator, SecondFactorNeeded
from backend.admin.operator import Operator
from backend.auth.api.deps import CurrentDatabase, Now
from backend.auth.errors import AccountUnknown, Unauthenticated, UserUnknown
from backend.catalog.errors import MeterUnknown
from backend.core.ids import AccountId
from backend.core.moment import Moment
from backend.core.problem import StrictRoute, problem_responses
from backend.db.session import Database
from backend.enforcement import explain as explaining
from backend.enforcement.api.decision_routes import Code, DenialAnswer, DenialKeyAnswer, NowAnswer, denial_fields
from backend.enforcement.engine import Engine
from backend.enforcement.errors import DecisionAmbiguous, DecisionUnknown
from backend.enforcement.explain import Explained
from backend.enforcement.supposing import Supposed, SupposedLimit
from backend.subscription.errors import PlanUnknown
from backend.usage.model import MAX_AMOUNT

router = APIRouter(prefix="/v1/admin/decisions", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded, AccountUnknown)
_ONE = (*_OPERATES, DecisionUnknown, DecisionAmbiguous)
Account = Annotated[
    str | None, Query(max_length=210, description="An id, or `external:` and the host application's own id.")
]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class UsedKeyAnswer(_Answer):
    """The key that was used; a `service` key is a host application's."""

    id: UUID
    kind: Literal["personal", "service"]
    name: str
    prefix: str


class RefusalAnswer(DenialAnswer):
    """One refusal with who was refused. `subject` is the id of the user, or what an issuer or host calls them, or
    `operator:` and the id of an operator who acted as the user."""

    account: NamedAccountAnswer
    key: UsedKeyAnswer | None
    subject: str | None


class RefusalsAnswer(BaseModel):
    """Refusals, the newest first. `next` is the `after` of those before them; null is the end.

    Where a filter leaves most of them out, there may be fewer than `limit` although there are more.
    """

    items: list[RefusalAnswer]
    next: UUID | None


class UsedKeyNowAnswer(UsedKeyAnswer, DenialKeyAnswer):
    """The key that was used; `state` is as of now."""


class GrantedNowAnswer(NowAnswer):
    """`grant`: how many base units more an operator would have to give, where a quota refuses; else null."""

    grant: int | None


class ExplainedAnswer(DenialAnswer):
    """A refusal whole: each rule in its order, `passed`, `failed` or `not_reached`, with its numbers; and now."""

    decision_ids: list[UUID]
    rules: list[dict[str, Any]]
    account: NamedAccountAnswer
    key: UsedKeyNowAnswer | None
    subject: str | None
    time_zone: str
    now: GrantedNowAnswer


class LimitBody(BaseModel):
    """`amount` base units more than the plan gives (`add`), or instead of it (`set`; null is unlimited, 0 nothing).

    Without `meter`, of the one that was refused.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    meter: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    kind: Literal["add", "set"]
    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None


class SimulationBody(BaseModel):
    """What is supposed: that the account had just been put on a plan on sale for 30 days, or given a limit, or both."""

    model_config = ConfigDict(extra="forbid", strict=True)

    plan: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    override: LimitBody | None = None

    @property
    def supposed(self) -> Supposed:
        limit = self.override
        return Supposed(self.plan, None if limit is None else SupposedLimit(limit.meter, limit.kind, limit.amount))


def _filter(
    account_id: Account = None,
    user_id: UUID | None = None,
    code: Code | None = None,
    meter: Sought = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
    q: Sought = None,
) -> DecisionFilter:
    return DecisionFilter(account_id, user_id, code, meter, since, until, q)


@router.get("", responses=problem_responses(*_OPERATES, UserUnknown))
async def search_decisions(
    operator: Annotated[Operator, may("decisions.read")],
    database: CurrentDatabase,
    wanted: Annotated[DecisionFilter, Depends(_filter)],
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: UUID | None = None,
) -> RefusalsAnswer:
    """What was refused to anybody, the newest first; equal ones of a second are one. They come within two seconds.

    `q` is what a customer gives: the id of a request or decision, or the beginning of an API key. `user_id` means
    their personal account.
    """
    async with database.read() as session:
        found = await decisions.search(session, wanted, limit=limit, after=after)
    items = [
        RefusalAnswer.model_validate(
            {**denial_fields(one.denial), "account": one.account, "key": one.key, "subject": one.denial.subject}
        )
        for one in found.items
    ]
    return RefusalsAnswer(items=items, next=found.next)


@router.get("/{decision}", responses=problem_responses(*_ONE))
async def explain_decision(
    decision: str,
    request: Request,
    operator: Annotated[Operator, may("decisions.read")],
    database: CurrentDatabase,
    now: Now,
    account_id: Account = None,
) -> ExplainedAnswer:
    """Why it was refused, and what the same question is answered now; nothing is spent.

    `decision` is a decision's id or a request's, whosever it is. Where requests of several accounts bore one id,
    `account_id` says which is meant.
    """
    engine: Engine = request.app.state.engine
    whose = await _whose(engine, database, decision, account_id)
    found = await explaining.explain(engine, whose, decision, now=now, rates={}, to_operator=True)
    async with database.read() as session:
        accounts = await accounts_named(session, [whose])
    return _explained(found, accounts[whose])


@router.post("/{decision}/simulate", responses=problem_responses(*_ONE, PlanUnknown, MeterUnknown, body=True))
async def simulate_decision(
    decision: str,
    body: SimulationBody,
    request: Request,
    operator: Annotated[Operator, may("decisions.read")],
    database: CurrentDatabase,
    now: Now,
    account_id: Account = None,
) -> GrantedNowAnswer:
    """What the same question would be answered under another plan, or with another limit. Nothing is given or spent."""
    engine: Engine = request.app.state.engine
    whose = await _whose(engine, database, decision, account_id)
    found = await explaining.simulate(engine, whose, decision, body.supposed, now=now)
    return GrantedNowAnswer.model_validate(found)


async def _whose(engine: Engine, database: Database, decision: str, named: str | None) -> AccountId:
    """The account that is named, or else that of the refusal."""
    if named is None:
        return await explaining.account_refused(engine, decision)
    async with database.read() as session:
        return await account_named(session, named)


def _explained(found: Explained, account: NamedAccount) -> ExplainedAnswer:
    return ExplainedAnswer.model_validate(
        {
            **denial_fields(found.denial),
            "decision_ids": found.denial.decision_ids,
            "rules": found.rules,
            "account": account,
            "key": found.key,
            "subject": found.subject,
            "time_zone": found.zone,
            "now": found.now,
        }
    )
