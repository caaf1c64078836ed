"""Decisions as they are shown."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from feature_platform.core.decision import Decision, Fix, remaining_of, whole_seconds
from hypothesis import given
from hypothesis import strategies as st

RESETS = datetime(2026, 12, 1, tzinfo=UTC)


def refusal() -> Decision:
    return Decision(
        allowed=False,
        code="quota_exceeded",
        meter="jobs",
        limit=10,
        used=10,
        held=0,
        remaining=0,
        resets_at=RESETS,
        retry_after=3_600,
        plan="free",
        decision_id="01977d5e-0000-7000-8000-000000000000",
        fixes=(Fix("upgrade", "Go to Pro: 500 jobs a period.", plan="pro"), Fix("wait", "Wait.", at=RESETS)),
    )


def test_a_refusal_is_plain_json() -> None:
    shown = json.loads(json.dumps(refusal().to_json()))
    assert shown["resets_at"] == "2026-12-01T00:00:00+00:00"
    assert shown["fixes"] == [
        {"kind": "upgrade", "text": "Go to Pro: 500 jobs a period.", "plan": "pro"},
        {"kind": "wait", "text": "Wait.", "at": "2026-12-01T00:00:00+00:00"},
    ]
    assert list(shown) == list(Decision.__slots__)


def test_unlimited_is_none() -> None:
    decision = Decision(allowed=True, code="allowed", meter="jobs", limit=None, used=7, held=2, remaining=None)
    assert decision.to_json()["limit"] is None
    assert decision.to_json()["remaining"] is None


@pytest.mark.parametrize(
    ("allowed", "code", "limit", "remaining"),
    [
        (True, "quota_exceeded", 1, 0),
        (False, "allowed", 1, 1),
        (False, "quota_exceeded", 1, -1),
        (True, "allowed", 1, None),
    ],
)
def test_contradictions_are_refused(allowed: bool, code: str, limit: int, remaining: int | None) -> None:
    with pytest.raises(ValueError, match=r"cannot be|negative|together"):
        Decision(allowed, code, "jobs", limit, 1, 0, remaining)  # type: ignore[arg-type]  # codes come from the table


def test_a_decision_is_frozen_and_has_no_dictionary() -> None:
    decision = refusal()
    with pytest.raises(AttributeError):
        decision.used = 0  # type: ignore[misc]  # that is what is tried
    assert not hasattr(decision, "__dict__")


@given(st.none() | st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**40), st.integers(0, 2**40))
def test_remaining_is_never_negative(limit: int | None, used: int, held: int, forfeited: int) -> None:
    left = remaining_of(limit, used, held, forfeited)
    assert (left is None) == (limit is None)
    if left is not None and limit is not None:
        assert left == max(0, limit - used - held - forfeited)
        assert left >= 0


@pytest.mark.parametrize(("microseconds", "seconds"), [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2), (600_000, 1)])
def test_seconds_are_rounded_up(microseconds: int, seconds: int) -> None:
    assert whole_seconds(microseconds) == seconds


def test_the_core_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import feature_platform.core.decision, feature_platform.core.gcra;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    found = subprocess.run(  # noqa: S603 - our own interpreter and a fixed program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert found.strip() == "['feature_platform']"
