"""/v1/admin/overrides and /v1/admin/accounts/{account_id}/overrides: limits beside plans, of any account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from backend.admin.accounts import account_named
from backend.admin.api.deps import Page, PageSize, Sought, may
from backend.admin.api.override_routes import GivenAnswer, GivenPageAnswer, OverrideBody, given_answers, given_fields
from backend.admin.api.schemas import NamedAccountAnswer
from backend.admin.errors import NoOperator, SecondFactorNeeded, TargetProtected
from backend.admin.given import GivenFilter, list_given
from backend.admin.operator import Operator
from backend.admin.overrides import Giving
from backend.auth.api.deps import CurrentDatabase, Now, SystemWrite
from backend.auth.errors import AccountUnknown, Unauthenticated
from backend.catalog.errors import MeterUnknown
from backend.core.problem import StrictRoute, problem_responses
from backend.subscription.api.deps import CurrentCatalogs
from backend.subscription.errors import OverrideOver, OverridesFull, OverrideUnknown
from backend.subscription.overrides import State, list_of

router = APIRouter(prefix="/v1/admin", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded)
_CHANGES = (*_OPERATES, AccountUnknown, TargetProtected)
AccountNamed = Annotated[
    str, Path(max_length=210, description="An id, or `external:` and the host application's own id.")
]


class GivenToAnswer(GivenAnswer):
    """An override with whose it is."""

    account: NamedAccountAnswer


class GivenToPageAnswer(GivenPageAnswer):
    """A page of all that anybody was ever given, the newest first. Where `total_is_exact` is false there are at
    least `total`."""

    items: list[GivenToAnswer]  # type: ignore[assignment]  # a list of more is read only
    total_is_exact: bool


@router.get("/overrides", responses=problem_responses(*_OPERATES))
async def list_all_overrides(
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    now: Now,
    state: State | None = None,
    meter: Sought = None,
    q: Sought = None,
    page: Page = 1,
    page_size: PageSize = 20,
) -> GivenToPageAnswer:
    """All limits that anybody was ever given beside a plan's, the newest first.

    `q` is part of a user's address, or of the name of an account that was given one of the newest 20,000; or an
    `external:` id, or the id of an account, a user or an override.
    """
    async with database.read() as session:
        wanted = GivenFilter(state, meter, q)
        found = await list_given(session, wanted, now=now, page=page, page_size=page_size)
    items = [
        GivenToAnswer.model_validate({**given_fields(one.granted, one.by), "account": one.account})
        for one in found.items
    ]
    return GivenToPageAnswer(
        page=page, page_size=page_size, total=found.total, total_is_exact=found.total_is_exact, items=items
    )


@router.get("/accounts/{account_id}/overrides", responses=problem_responses(*_OPERATES, AccountUnknown))
async def list_account_overrides(
    account_id: AccountNamed,
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    now: Now,
    page: Page = 1,
    page_size: PageSize = 20,
) -> GivenPageAnswer:
    """All limits that an account was ever given beside its plan's, the newest first."""
    async with database.read() as session:
        whose = await account_named(session, account_id)
        offset = (page - 1) * page_size
        rows, total = await list_of(session, account_id=whose, now=now, limit=page_size, offset=offset)
        items = await given_answers(session, rows)
    return GivenPageAnswer(page=page, page_size=page_size, total=total, items=items)


@router.post(
    "/accounts/{account_id}/overrides",
    status_code=201,
    responses=problem_responses(*_CHANGES, MeterUnknown, OverridesFull, body=True),
)
async def grant_account_override(
    account_id: AccountNamed,
    body: OverrideBody,
    operator: Annotated[Operator, may("overrides.write")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> GivenAnswer:
    """Gives an account another limit, in every process within a second; of a user's own as for the user."""
    giving = Giving(session, operator, catalogs, now)
    made = await giving.grant(await giving.of_account(account_id), **dict(body))
    return (await given_answers(session, [made]))[0]


@router.delete(
    "/accounts/{account_id}/overrides/{override_id}",
    responses=problem_responses(*_CHANGES, OverrideUnknown, OverrideOver),
)
async def take_account_override_back(
    account_id: AccountNamed,
    override_id: UUID,
    operator: Annotated[Operator, may("overrides.write")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> GivenAnswer:
    """Ends an override now, or keeps it from beginning. It stays in the list."""
    giving = Giving(session, operator, catalogs, now)
    ended = await giving.take_back(await giving.of_account(account_id), override_id)
    return (await given_answers(session, [ended]))[0]
