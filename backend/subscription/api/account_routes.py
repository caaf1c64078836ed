"""/v1/accounts: what a host application tells of its customers, by its own ids."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from backend.auth.api.deps import CurrentPrincipal, CurrentSettings, Now, PublicRead, SystemWrite
from backend.auth.api.schemas import Message
from backend.auth.errors import (
    AccountUnknown,
    MemberUnknown,
    ScopeMissing,
    TimeZoneFixed,
    Unauthenticated,
)
from backend.auth.principal import Principal, Role
from backend.auth.service.host_accounts import (
    EXTERNAL_ID,
    SUBJECT,
    AccountChange,
    find_account,
    put_member,
    remove_member,
)
from backend.auth.service.portal import make_portal_link
from backend.auth.service.profile import ensure_zone
from backend.core.problem import StrictRoute, problem_responses
from backend.subscription import accounts
from backend.subscription.api.deps import CurrentCatalogs
from backend.subscription.schemas import HostAccountSchema, MemberSchema, PortalSessionSchema

router = APIRouter(prefix="/v1/accounts", tags=["Accounts"], route_class=StrictRoute)

SCOPE = "accounts:create"

ExternalId = Annotated[str, Path(pattern=f"^{EXTERNAL_ID}$", description="The id that the host application gave.")]
Subject = Annotated[str, Path(pattern=f"^{SUBJECT}$", description="Of a trusted issuer, or the id of a user.")]

# The subject is the rest of the path: issuers give out addresses, too.
_MEMBER = "/{external_id}/members/{subject:path}"

_HOST = (Unauthenticated, ScopeMissing)
_KNOWN = (*_HOST, AccountUnknown)


def _host(principal: CurrentPrincipal) -> Principal:
    """The host application itself, or an operator. Said before any id is looked up."""
    may = SCOPE in principal.scopes if principal.kind == "service_key" else "superadmin" in principal.roles
    if not may:
        raise ScopeMissing(f"This needs a service key with the scope {SCOPE}.", scope=SCOPE)
    return principal


_ONLY_HOST = [Depends(_host)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AccountBody(_Body):
    """What is left out stays as it is; of a new account the name is its external id, and the kind a team."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")] | None = None
    kind: Literal["personal", "team"] | None = None
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    metadata: Annotated[dict[str, Any], Field(max_length=50)] | None = None


class MemberBody(_Body):
    """What the member may do: owner and admin everything, developer spend, billing pay, viewer read."""

    role: Role


class PortalBody(_Body):
    """For whom: a member, in their role; left out, somebody with the rights of the owner."""

    subject: Annotated[str, Field(pattern=f"^{SUBJECT}$")] | None = None


@router.put("/{external_id}", dependencies=_ONLY_HOST, responses=problem_responses(*_HOST, TimeZoneFixed, body=True))
async def put_account(
    external_id: ExternalId,
    body: AccountBody,
    session: SystemWrite,
    catalogs: CurrentCatalogs,
    now: Now,
) -> HostAccountSchema:
    """Creates an account on the default plan, or changes it."""
    if body.time_zone is not None:
        ensure_zone(body.time_zone, field="time_zone")
    change = AccountChange(body.name, body.kind, body.time_zone, body.metadata)
    return await accounts.save(session, external_id=external_id, change=change, catalogs=catalogs, now=now)


@router.get("/{external_id}", dependencies=_ONLY_HOST, responses=problem_responses(*_KNOWN))
async def read_account(
    external_id: ExternalId, session: PublicRead, catalogs: CurrentCatalogs, now: Now
) -> HostAccountSchema:
    """One account with its plan and its members."""
    return await accounts.show(session, external_id=external_id, catalogs=catalogs, now=now)


@router.delete("/{external_id}", dependencies=_ONLY_HOST, responses=problem_responses(*_KNOWN))
async def delete_account(external_id: ExternalId, session: SystemWrite, catalogs: CurrentCatalogs, now: Now) -> Message:
    """Ends what the account subscribes to, its sessions and keys. Its usage is kept; its external id is free again."""
    await accounts.delete(session, external_id=external_id, catalogs=catalogs, now=now)
    return Message(message="The account is deleted.")


@router.put(_MEMBER, dependencies=_ONLY_HOST, responses=problem_responses(*_KNOWN, body=True))
async def put_account_member(
    external_id: ExternalId, subject: Subject, body: MemberBody, session: SystemWrite
) -> MemberSchema:
    """Gives somebody a role in the account, or another one."""
    account = await find_account(session, external_id=external_id, lock=True)
    member = await put_member(session, account_id=account.id, subject=subject, role=body.role)
    return MemberSchema(subject=member.subject, role=member.role)


@router.delete(_MEMBER, dependencies=_ONLY_HOST, responses=problem_responses(*_KNOWN, MemberUnknown))
async def delete_account_member(external_id: ExternalId, subject: Subject, session: SystemWrite, now: Now) -> Message:
    """From now on they may do nothing in the account, whatever their issuer says, until they are given a role again."""
    account = await find_account(session, external_id=external_id, lock=True)
    await remove_member(session, account_id=account.id, subject=subject, now=now)
    return Message(message="The member is removed.")


@router.post(
    "/{external_id}/portal-session",
    dependencies=_ONLY_HOST,
    responses=problem_responses(*_KNOWN, MemberUnknown, body=True),
)
async def open_portal(
    external_id: ExternalId,
    session: SystemWrite,
    settings: CurrentSettings,
    now: Now,
    body: PortalBody | None = None,
) -> PortalSessionSchema:
    """A link into the customer's rooms, without a sign-up: it works once, within five minutes.

    The session that it opens ends after twelve hours, or with the member or the account.
    """
    account = await find_account(session, external_id=external_id)
    subject = body.subject if body else None
    link = await make_portal_link(session, account_id=account.id, subject=subject, now=now)
    return PortalSessionSchema(
        url=f"{settings.frontend_base_url}/portal?token={link.token}", expires_at=link.expires_at
    )
