"""Bodies and answers of the back office."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from backend.admin.audit_log import AuditLine
from backend.admin.permissions import OperatorRole, Permission
from backend.auth.api.schemas import Email
from backend.enforcement.api.decision_routes import DenialAnswer
from backend.subscription.change import USUAL_DAYS
from backend.subscription.schemas import SubscriptionPlanSchema, UsageResponse, UserSubscriptionSchema

Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
Status = Literal["unverified", "active", "suspended", "deleted"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class EditBody(_Body):
    """What an operator may change of a user. What is left out stays."""

    email: Email | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @field_validator("email")
    @classmethod
    def _stays(cls, value: str | None) -> str:
        if value is None:
            raise ValueError("an address can be changed, not taken away")
        return value


class LockBody(_Body):
    """Why the user is kept out; it is written into the audit log."""

    reason: Reason


class RolesBody(_Body):
    """All operator roles that the user has from now on; none makes them an ordinary user."""

    roles: Annotated[list[OperatorRole], Field(max_length=5)]


class ImpersonateBody(_Body):
    """Why, for the audit log, and whether to look only or to use the account as well."""

    reason: Reason
    access: Literal["read", "write"] = "read"


class PlanBody(_Body):
    """A plan on sale, from now on for so many days."""

    plan_name: Annotated[str, Field(min_length=1, max_length=100)]
    duration_days: Annotated[int, Field(ge=1, le=3_660)] = USUAL_DAYS


class OperatorAnswer(BaseModel):
    """The operator who asks, and all that their roles allow."""

    user_id: UUID
    email: str
    roles: list[str]
    permissions: list[Permission]


class UserRowAnswer(_Answer):
    """One user in a list. `account_id` is their personal account, `plan` the one in force there."""

    id: UUID
    email: str
    name: str | None
    status: Status
    mfa_enabled: bool
    roles: list[str]
    account_id: UUID
    plan: str
    created_at: datetime
    last_login_at: datetime | None


class UserPageAnswer(_Answer):
    """A page of users. Where `total_is_exact` is false there are at least `total`."""

    page: int
    page_size: int
    total: int
    total_is_exact: bool
    items: list[UserRowAnswer]


class UserSessionAnswer(_Answer):
    """One place where the user is signed in; with `impersonator_id` it is that operator, who acts as them."""

    id: UUID
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    impersonator_id: UUID | None


class UserKeyAnswer(_Answer):
    """One key of the user's personal account that is not revoked; `prefix` is its beginning."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NoteAnswer(_Answer):
    """A note; `author` is the address of the operator `created_by`."""

    id: UUID
    text: str
    created_by: UUID
    author: str
    created_at: datetime


class UserAnswer(UserRowAnswer):
    """One user whole. Of a deleted user `plan_terms` and `usage` are null: their account grants nothing."""

    email_verified_at: datetime | None
    deleted_at: datetime | None
    subscription: UserSubscriptionSchema | None
    plan_terms: SubscriptionPlanSchema | None
    usage: UsageResponse | None
    sessions: list[UserSessionAnswer]
    keys: list[UserKeyAnswer]
    notes: list[NoteAnswer]
    denials: list[DenialAnswer]


class ImpersonationAnswer(_Answer):
    """What requests as the user are signed with, until `expires_at`. It cannot be renewed; sign out to end it."""

    session_id: UUID
    access_token: str
    expires_at: datetime


class MembershipAnswer(_Answer):
    """A role in the account of somebody else; where `is_only_member`, nobody is left to act for that account."""

    account_id: UUID
    account_name: str
    role: str
    is_only_member: bool


class DeletionAnswer(_Answer):
    """What a deletion ends, before it is done; no number is beyond 10,000.

    `plan` and `subscription` (null on the default plan), `open_reservations` and `members_who_lose_access` are those of
    the personal account. `memberships` are roles elsewhere; `accounts` are the first hundred of them, those that are
    left without anybody first.
    """

    sessions: int
    keys: int
    plan: str
    subscription: UserSubscriptionSchema | None
    open_reservations: int
    members_who_lose_access: int
    memberships: int
    accounts: list[MembershipAnswer]


class RolesAnswer(BaseModel):
    """The operator roles of the user."""

    roles: list[str]


class RevokedAnswer(BaseModel):
    """How many sessions ended."""

    revoked_count: int


class ClearedAnswer(BaseModel):
    """How many rate limits of the user's account and keys are full again; failed sign-ins are forgotten beside."""

    cleared_count: int


class AssignmentAnswer(_Answer):
    """The plan that the user's account has now. On the default plan the last two are null."""

    plan_name: str
    status: str
    subscription_id: UUID | None
    expires_at: datetime | None


class NamedAccountAnswer(_Answer):
    """An account. `user_id` is whose personal one it is; null for a host application's, or a deleted user's."""

    id: UUID
    name: str
    external_id: str | None
    status: Literal["active", "suspended", "deleted"]
    user_id: UUID | None


class StatisticsAnswer(BaseModel):
    """The platform in numbers, as of `as_of`: at most a minute old where there are over 10,000 users.

    `mrr_cents` is what live subscriptions bring in a month by their prices, in minor units of the catalog's currency,
    a year's price spread over twelve months; plans that an operator assigned bring nothing.
    """

    as_of: datetime
    total_users: int
    active_users: int
    unverified_users: int
    suspended_users: int
    superadmins: int
    users_with_mfa: int
    total_sessions: int
    active_sessions: int
    subscriptions_by_plan: dict[str, int]
    total_active_subscriptions: int
    total_api_calls: int
    total_jobs_created: int
    total_storage_mb: int
    mrr_cents: int
    mrr_by_currency: dict[str, int]


class AuditEventAnswer(_Answer):
    """One act. `real_actor_id` is who acted where they did so as somebody else; `seal` is null for a second or two.

    Addresses are those that the users have now, null for commands and for what is no user.
    """

    id: UUID
    at: datetime
    action: str
    actor_kind: Literal["user", "command", "system"]
    actor_id: UUID | None
    real_actor_id: UUID | None
    target_kind: str | None
    target_id: str | None
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None
    request_id: str | None
    seal: int | None
    actor_email: str | None
    real_actor_email: str | None
    target_email: str | None


def audit_event(line: AuditLine) -> AuditEventAnswer:
    emails = {name: getattr(line, name) for name in ("actor_email", "real_actor_email", "target_email")}
    names = AuditEventAnswer.model_fields.keys() - emails.keys()
    return AuditEventAnswer.model_validate({**{name: getattr(line.event, name) for name in names}, **emails})


class AuditPageAnswer(BaseModel):
    """A page of the audit log, the newest first. Where `total_is_exact` is false there are at least `total`."""

    page: int
    page_size: int
    total: int
    total_is_exact: bool
    items: Sequence[AuditEventAnswer]
