"""/v1/admin/users: who they are, and what operators do to them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from backend.admin import users
from backend.admin.acts import Acts
from backend.admin.api.deps import Page, PageSize, Sought, may
from backend.admin.api.schemas import (
    AssignmentAnswer,
    ClearedAnswer,
    DeletionAnswer,
    EditBody,
    ImpersonateBody,
    ImpersonationAnswer,
    LockBody,
    MembershipAnswer,
    NoteAnswer,
    PlanBody,
    RevokedAnswer,
    RolesAnswer,
    RolesBody,
    Status,
    UserAnswer,
    UserKeyAnswer,
    UserPageAnswer,
    UserRowAnswer,
    UserSessionAnswer,
)
from backend.admin.deletion import deletion_of
from backend.admin.errors import NoOperator, SecondFactorNeeded, StateConflict, TargetProtected
from backend.admin.impersonation import Impersonating
from backend.admin.notes import notes_of
from backend.admin.operator import Operator
from backend.admin.permissions import OperatorRole
from backend.admin.users import Sort, UserFilter
from backend.auth.api.deps import CurrentDatabase, CurrentSettings, Now, SystemWrite
from backend.auth.api.routes import UserAgent
from backend.auth.api.schemas import Message
from backend.auth.api.services import ClientAddress
from backend.auth.errors import EmailTaken, SecondFactorMissing, Unauthenticated, UserUnknown
from backend.auth.service.keys_service import MOST_KEYS, list_keys
from backend.auth.service.sessions import Device, live_sessions
from backend.core.problem import StrictRoute, problem_responses
from backend.db.models import User
from backend.db.session import ReadSession
from backend.enforcement.api.decision_routes import DenialAnswer, denial_fields
from backend.ratelimit.model import account_subject, key_subject
from backend.subscription import reading
from backend.subscription.api.deps import CurrentCatalogs
from backend.subscription.errors import PlanUnknown
from backend.subscription.service import entitlements_of
from backend.subscription.views import plan_schema, subscription_schema
from backend.usage import denial_log
from backend.usage.denial_log import DenialFilter

router = APIRouter(prefix="/v1/admin/users", tags=["Operators"], route_class=StrictRoute)

_OPERATES = (Unauthenticated, NoOperator, SecondFactorNeeded)
_CHANGES = (*_OPERATES, UserUnknown, TargetProtected)
_NEWEST = 20


@router.get("", responses=problem_responses(*_OPERATES))
async def list_users(
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    catalogs: CurrentCatalogs,
    q: Sought = None,
    status: Status | None = None,
    plan: Sought = None,
    role: OperatorRole | None = None,
    sort: Sort = "-created_at",
    page: Page = 1,
    page_size: PageSize = 20,
) -> UserPageAnswer:
    """Users, the newest first. `q` is part of an address or name, or an id; deleted ones are asked for by `status`."""
    wanted = UserFilter(q=q, status=status, plan=plan, role=role)
    async with database.read() as session:
        default = (await catalogs.current(session)).default.name
        found = await users.list_users(session, wanted, sort=sort, page=page, page_size=page_size, default_plan=default)
    return UserPageAnswer(
        page=page,
        page_size=page_size,
        total=found.total,
        total_is_exact=found.total_is_exact,
        items=[UserRowAnswer.model_validate(row) for row in found.items],
    )


@router.get("/{user_id}", responses=problem_responses(*_OPERATES, UserUnknown))
async def read_user(
    user_id: UUID,
    request: Request,
    operator: Annotated[Operator, may("users.read")],
    database: CurrentDatabase,
    catalogs: CurrentCatalogs,
    now: Now,
) -> UserAnswer:
    """One user whole: subscription, usage, sessions, keys, and the newest notes and refusals."""
    async with database.read() as session:
        user = await users.find(session, user_id)
        account_id = user.personal_account_id
    if user.deleted_at is None:
        await request.app.state.treasury.settle_account(account_id)
    async with database.read() as session:
        return await _whole(session, user, catalogs, now)


async def _whole(session: ReadSession, user: User, catalogs: CurrentCatalogs, now: Now) -> UserAnswer:
    default = (await catalogs.current(session)).default.name
    row = await users.row_of(session, user, default_plan=default)
    entitlements = await entitlements_of(session, user.id, now=now) if user.deleted_at is None else None
    present = {"plan": entitlements.terms.name} if entitlements else {}  # a row may wait for its end to be written
    noted, _ = await notes_of(session, user.id, limit=_NEWEST)
    refused = await denial_log.newest(session, user.personal_account_id, DenialFilter(), limit=_NEWEST)
    return UserAnswer(
        **{**UserRowAnswer.model_validate(row).model_dump(), **present},
        email_verified_at=user.email_verified_at,
        deleted_at=user.deleted_at,
        subscription=subscription_schema(entitlements) if entitlements else None,
        plan_terms=plan_schema(entitlements.terms, entitlements.catalog) if entitlements else None,
        usage=await reading.usage(session, entitlements=entitlements) if entitlements else None,
        sessions=[
            UserSessionAnswer.model_validate(one) for one in await live_sessions(session, user_id=user.id, now=now)
        ],
        denials=[DenialAnswer.model_validate(denial_fields(denial)) for denial in refused.items],
        notes=[NoteAnswer.model_validate(note) for note in noted],
        keys=[
            UserKeyAnswer.model_validate(one.row)
            for one in await list_keys(session, account_id=user.personal_account_id, most=MOST_KEYS, now=now)
        ],
    )


@router.patch("/{user_id}", responses=problem_responses(*_CHANGES, StateConflict, EmailTaken, body=True))
async def edit_user(
    user_id: UUID,
    body: EditBody,
    request: Request,
    operator: Annotated[Operator, may("users.edit")],
    session: SystemWrite,
    now: Now,
) -> Message:
    """Changes the name of a user, or their address, which they confirm before they sign in again.

    The old address is told, and nothing that was sent there works any more.
    """
    if "email" in body.model_fields_set:
        operator.ensure("users.address")
    acts = Acts(session, operator, now)
    user = await acts.find(user_id)
    if "email" in body.model_fields_set:
        assert body.email is not None  # null is refused
        user = await acts.change_address(user_id, body.email, request.app.state.confirmations)
    if "name" in body.model_fields_set:
        user = await acts.rename(user_id, body.name)
    return Message(message=f"{user.email} is up to date.")


@router.delete("/{user_id}", responses=problem_responses(*_CHANGES))
async def delete_user(
    user_id: UUID,
    operator: Annotated[Operator, may("users.delete")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
    reason: Annotated[str | None, Query(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")] = None,
) -> Message:
    """Ends a user: sessions, keys, subscription, memberships. Their address is free; usage stays.

    `reason` is for the audit log, which also keeps what went along.
    """
    await Acts(session, operator, now).delete(user_id, catalogs, reason)
    return Message(message="The user is deleted, and their address is free.")


@router.get("/{user_id}/deletion", responses=problem_responses(*_OPERATES, UserUnknown))
async def preview_deletion(
    user_id: UUID, operator: Annotated[Operator, may("users.delete")], database: CurrentDatabase, now: Now
) -> DeletionAnswer:
    """What the deletion of a user takes along, as of now; nothing is changed."""
    async with database.read() as session:
        user = await users.find(session, user_id, deleted=False)
        found = await deletion_of(session, user, now=now)
        entitlements = await entitlements_of(session, user.id, now=now)
    return DeletionAnswer(
        sessions=found.sessions,
        keys=found.keys,
        plan=entitlements.terms.name,
        subscription=subscription_schema(entitlements),
        open_reservations=found.open_reservations,
        members_who_lose_access=found.members_who_lose_access,
        memberships=found.memberships,
        accounts=[MembershipAnswer.model_validate(account) for account in found.accounts],
    )


@router.post("/{user_id}/lock", responses=problem_responses(*_CHANGES, StateConflict, body=True))
async def lock_user(
    user_id: UUID, body: LockBody, operator: Annotated[Operator, may("users.lock")], session: SystemWrite, now: Now
) -> Message:
    """Keeps a user out, at once and everywhere: their sessions end, their keys rest."""
    user = await Acts(session, operator, now).lock(user_id, body.reason)
    return Message(message=f"{user.email} is locked.")


@router.post("/{user_id}/unlock", responses=problem_responses(*_CHANGES, StateConflict))
async def unlock_user(
    user_id: UUID, operator: Annotated[Operator, may("users.lock")], session: SystemWrite, now: Now
) -> Message:
    """Lets a locked user sign in again."""
    user = await Acts(session, operator, now).unlock(user_id)
    return Message(message=f"{user.email} may sign in again.")


@router.post("/{user_id}/roles", responses=problem_responses(*_CHANGES, body=True))
async def set_roles(
    user_id: UUID, body: RolesBody, operator: Annotated[Operator, may("users.roles")], session: SystemWrite, now: Now
) -> RolesAnswer:
    """Gives exactly these operator roles, and takes all others away."""
    return RolesAnswer(roles=await Acts(session, operator, now).set_roles(user_id, body.roles))


@router.post("/{user_id}/reset-2fa", responses=problem_responses(*_CHANGES, SecondFactorMissing))
async def reset_second_factor(
    user_id: UUID,
    request: Request,
    operator: Annotated[Operator, may("users.second_factor")],
    session: SystemWrite,
    now: Now,
) -> Message:
    """Turns two-factor sign-in off, for who has lost the authenticator and the recovery codes."""
    await Acts(session, operator, now).reset_second_factor(user_id, request.app.state.second_factor)
    return Message(message="Two-factor sign-in is off.")


@router.post("/{user_id}/resend-verification", responses=problem_responses(*_CHANGES, StateConflict))
async def resend_verification(
    user_id: UUID, request: Request, operator: Annotated[Operator, may("users.edit")], session: SystemWrite, now: Now
) -> Message:
    """Mails a user who is not confirmed yet a new link; the one before it stops working."""
    await Acts(session, operator, now).resend_verification(user_id, request.app.state.confirmations)
    return Message(message="A message with a new link is on its way.")


@router.post("/{user_id}/revoke-sessions", responses=problem_responses(*_CHANGES))
async def revoke_sessions(
    user_id: UUID, operator: Annotated[Operator, may("users.sessions")], session: SystemWrite, now: Now
) -> RevokedAnswer:
    """Signs a user out everywhere."""
    return RevokedAnswer(revoked_count=await Acts(session, operator, now).revoke_sessions(user_id))


@router.post("/{user_id}/clear-rate-limits", responses=problem_responses(*_CHANGES))
async def clear_rate_limits(
    user_id: UUID,
    request: Request,
    operator: Annotated[Operator, may("users.edit")],
    database: CurrentDatabase,
    now: Now,
) -> ClearedAnswer:
    """Fills the rate limits of a user's account and its keys, and forgets failed sign-ins."""
    async with database.system() as session:
        user = await Acts(session, operator, now).clear_sign_in_limits(user_id)
        keys = await list_keys(session, account_id=user.personal_account_id, most=MOST_KEYS, now=now)
    subjects = [account_subject(user.personal_account_id), *(key_subject(key.row.id) for key in keys)]
    return ClearedAnswer(cleared_count=sum([await request.app.state.rates.clear(subject) for subject in subjects]))


