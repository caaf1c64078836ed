"""What a decision says once it is shown. The hot path decides by numbers; this is built for answers and refusals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Code = Literal[
    "allowed",
    "quota_exceeded",
    "feature_not_in_plan",
    "subscription_inactive",
    "scope_missing",
    "rate_limited",
    "concurrency_limited",
]

FixKind = Literal["upgrade", "wait", "raise_cap", "release", "subscribe", "contact"]


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to go on after a refusal, in words, with what a program needs to offer it."""

    kind: FixKind
    text: str
    plan: str | None = None
    """The plan that would allow it."""
    url: str | None = None
    at: datetime | None = None
    """When it will be allowed without doing anything."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is not known is left out."""
        known: dict[str, Any] = {"kind": self.kind, "text": self.text}
        if self.plan is not None:
            known["plan"] = self.plan
        if self.url is not None:
            known["url"] = self.url
        if self.at is not None:
            known["at"] = self.at.isoformat()
        return known


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something may be done, by which numbers, and what would help.

    `limit` and `remaining` of None are unlimited; 0 is nothing. Amounts are base units of the meter. `retry_after`
    is in whole seconds, rounded up, and None where waiting does not help. `decision_id` exists for refusals.
    Raises ValueError where the parts contradict each other.
    """

    allowed: bool
    code: Code
    meter: str
    limit: int | None
    used: int
    held: int
    remaining: int | None
    resets_at: datetime | None = None
    retry_after: int | None = None
    plan: str | None = None
    decision_id: str | None = None
    fixes: tuple[Fix, ...] = ()

    def __post_init__(self) -> None:
        if self.allowed != (self.code == "allowed"):
            raise ValueError(f"a decision with the code {self.code} cannot be allowed={self.allowed}")
        if self.remaining is not None and self.remaining < 0:
            raise ValueError("remaining is never negative")
        if (self.limit is None) != (self.remaining is None):
            raise ValueError("limit and remaining are unlimited together, or not at all")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values under the names of the fields."""
        return {
            "allowed": self.allowed,
            "code": self.code,
            "meter": self.meter,
            "limit": self.limit,
            "used": self.used,
            "held": self.held,
            "remaining": self.remaining,
            "resets_at": None if self.resets_at is None else self.resets_at.isoformat(),
            "retry_after": self.retry_after,
            "plan": self.plan,
            "decision_id": self.decision_id,
            "fixes": [fix.to_json() for fix in self.fixes],
        }


def remaining_of(limit: int | None, used: int, held: int = 0, forfeited: int = 0) -> int | None:
    """What is left under a limit: never negative, also where a lowered limit left `used` above it. None: unlimited."""
    return None if limit is None else max(0, limit - used - held - forfeited)


def whole_seconds(microseconds: int) -> int:
    """Rounded up, as Retry-After needs: who waits that long is not too early."""
    return -(-microseconds // 1_000_000)
