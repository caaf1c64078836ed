"""What the pages of a customer read."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from backend.auth.errors import ScopeMissing
from backend.auth.principal import Principal
from backend.catalog.terms import Catalog, PlanTerms
from backend.db.models import Account, AccountMember, RecoveryCode, User
from backend.db.session import ReadSession
from backend.ratelimit.model import RateVerdict
from backend.subscription import notices
from backend.subscription.entitlements import Entitlements
from backend.subscription.errors import PlanNotFound
from backend.subscription.projection import TRAILING
from backend.subscription.schemas import (
    AccountSchema,
    ImpersonationSchema,
    MeResponse,
    OwnAccountSchema,
    PlanNameSchema,
    RateLimitInfo,
    UsageResponse,
)
from backend.subscription.service import period_usage
from backend.subscription.views import limits_schema, meter_schemas, rate_limit_info, subscription_schema
from backend.usage.model import JOBS_IN_FLIGHT, LEVEL
from backend.usage.repository import read_counters
from backend.usage.series import read_paces

_MOST_ACCOUNTS = 200


async def usage(session: ReadSession, *, entitlements: Entitlements) -> UsageResponse:
    """Usage as of now: the period's record, the limits and every meter."""
    wanted = [(meter.key, entitlements.window(meter)) for meter in entitlements.catalog.meters]
    counters = await read_counters(session, account_id=entitlements.account.id, wanted=wanted)
    counting = [meter.key for meter in entitlements.catalog.meters if meter.kind == "counter"]
    since = entitlements.now - TRAILING
    paces = await read_paces(session, account_id=entitlements.account.id, meters=counting, since=since)
    return UsageResponse(
        usage=await period_usage(session, entitlements),
        limits=limits_schema(entitlements),
        meters=meter_schemas(entitlements, counters, paces, await notices.present(session, entitlements)),
    )


async def rate_limits(
    session: ReadSession, *, entitlements: Entitlements, counted: Mapping[str, RateVerdict]
) -> RateLimitInfo:
    """The account's rate limits as this request left them, and its jobs in flight."""
    account_id, key = entitlements.account.id, (JOBS_IN_FLIGHT, LEVEL)
    counters = await read_counters(session, account_id=account_id, wanted=[key])
    return rate_limit_info(entitlements, in_flight=counters.get((JOBS_IN_FLIGHT, LEVEL.start)), counted=counted)


def plan_on_sale(catalog: Catalog, name: str) -> PlanTerms:
    """The newest version of a plan. Raises PlanNotFound."""
    for plan in catalog.plans:
        if plan.name == name:
            return plan
    raise PlanNotFound("No plan on sale has this name; GET /v1/subscription/plans lists them.")


async def me(session: ReadSession, *, principal: Principal, entitlements: Entitlements) -> MeResponse:
    """The person behind a credential. Raises ScopeMissing for a key that belongs to an account alone."""
    if principal.user_id is None and principal.key_id is not None:
        raise ScopeMissing("This key belongs to an account and to no user; sign in to see one.")
    account = (await session.scalars(select(Account).where(Account.id == entitlements.account.id))).one()
    terms = entitlements.terms
    return MeResponse(
        **await _person(session, principal),
        roles=sorted(principal.roles),
        account=AccountSchema(
            id=account.id,
            external_id=account.external_id,
            kind=account.kind,
            name=account.name,
            time_zone=entitlements.zone.key,
            role=principal.role,
        ),
        accounts=await _accounts(session, principal, account),
        subscription=subscription_schema(entitlements),
        plan=PlanNameSchema(name=terms.name, display_name=terms.display_name),
        impersonation=_impersonation(principal),
    )


def _impersonation(principal: Principal) -> ImpersonationSchema | None:
    if principal.impersonator_id is None or principal.good_until is None:
        return None
    return ImpersonationSchema(
        operator_id=principal.impersonator_id, expires_at=principal.good_until, may_write=principal.may_write
    )


async def _person(session: ReadSession, principal: Principal) -> dict[str, Any]:
    if principal.user_id is None:
        return {
            "kind": principal.kind,
            "id": None,
            "subject": principal.subject,
            "email": None,
            "status": "active",
            "mfa_enabled": False,
            "has_password": False,
            "recovery_codes_left": None,
            **dict.fromkeys(("name", "display_zone", "language", "theme")),
        }
    user = (await session.scalars(select(User).where(User.id == principal.user_id))).one()
    unused = (RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    return {
        "kind": "user",
        "id": user.id,
        "subject": str(user.id),
        "email": user.email,
        "status": user.status,
        "mfa_enabled": user.mfa_enabled,
        "has_password": user.password_hash is not None,
        "recovery_codes_left": await session.scalar(select(func.count()).where(*unused)) if user.mfa_enabled else None,
        "name": user.name,
        "display_zone": user.display_zone,
        "language": user.language,
        "theme": user.theme,
    }


async def _accounts(session: ReadSession, principal: Principal, acting: Account) -> list[OwnAccountSchema]:
    """Those that the caller may name, the acting one first, then by name."""
    if principal.role is None or principal.key_id is not None:
        return []
    who = AccountMember.foreign_subject == principal.subject
    if principal.user_id is not None:
        who = AccountMember.user_id == principal.user_id
    found = [OwnAccountSchema(id=acting.id, kind=acting.kind, name=acting.name, role=principal.role)]
    if principal.kind == "portal":  # a link opens one account
        return found
    rows = await session.execute(
        select(Account, AccountMember.role)
        .join(AccountMember, AccountMember.account_id == Account.id)
        .where(who, AccountMember.removed_at.is_(None), Account.status != "deleted", Account.id != acting.id)
        .order_by(Account.name, Account.id)
        .limit(_MOST_ACCOUNTS)
    )
    others = [
        OwnAccountSchema(id=account.id, kind=account.kind, name=account.name, role=role) for account, role in rows
    ]
    return found + others
