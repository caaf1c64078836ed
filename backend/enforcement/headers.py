"""Limits as header fields: draft-ietf-httpapi-ratelimit-headers-10, and the older `X-RateLimit-*`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_platform.core.decision import Decision, whole_seconds

from backend.enforcement.gate import Passage
from backend.enforcement.passes import Policy
from backend.ratelimit.model import RateVerdict

Fields = list[tuple[bytes, bytes]]

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Metered:
    """A decision that an answer rests on, and how many seconds its window has in all; None for a level."""

    decision: Decision
    window_seconds: int | None
    seconds_left: int | None


@dataclass(frozen=True, slots=True)
class Rated:
    """The rate limit that counted a request."""

    scope: str
    verdict: RateVerdict


def passage_fields(passage: Passage) -> Fields:
    """The fields of a metered request that was let through from memory: the same, with less work."""
    lot, verdict, seconds = passage.lot, passage.verdict, passage.seconds
    pool, known = lot.pool, passage.found.policies
    policy = known.get(passage.metering.name)
    if policy is None:
        policy = known[passage.metering.name] = _policy(passage)
    remaining, reset = b"%d" % verdict.remaining, -(-verdict.reset_after // _MICROSECONDS)
    end = lot.window_ends_at
    if pool.free is None:
        state = b'"api";r=%b;t=%d' % (remaining, reset)
    elif end is None:
        state = b'"api";r=%b;t=%d, "%b";r=%d' % (remaining, reset, policy.meter, pool.free + pool.left)
    else:
        left = end - seconds if end > seconds else 0
        state = b'"api";r=%b;t=%d, "%b";r=%d;t=%d' % (remaining, reset, policy.meter, pool.free + pool.left, left)
    return [
        policy.policy,
        (b"ratelimit", state),
        policy.limit,
        (b"x-ratelimit-remaining", remaining),
        (b"x-ratelimit-reset", b"%d" % (seconds + reset)),
    ]


def _policy(passage: Passage) -> Policy:
    limit, pool = passage.rate, passage.lot.pool
    policy = f'"api";q={limit.burst};w={whole_seconds(limit.capacity)}'
    if pool.limit is not None:
        start, end = pool.counter.window.start, pool.counter.window.end
        window = "" if end is None else f";w={whole_seconds((end - start) // timedelta(microseconds=1))}"
        policy += f', "{pool.counter.meter}";q={pool.limit}{window}'
    return Policy(
        (b"ratelimit-policy", policy.encode()),
        (b"x-ratelimit-limit", b"%d" % limit.requests),
        pool.counter.meter.encode(),
    )


def fields(rated: Rated | None, metered: Sequence[Metered], *, now: datetime) -> Fields:
    """The fields of one answer; of a refusal they are exact, of a success "at least"."""
    policies, states = [], []
    if rated is not None:
        limit, verdict = rated.verdict.limit, rated.verdict
        policies.append(f'"{rated.scope}";q={limit.burst};w={whole_seconds(limit.capacity)}')
        states.append(f'"{rated.scope}";r={verdict.remaining};t={whole_seconds(verdict.reset_after)}')
    for item in metered:
        decision = item.decision
        if decision.limit is None:
            continue
        window = "" if item.window_seconds is None else f";w={item.window_seconds}"
        left = "" if item.seconds_left is None else f";t={item.seconds_left}"
        policies.append(f'"{decision.meter}";q={decision.limit}{window}')
        states.append(f'"{decision.meter}";r={decision.remaining}{left}')
    found: Fields = []
    if policies:
        found.append((b"ratelimit-policy", ", ".join(policies).encode()))
        found.append((b"ratelimit", ", ".join(states).encode()))
    if rated is not None:
        found += _older(rated.verdict, now)
    return found


def _older(verdict: RateVerdict, now: datetime) -> Fields:
    resets_at = whole_seconds(int(now.timestamp() * 1_000_000) + verdict.reset_after)
    return [
        (b"x-ratelimit-limit", str(verdict.limit.requests).encode()),
        (b"x-ratelimit-remaining", str(verdict.remaining).encode()),
        (b"x-ratelimit-reset", str(resets_at).encode()),
    ]
