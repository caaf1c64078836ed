"""The limit that a key has of its own, beside that of its account."""

from collections.abc import Sequence

from feature_platform.core.gcra import RateLimit

from backend.auth.principal import Principal
from backend.ratelimit.model import Bucket, Rated, Take, key_subject
from backend.ratelimit.store import RateStore

KEY_SCOPE = "key"
PER_SECONDS = 60


def own_take(principal: Principal) -> Take | None:
    """One request by a key with a limit of its own, which is not 0."""
    if principal.key_id is None or not principal.requests_per_minute:
        return None
    most = principal.requests_per_minute
    return Take(Bucket(KEY_SCOPE, key_subject(principal.key_id)), RateLimit(most, PER_SECONDS, most))


async def take_in_turn(rates: RateStore, takes: Sequence[Take]) -> list[Rated]:
    """What each limit says, the widest first; up to one that refuses, which is then the first.

    The narrowest, which is the last, is asked first: what it refuses costs the wider ones nothing. Each is taken from
    by itself, for one unit of one bucket comes from a lease; a request that a wider one refuses has counted for those
    asked before. Raises RateStoreUnavailable.
    """
    found: list[Rated] = []
    for take in reversed(takes):
        verdict = await rates.take(take.bucket, take.limit, take.cost)
        found.insert(0, Rated(take.bucket.scope, verdict))
        if not verdict.allowed:
            break
    return found
