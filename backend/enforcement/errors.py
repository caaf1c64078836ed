"""Refusals. Each carries its decision; nothing was spent."""

from typing import Any

from feature_platform.core.decision import Decision

from backend.auth.principal import Principal
from backend.core.errors import PlatformError
from backend.subscription.entitlements import Entitlements


class AccountSuspended(PlatformError):
    """An operator has suspended the account."""

    code = "account_suspended"
    status = 403
    title = "This account is suspended"

    def __init__(self, entitlements: Entitlements, principal: Principal | None = None) -> None:
        super().__init__("An operator has suspended this account; ask them why.")
        self.entitlements = entitlements
        self.principal = principal


class ImpersonationLocked(PlatformError):
    """An operator who acts as a user does not pay, change how they sign in, or make keys for them."""

    code = "impersonation_locked"
    status = 403
    title = "Not while you act as somebody else"


class ImpersonationReadOnly(PlatformError):
    """An operator who acts as a user only looks, unless more was granted."""

    code = "impersonation_read_only"
    status = 403
    title = "You only look"


class AddressDenied(PlatformError):
    """The address is on the deny list."""

    code = "address_denied"
    status = 403
    title = "This address is not served"


class HeadersTooLarge(PlatformError):
    """The header fields of the request are too large together."""

    code = "headers_too_large"
    status = 431
    title = "The headers are too large"


class OutcomeUnknown(PlatformError):
    """The connection broke at the commit: it is open whether the amount was spent."""

    code = "outcome_unknown"
    status = 503
    title = "It is open whether this was spent"


class DecisionUnknown(PlatformError):
    """No refusal of the account is kept under this id."""

    code = "decision_unknown"
    status = 404
    title = "No such refusal"


class DecisionAmbiguous(PlatformError):
    """Refusals of several accounts have this request's id; `decisions` are the newest of each."""

    code = "decision_ambiguous"
    status = 409
    title = "Whose refusal is meant?"


class FeatureNotInPlan(PlatformError):
    """The plan lacks a feature that this needs."""

    code = "feature_not_in_plan"
    status = 403
    title = "Your plan does not include this"


class RateLimited(PlatformError):
    """Too many requests in too short a time."""

    code = "rate_limited"
    status = 429
    title = "Too many requests"


class QuotaExceeded(PlatformError):
    """The plan's amount is used up: upgrade, raise the cap or wait."""

    code = "quota_exceeded"
    status = 402
    title = "The plan's limit is reached"


class QuotaExceededTooMany(QuotaExceeded):
    """The same where the setting QUOTA_STATUS is 429, for clients that know no 402."""

    status = 429


class ConcurrencyLimited(PlatformError):
    """As many jobs are in flight as the plan allows."""

    code = "concurrency_limited"
    status = 429
    title = "Too many jobs in flight"


class TooManyStreams(ConcurrencyLimited):
    """As many live views of one account are open as there may be, or of one operator who acts as users."""

    title = "Too many live views are open"


_OF_CODE: dict[str, type[PlatformError]] = {
    "concurrency_limited": ConcurrencyLimited,
    "feature_not_in_plan": FeatureNotInPlan,
}


def refusal(decision: Decision, *, requested: int, detail: str, upgrade_url: str, quota_status: int) -> PlatformError:
    """The error that answers a refused decision, with its numbers as members of the problem document."""
    fields: dict[str, Any] = {
        "meter": decision.meter,
        "used": decision.used,
        "held": decision.held,
        "limit": decision.limit,
        "requested": requested,
        "resets_at": decision.resets_at.isoformat() if decision.resets_at else None,
        "retry_after": decision.retry_after,
        "retryable": decision.retry_after is not None,
        "plan": decision.plan,
        "decision_id": decision.decision_id,
        "fixes": [fix.to_json() for fix in decision.fixes],
    }
    headers = {} if decision.retry_after is None else {"Retry-After": str(decision.retry_after)}
    if decision.code == "quota_exceeded":
        fields |= {"error": decision.code, "current": decision.used, "upgrade_url": upgrade_url}
        kind = QuotaExceededTooMany if quota_status == QuotaExceededTooMany.status else QuotaExceeded
        return kind(detail, headers=headers, **fields)
    return _OF_CODE[decision.code](detail, headers=headers, **fields)
