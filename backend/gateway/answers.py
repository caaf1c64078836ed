"""Who a request came from, for the application behind the proxy."""

from backend.subscription.entitlements import Entitlements


def names_of(entitlements: Entitlements) -> list[tuple[str, str]]:
    """The header fields of an answer that lets a request pass."""
    return [("x-feature-account", str(entitlements.account.id)), ("x-feature-plan", entitlements.terms.name)]
