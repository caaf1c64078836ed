"""Every table of the product, one class a file."""

from backend.db.models.account import Account
from backend.db.models.account_member import AccountMember
from backend.db.models.account_override import AccountOverride
from backend.db.models.allowance import Allowance
from backend.db.models.api_key import ApiKey
from backend.db.models.audit_event import AuditEvent
from backend.db.models.audit_seal import AuditSeal
from backend.db.models.bulk_action import BulkAction, BulkActionUser
from backend.db.models.catalog_state import CatalogState
from backend.db.models.denial import Denial
from backend.db.models.email_verification import EmailVerification
from backend.db.models.idempotency_key import IdempotencyKey
from backend.db.models.journal_position import JournalPosition
from backend.db.models.meter import Meter
from backend.db.models.meter_usage import MeterUsage
from backend.db.models.outbox_message import OutboxMessage
from backend.db.models.outgoing_mail import OutgoingMail
from backend.db.models.password_reset import PasswordReset
from backend.db.models.plan_price import PlanPrice
from backend.db.models.plan_quota import PlanQuota
from backend.db.models.plan_version import PlanVersion
from backend.db.models.portal_link import PortalLink
from backend.db.models.rate_limit_state import RateLimitState
from backend.db.models.recovery_code import RecoveryCode
from backend.db.models.replaced_secret import ReplacedSecret
from backend.db.models.retired_part import RetiredPart
from backend.db.models.role import Role
from backend.db.models.session import Session
from backend.db.models.sign_in_attempt import SignInAttempt
from backend.db.models.sign_in_challenge import SignInChallenge
from backend.db.models.sign_in_link import SignInLink
from backend.db.models.spend_store import SpendStore
from backend.db.models.stored_spend import StoredSpend
from backend.db.models.subscription_period import SubscriptionPeriod
from backend.db.models.subscription_plan import SubscriptionPlan
from backend.db.models.subscription_schedule import SubscriptionSchedule
from backend.db.models.totp_secret import TotpSecret
from backend.db.models.usage_event import UsageEvent
from backend.db.models.usage_event_key import UsageEventKey
from backend.db.models.usage_hold import UsageHold
from backend.db.models.usage_notice import UsageNotice, UsageNoticeDue
from backend.db.models.usage_rollup import UsageRollup
from backend.db.models.user import User
from backend.db.models.user_note import UserNote
from backend.db.models.user_role import UserRole
from backend.db.models.user_subscription import UserSubscription
from backend.db.models.user_usage import UserUsage

__all__ = [
    "Account",
    "AccountMember",
    "AccountOverride",
    "Allowance",
    "ApiKey",
    "AuditEvent",
    "AuditSeal",
    "BulkAction",
    "BulkActionUser",
    "CatalogState",
    "Denial",
    "EmailVerification",
    "IdempotencyKey",
    "JournalPosition",
    "Meter",
    "MeterUsage",
    "OutboxMessage",
    "OutgoingMail",
    "PasswordReset",
    "PlanPrice",
    "PlanQuota",
    "PlanVersion",
    "PortalLink",
    "RateLimitState",
    "RecoveryCode",
    "ReplacedSecret",
    "RetiredPart",
    "Role",
    "Session",
    "SignInAttempt",
    "SignInChallenge",
    "SignInLink",
    "SpendStore",
    "StoredSpend",
    "SubscriptionPeriod",
    "SubscriptionPlan",
    "SubscriptionSchedule",
    "TotpSecret",
    "UsageEvent",
    "UsageEventKey",
    "UsageHold",
    "UsageNotice",
    "UsageNoticeDue",
    "UsageRollup",
    "User",
    "UserNote",
    "UserRole",
    "UserSubscription",
    "UserUsage",
]
