"""The limit that a key has of its own, beside that of its account: both let a request pass, or neither counts it."""

from feature_platform.core.gcra import RateLimit

from backend.auth.principal import Principal
from backend.ratelimit.model import Bucket, Take, key_subject

KEY_SCOPE = "key"
PER_SECONDS = 60


def own_take(principal: Principal) -> Take | None:
    """One request by a key with a limit of its own, which is not 0."""
    if principal.key_id is None or not principal.requests_per_minute:
        return None
    most = principal.requests_per_minute
    return Take(Bucket(KEY_SCOPE, key_subject(principal.key_id)), RateLimit(most, PER_SECONDS, most))
