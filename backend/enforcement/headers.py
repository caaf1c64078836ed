"""Limits as header fields: draft-ietf-httpapi-ratelimit-headers-10, and the older `X-RateLimit-*`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_platform.core.decision import Decision, whole_seconds

from backend.enforcement.gate import Passage
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


def passage_fields(passage: Passage, *, now: datetime) -> Fields:
    """The fields of a metered request that was let through from memory: the same, with less work."""
    pool, verdict, limit = passage.lot.pool, passage.verdict, passage.rate
    policy = passage.found.policies.get(passage.metering.name)
    if policy is None:
        policy = passage.found.policies[passage.metering.name] = _policy(passage)
    seconds = int(now.timestamp())
    reset = -(-verdict.reset_after // _MICROSECONDS)
    state = b'"api";r=%d;t=%d' % (verdict.remaining, reset)
    if pool.free is not None:
        end = passage.lot.window_ends_at
        left = b"" if end is None else b";t=%d" % max(0, end - seconds)
        state = b'%b, "%b";r=%d%b' % (state, pool.counter.meter.encode(), pool.free + pool.left, left)
    return [
        (b"ratelimit-policy", policy),
        (b"ratelimit", state),
        (b"x-ratelimit-limit", b"%d" % limit.requests),
        (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
        (b"x-ratelimit-reset", b"%d" % (seconds + reset)),
    ]


def _policy(passage: Passage) -> bytes:
    limit, pool = passage.rate, passage.lot.pool
    policy = f'"api";q={limit.burst};w={whole_seconds(limit.capacity)}'
    if pool.limit is not None:
        start, end = pool.counter.window.start, pool.counter.window.end
        window = "" if end is None else f";w={whole_seconds((end - start) // timedelta(microseconds=1))}"
        policy += f', "{pool.counter.meter}";q={pool.limit}{window}'
    return policy.encode()


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