@router.post("/{user_id}/impersonate", responses=problem_responses(*_CHANGES, StateConflict, body=True))
async def impersonate(
    user_id: UUID,
    body: ImpersonateBody,
    request: Request,
    response: Response,
    operator: Annotated[Operator, may("users.impersonate")],
    session: SystemWrite,
    settings: CurrentSettings,
    address: ClientAddress,
    now: Now,
    user_agent: UserAgent = None,
) -> ImpersonationAnswer:
    """Begins to act as a user, for half an hour: looks at what they see, or with `write` uses it for them.

    Payment, sign-in, keys and the back office stay closed. Nobody acts as an operator.
    """
    acting = Impersonating(session, operator, request.app.state.sessions, settings, now)
    begun = await acting.begin(user_id, access=body.access, reason=body.reason, device=Device(user_agent, address))
    response.headers["Cache-Control"] = "no-store"
    return ImpersonationAnswer.model_validate(begun)


@router.post("/{user_id}/upgrade-plan", responses=problem_responses(*_CHANGES, PlanUnknown, body=True))
async def upgrade_plan(
    user_id: UUID,
    body: PlanBody,
    operator: Annotated[Operator, may("plans.assign")],
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> AssignmentAnswer:
    """Puts a user's account on a plan from now on, without a trial and without a charge."""
    made = await Acts(session, operator, now).upgrade_plan(user_id, body.plan_name, body.duration_days, catalogs)
    return AssignmentAnswer.model_validate(made)
