"""Limits as header fields: draft-ietf-httpapi-ratelimit-headers-10, and the older `X-RateLimit-*`. Pure.

And what else an answer says of a request that memory let through, made ready but for the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feature_platform.core.decision import Decision, whole_seconds
from pydantic_core import to_json

from backend.enforcement.gate import Passage, shown
from backend.enforcement.passes import Wording
from backend.ratelimit.model import Rated, RateVerdict

Fields = list[tuple[bytes, bytes]]

NOSNIFF = (b"x-content-type-options", b"nosniff")
NO_STORE = (b"cache-control", b"no-store")

_OURS = frozenset(
    b"cache-control ratelimit ratelimit-policy x-content-type-options x-ratelimit-limit x-ratelimit-remaining"
    b" x-ratelimit-reset x-request-id".split()
)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Metered:
    """A decision that an answer rests on, and how many seconds its window has in all; None for a level."""

    decision: Decision
    window_seconds: int | None
    seconds_left: int | None


def passage_fields(passage: Passage) -> Fields:
    """The fields of a metered request that was let through from memory: the same, with less work."""
    wording = wording_of(passage)
    state, remaining, resets_at = passage_numbers(passage, wording)
    return [
        wording.policy,
        (b"ratelimit", wording.state % state),
        wording.limit,
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % resets_at),
    ]


def is_free_for_lines(names: Sequence[bytes]) -> bool:
    """Whether an endpoint says none of what `passage_lines` says."""
    return _OURS.isdisjoint(names)


def beside(given: Sequence[tuple[bytes, bytes]], passage: Passage) -> Fields:
    """All fields of an answer: what the endpoint says itself stands."""
    added = [(b"x-request-id", passage.request_id), NOSNIFF, NO_STORE, *passage_fields(passage)]
    present = {name.lower() for name, _ in given}
    return [*given, *(field for field in added if field[0] not in present)]


def passage_lines(passage: Passage) -> bytes:
    """`passage_fields` and the fields of every answer, as they go over the wire: made ready but for the numbers."""
    wording = wording_of(passage)
    numbers, remaining, resets_at = passage_numbers(passage, wording)
    return wording.lines % (passage.request_id, *numbers, remaining, resets_at)


def passage_decision(passage: Passage) -> bytes:
    """The decision as JSON; numbers as they are when it is asked."""
    pool = passage.lot.pool
    used, held, forfeited = pool.numbers()
    limit = pool.limit
    if limit is None:
        return wording_of(passage).decision % (b"null", used, held, b"null")
    return wording_of(passage).decision % (
        b"%d" % limit,
        used,
        held,
        b"%d" % max(0, limit - used - held - forfeited),
    )


def passage_numbers(passage: Passage, wording: Wording) -> tuple[tuple[int, ...], int, int]:
    """Those of the field `RateLimit`; what is left of the rate; when that is whole again, in seconds since 1970."""
    verdict, seconds = passage.verdict, passage.seconds
    remaining, reset = verdict.remaining, -(-verdict.reset_after // _MICROSECONDS)
    if not wording.has_quota:
        return (remaining, reset), remaining, seconds + reset
    pool = passage.lot.pool
    left = (pool.free or 0) + pool.left
    if not wording.has_end:
        return (remaining, reset, left), remaining, seconds + reset
    return (remaining, reset, left, max(0, (passage.lot.window_ends_at or 0) - seconds)), remaining, seconds + reset


def wording_of(passage: Passage) -> Wording:
    """Made once for a pass and a metering, and anew where a limit became none, or none a limit."""
    known = passage.found.wordings
    wording = known.get(passage.metering.name)
    if wording is None or wording.has_quota != (passage.lot.pool.free is not None):
        wording = known[passage.metering.name] = _wording(passage)
    return wording


def _wording(passage: Passage) -> Wording:
    limit, pool = passage.rate, passage.lot.pool
    policy, state = f'"api";q={limit.burst};w={whole_seconds(limit.capacity)}', '"api";r=%d;t=%d'
    start, end, meter = pool.counter.window.start, pool.counter.window.end, pool.counter.meter
    if pool.limit is not None:
        window = "" if end is None else f";w={whole_seconds((end - start) // timedelta(microseconds=1))}"
        policy += f', "{meter}";q={pool.limit}{window}'
    if pool.free is not None:
        state += f', "{meter}";r=%d' + ("" if end is None else ";t=%d")
    fixed = (b"ratelimit-policy", policy.encode()), (b"x-ratelimit-limit", b"%d" % limit.requests)
    lines = [b"%b: %b" % (name, value.replace(b"%", b"%%")) for name, value in (NOSNIFF, NO_STORE, *fixed)]
    lines += [b"x-request-id: %b", b"ratelimit: " + state.encode()]
    return Wording(
        *fixed,
        state.encode(),
        b"\r\n".join([*lines, b"x-ratelimit-remaining: %d", b"x-ratelimit-reset: %d", b""]),
        _decision_places(passage),
        has_quota=pool.free is not None,
        has_end=passage.lot.window_ends_at is not None,
    )


def _decision_places(passage: Passage) -> bytes:
    """What is the same in all decisions of a wording; places have marks that no JSON of ours contains as a value."""
    decision = shown(passage.lot.pool, passage.entitlements)
    marks = {"limit": "%b", "used": "%d", "held": "%d", "remaining": "%b"}
    text: bytes = to_json({**decision.to_json(), "resets_at": decision.resets_at, **marks}).replace(b"%", b"%%")
    for mark in (b"%b", b"%d"):
        text = text.replace(b'"%%%b"' % mark, mark)
    return text


def fields(rated: Sequence[Rated], metered: Sequence[Metered], *, now: datetime) -> Fields:
    """The fields of one answer; of a refusal they are exact, of a success "at least".

    The older ones have room for one rate limit: the one that leaves least.
    """
    policies, states = [], []
    for rate in rated:
        limit, verdict = rate.verdict.limit, rate.verdict
        policies.append(f'"{rate.scope}";q={limit.burst};w={whole_seconds(limit.capacity)}')
        states.append(f'"{rate.scope}";r={verdict.remaining};t={whole_seconds(verdict.reset_after)}')
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
    if rated:
        found += _older(min((rate.verdict for rate in rated), key=lambda verdict: verdict.remaining), now)
    return found


def _older(verdict: RateVerdict, now: datetime) -> Fields:
    resets_at = whole_seconds(int(now.timestamp() * 1_000_000) + verdict.reset_after)
    return [
        (b"x-ratelimit-limit", str(verdict.limit.requests).encode()),
        (b"x-ratelimit-remaining", str(verdict.remaining).encode()),
        (b"x-ratelimit-reset", str(resets_at).encode()),
    ]
