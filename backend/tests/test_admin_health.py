"""What the numbers of a platform mean: which of them are to be looked at, and what is said about it."""

from dataclasses import replace
from typing import Any

import pytest

from backend.admin.health import Check, checks_of, worst
from backend.admin.vitals import MOST_COUNTED, Queue, Vitals
from backend.tests.moments import NOW

NOTHING = Queue(0, 0.0)
WELL = Vitals(
    as_of=NOW,
    milliseconds=0.8,
    version="18.1",
    reasons=(),
    notes=(),
    audit=NOTHING,
    outbox=NOTHING,
    holds=NOTHING,
    jobs=NOTHING,
    mails=NOTHING,
    mails_tried=0,
    changes_seconds=0.0,
    workers=1,
    heard_seconds=4.0,
    failed={},
    serving=2,
    left_behind=0,
    months={"usage_events": 3, "denials": 3},
    compared_seconds=3_600.0,
)


def check(name: str, **changes: Any) -> Check:
    (found,) = [one for one in checks_of(replace(WELL, **changes)) if one.name == name]
    return found


def test_where_all_is_well_nothing_is_to_be_done() -> None:
    checks = checks_of(WELL)
    assert worst(checks) == "ok"
    assert [one for one in checks if one.what_to_do is not None] == []
    assert len({one.name for one in checks}) == len(checks) == 13


@pytest.mark.parametrize(
    ("name", "changes", "state", "said"),
    [
        ("database", {"milliseconds": 99.9}, "ok", "answers in 99.9 ms"),
        ("database", {"milliseconds": 100.0}, "near", "answers in 100 ms"),
        ("database", {"milliseconds": 1_000.0}, "over", "answers in 1000 ms"),
        ("readiness", {"reasons": ("Run `feature migrate`.",)}, "over", "Run `feature migrate`."),
        ("readiness", {"notes": ("The disk is full.",)}, "near", "The disk is full."),
        ("workers", {"workers": 0}, "over", "the last one was heard of 4 seconds ago"),
        ("workers", {"workers": 0, "heard_seconds": None}, "over", "No worker was ever heard of."),
        ("workers", {"workers": 2}, "ok", "2 workers alive."),
        ("jobs", {"jobs": Queue(3, 9.9)}, "ok", "3 jobs are ready to run, the oldest for 10 seconds"),
        ("outbox", {"outbox": Queue(1_204, 10.0)}, "near", "1,204 facts wait"),
        ("audit_seals", {"audit": Queue(1, 60.0)}, "over", "the oldest for 60 seconds"),
        ("holds", {"holds": Queue(MOST_COUNTED, 7_200.0)}, "over", "10,000 or more reservations are over and hold"),
        (
            "failed_jobs",
            {"failed": {"mail:deliver": 2, "usage:compare": 3}},
            "near",
            "usage:compare (3), mail:deliver (2)",
        ),
        ("subscription_changes", {"changes_seconds": 9.0}, "ok", "the oldest for 9 seconds"),
        ("subscription_changes", {"changes_seconds": 200.0}, "over", "the oldest for 3 minutes"),
        ("mail", {"mails": Queue(2, 59.0), "mails_tried": 1}, "ok", "1 of them were tried before"),
        ("mail", {"mails": Queue(2, 60.0)}, "near", "2 messages wait to be sent, the oldest for 60 seconds."),
        ("mail", {"mails": Queue(2, 900.0)}, "over", "the oldest for 15 minutes"),
        ("processes", {"left_behind": 1, "serving": 1}, "near", "1 process serving from memory. 1 journal left"),
        ("processes", {"serving": 0}, "ok", "0 processes serving"),
        ("partitions", {"months": {"usage_events": 3, "denials": 2}}, "ok", "denials: 2 months"),
        ("partitions", {"months": {"usage_events": 3, "denials": 1}}, "near", "denials: 1 month."),
        ("partitions", {"months": {"usage_events": 0, "denials": 3}}, "near", "usage_events: 0 months"),
        ("comparison", {"compared_seconds": 93_599.0}, "ok", "25 hours ago"),
        ("comparison", {"compared_seconds": 93_600.0}, "near", "26 hours ago"),
        ("comparison", {"compared_seconds": 180_000.0}, "over", "2 days ago"),
        ("comparison", {"compared_seconds": None}, "ok", "Nothing was compared yet"),
    ],
)
def test_each_number_has_its_state_and_what_to_do(name: str, changes: dict[str, Any], state: str, said: str) -> None:
    found = check(name, **changes)
    assert found.state == state
    assert said in found.found
    assert (found.what_to_do is None) == (state == "ok")


def test_the_worst_is_the_state_of_the_whole() -> None:
    assert worst(checks_of(replace(WELL, failed={"a": 1}))) == "near"
    assert worst(checks_of(replace(WELL, failed={"a": 1}, workers=0))) == "over"
