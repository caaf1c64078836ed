"""Accounts of a host application, with what is granted to them."""

from datetime import datetime

from backend.auth.errors import AccountUnknown
from backend.auth.service.host_accounts import AccountChange, find_account, mark_deleted, members_of, put_account
from backend.catalog.service import Catalogs
from backend.db.models import Account
from backend.db.session import ReadSession, SystemSession
from backend.subscription.change import end_subscription
from backend.subscription.entitlements import resolve
from backend.subscription.schemas import HostAccountSchema, MemberSchema, PlanNameSchema


async def save(
    session: SystemSession, *, external_id: str, change: AccountChange, catalogs: Catalogs, now: datetime
) -> HostAccountSchema:
    """Creates or changes an account. Raises TimeZoneFixed."""
    account = await put_account(session, external_id=external_id, change=change, now=now)
    return await _shown(session, account, catalogs, now)


async def show(session: ReadSession, *, external_id: str, catalogs: Catalogs, now: datetime) -> HostAccountSchema:
    """Raises AccountUnknown."""
    return await _shown(session, await find_account(session, external_id=external_id), catalogs, now)


async def delete(session: SystemSession, *, external_id: str, catalogs: Catalogs, now: datetime) -> None:
    """Ends what the account subscribes to and frees its external id. Usage is kept. Raises AccountUnknown."""
    account = await find_account(session, external_id=external_id, lock=True)
    await end_subscription(session, account_id=account.id, catalogs=catalogs, now=now)
    await mark_deleted(session, account=account, now=now)


async def _shown(session: ReadSession, account: Account, catalogs: Catalogs, now: datetime) -> HostAccountSchema:
    entitlements = await resolve(session, account_id=account.id, catalogs=catalogs, now=now)
    if entitlements is None or account.external_id is None:
        raise AccountUnknown("No account has this external id.")
    members = await members_of(session, account_id=account.id)
    return HostAccountSchema.model_validate(
        {
            "id": account.id,
            "external_id": account.external_id,
            "name": account.name,
            "kind": account.kind,
            "time_zone": account.billing_zone,
            "metadata": account.extra,
            "status": account.status,
            "plan": PlanNameSchema(name=entitlements.terms.name, display_name=entitlements.terms.display_name),
            "members": [MemberSchema(subject=member.subject, role=member.role) for member in members],
            "created_at": account.created_at,
        }
    )
