"""The judge of histories finds each fault that it is there for, and accuses nobody without proof."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.settings import REPOSITORY
from benchmarks.check_history import Verdict, judge
from benchmarks.history import Call, Malformed, State, read_calls, read_states


def call(at: int, until: int | None, status: int | None = 200, amount: int = 1, **more: Any) -> Call:
    return Call("one", at, until, status, "acme", "api_calls", amount, **more)


def lost(at: int, amount: int = 1, **more: Any) -> Call:
    return call(at, None, None, amount, **more)


def refused(at: int, until: int, amount: int = 1) -> Call:
    return call(at, until, 402, amount)


def state(used: int, limit: int | None = 10, **more: Any) -> State:
    return State(used=used, **{"limit_changes": ((0, limit),), **more})


def verdict(calls: Sequence[Call], final: State, *, machine_lost: bool = False) -> Verdict:
    (found,) = judge(calls, {("acme", "api_calls"): final}, machine_lost=machine_lost)
    return found


def faults(calls: Sequence[Call], final: State, *, machine_lost: bool = False) -> list[tuple[str, int]]:
    return [(one.kind, one.units) for one in verdict(calls, final, machine_lost=machine_lost).violations]


TEN = [call(at, at + 5) for at in range(0, 100, 10)]


def test_a_limit_reached_and_then_refused_is_clean() -> None:
    found = verdict([*TEN, refused(200, 210)], state(10, events_sum=10))
    assert (found.admitted, found.unknown, found.refusals, found.most_free, found.violations) == (10, 0, 1, 0, ())


def test_one_unit_more_than_the_limit_is_found() -> None:
    found = verdict([*TEN, call(100, 105)], state(11))
    assert [(one.kind, one.units, one.account, one.meter) for one in found.violations] == [
        ("over_admitted", 1, "acme", "api_calls"),  # by the answers
        ("over_admitted", 1, "acme", "api_calls"),  # and by what is stored
    ]


def test_concurrent_calls_over_the_limit_are_found_though_each_might_have_been_the_last() -> None:
    assert ("over_admitted", 2) in faults([call(0, 100) for _ in range(12)], state(12))


def test_unknown_outcomes_prove_no_over_admission_by_themselves() -> None:
    assert faults([*TEN, lost(100), call(110, 115, 503)], state(10)) == []


def test_unknown_outcomes_that_were_stored_beyond_the_limit_are_found() -> None:
    assert faults([*TEN, lost(100)], state(11)) == [("over_admitted", 1)]


def test_holds_and_forfeited_units_are_within_the_limit_too() -> None:
    assert faults(TEN[:6], state(6, held=3, forfeited=1)) == []
    assert faults(TEN[:6], state(6, held=3, forfeited=2)) == [("over_admitted", 1)]


def test_what_was_given_back_may_be_spent_again() -> None:
    back = call(100, 105, amount=3, op="release")
    again = [call(at, at + 5) for at in (110, 120, 130)]
    assert faults([*TEN, back, *again], state(10)) == []
    assert ("over_admitted", 1) in faults([*TEN, back, *again, call(140, 145)], state(11))


def test_units_that_came_back_only_later_explain_nothing() -> None:
    assert faults([*TEN, call(100, 105), call(200, 205, op="release")], state(10)) == [("over_admitted", 1)]


LOWERED = ((0, 10), (50, 5))


def test_a_lowered_limit_binds_from_then_on() -> None:
    before = [call(at, at + 5) for at in range(0, 40, 5)]
    assert faults([*before, refused(60, 65)], state(8, limit_changes=LOWERED)) == []
    assert faults([*before, call(60, 65)], state(9, limit_changes=LOWERED)) == [("over_admitted", 4)]


def test_a_call_under_way_at_the_lowering_may_have_been_before_it() -> None:
    before = [call(at, at + 5) for at in range(0, 40, 5)]
    assert faults([*before, call(45, 65)], state(9, limit_changes=LOWERED)) == []


def test_a_change_may_take_its_lag_to_be_known() -> None:
    before = [call(at, at + 5) for at in range(0, 40, 5)]
    assert faults([*before, call(60, 65)], state(9, limit_changes=LOWERED, lag=10)) == []
    assert faults([*before, call(61, 65)], state(9, limit_changes=LOWERED, lag=10)) == [("over_admitted", 4)]


def test_a_raised_limit_excuses_nothing_from_before() -> None:
    raised = ((0, 5), (200, 10))
    assert faults(TEN[:6], state(6, limit_changes=raised)) == [("over_admitted", 1)]
    assert faults([*TEN[:5], call(210, 215)], state(6, limit_changes=raised)) == []


def test_an_answered_spend_that_is_not_stored_is_lost() -> None:
    assert faults(TEN, state(9)) == [("lost", 1)]


def test_a_spend_is_not_lost_where_it_may_have_been_given_back() -> None:
    assert faults([*TEN, lost(200, op="release")], state(9)) == []


def test_forfeited_units_explain_a_loss_only_with_a_lost_machine() -> None:
    assert faults(TEN, state(8, forfeited=2)) == [("lost", 2)]
    assert faults(TEN, state(8, forfeited=2), machine_lost=True) == []
    assert faults(TEN, state(7, forfeited=2), machine_lost=True) == [("lost", 1)]


def test_a_stored_unit_that_nobody_spent_is_doubled() -> None:
    assert faults(TEN[:5], state(6)) == [("doubled", 1)]
    assert faults([*TEN[:5], lost(60)], state(6)) == []
    assert faults([*TEN[:5], lost(60)], state(7)) == [("doubled", 1)]


def test_a_refused_call_must_store_nothing() -> None:
    assert faults([*TEN[:5], call(60, 65, 422)], state(6)) == [("doubled", 1)]


def test_a_release_that_was_answered_must_be_stored() -> None:
    assert faults([*TEN, call(200, 205, op="release")], state(10)) == [("doubled", 1)]


def test_recorded_facts_are_no_admissions() -> None:
    assert faults(TEN, state(15, facts=5)) == []
    assert faults(TEN, state(16, facts=5)) == [("doubled", 1), ("over_admitted", 1)]


def test_the_counter_and_its_events_must_agree() -> None:
    assert faults(TEN, state(10, events_sum=8)) == [("events_differ", 2)]


def test_repetitions_of_a_key_count_once() -> None:
    calls = [lost(0, 3, key="a"), call(10, 20, amount=3, key="a"), call(30, 40, amount=3, key="a")]
    assert faults(calls, state(3)) == []
    assert faults(calls, state(6)) == [("doubled", 3)]


def test_a_key_whose_first_call_was_lost_may_have_spent_then() -> None:
    """Its unit may have been granted before the limit was lowered, though the answer came after."""
    lowered = ((0, 1), (50, 0))
    assert faults([lost(0, key="a"), call(60, 65, key="a")], state(1, limit_changes=lowered)) == []
    assert faults([call(0, 5, 402, key="a"), call(60, 65, key="a")], state(1, limit_changes=lowered)) != []


def test_a_refusal_with_free_units_is_found() -> None:
    found = verdict([*TEN[:6], refused(100, 105)], state(6))
    assert (found.most_free, found.allowed_free) == (4, 0)
    assert [(one.kind, one.units) for one in found.violations] == [("under_admitted", 4)]


def test_free_units_within_the_bound_are_allowed_and_told() -> None:
    found = verdict([*TEN[:6], refused(100, 105)], state(6, bound=4))
    assert (found.most_free, found.allowed_free, found.violations) == (4, 4, ())


def test_units_of_unreachable_processes_are_a_bound_for_as_long_as_they_are() -> None:
    held = state(6, unreachable=((90, 110, 4),))
    assert faults([*TEN[:6], refused(100, 105)], held) == []
    assert faults([*TEN[:6], refused(120, 125)], held) == [("under_admitted", 4)]


def test_a_cost_that_does_not_fit_is_rightly_refused() -> None:
    assert faults([*TEN[:6], refused(100, 105, amount=5)], state(6)) == []
    assert faults([*TEN[:6], refused(100, 105, amount=4)], state(6)) == [("under_admitted", 4)]


def test_units_that_may_have_been_taken_are_not_certainly_free() -> None:
    assert faults([*TEN[:6], *[lost(90) for _ in range(4)], refused(100, 105)], state(6)) == []
    assert faults([*TEN[:6], *[call(103, 200) for _ in range(4)], refused(100, 105)], state(10)) == []


def test_forfeited_units_are_not_free() -> None:
    assert faults([*TEN[:6], refused(100, 105)], state(6, forfeited=4)) == []


def test_a_refusal_for_another_reason_says_nothing_of_the_quota() -> None:
    rate_limited = call(100, 105, 429, code="rate_limited")
    assert faults([*TEN[:6], rate_limited], state(6)) == []
    exceeded = call(100, 105, 429, code="quota_exceeded")
    assert faults([*TEN[:6], exceeded], state(6)) == [("under_admitted", 4)]


def test_without_a_limit_nobody_is_refused() -> None:
    assert faults([*TEN, refused(100, 105)], state(10, limit=None)) == [("under_admitted", 1)]


def test_accounts_are_judged_apart() -> None:
    other = Call("two", 0, 5, 200, "other", "api_calls", 1)
    final = {("acme", "api_calls"): state(10), ("other", "api_calls"): state(0)}
    assert [[one.kind for one in found.violations] for found in judge([*TEN, other], final)] == [[], ["lost"]]


ATTEMPTS = st.lists(
    st.tuples(
        st.sampled_from(["spend", "spend", "spend", "release", "limit"]),
        st.integers(1, 4),  # the amount; ten times it, the new limit
        st.integers(0, 30),  # how long before its effect it was called
        st.integers(0, 30),  # how long after it was answered
        st.booleans(),  # whether the answer came
    ),
    max_size=60,
)


@given(ATTEMPTS, st.integers(0, 20))
def test_a_counter_that_does_right_is_never_accused(attempts: list[tuple[Any, ...]], limit: int) -> None:
    """Each attempt takes effect at a moment of its own, in order, and was under way around it."""
    used, calls, changes = 0, [], [(0, limit)]
    for number, (kind, amount, before, after, is_answered) in enumerate(attempts, 1):
        now = 100 + 7 * number
        if kind == "limit":
            limit = amount * 10
            changes.append((now, limit))
            continue
        admitted = used + amount <= limit if kind == "spend" else used >= amount
        used += (amount if kind == "spend" else -amount) if admitted else 0
        status = 200 if admitted else (402 if kind == "spend" else 409)
        made = call(now - before, now + after, status, amount, op=kind)
        calls.append(made if is_answered else replace(made, answer=None, status=None))
    if calls:
        assert faults(calls, State(used=used, limit_changes=tuple(changes), events_sum=used)) == []


def written(folder: Path, calls: Sequence[dict[str, Any]], final: object) -> list[str]:
    history, state_file = folder / "history.jsonl", folder / "state.json"
    history.write_text("".join(f"{json.dumps(one)}\n" for one in calls))
    state_file.write_text(json.dumps(final))
    return [str(history), str(state_file)]


def line(at: int, status: int | None = 200, **more: Any) -> dict[str, Any]:
    answer = None if status is None else at + 5
    base = {"client": 1, "call": at, "answer": answer, "status": status, "account": "acme", "meter": "api_calls"}
    return {**base, "amount": 1, "key": None, "region": "ignored", **more}


def final_state(used: int, **more: Any) -> dict[str, Any]:
    return {"used": used, "held": 0, "forfeited": 0, "events_sum": used, "limit_changes": [[0, 2]], **more}


@pytest.mark.parametrize(
    ("calls", "final", "arguments", "code"),
    [
        ([line(0), line(10), line(20, 402)], {"acme": final_state(2)}, [], 0),
        ([line(0), line(10), line(20)], {"acme": final_state(3)}, [], 1),
        ([line(0), line(20, 402)], {"acme": final_state(1)}, [], 1),
        ([line(0), line(20, 402)], {"acme": final_state(1)}, ["--bound", "1"], 0),
        ([line(0)], {"acme": final_state(0, forfeited=1)}, ["--machine-lost"], 0),
        ([line(0)], {"acme": {"meters": {"api_calls": final_state(1)}}}, [], 0),
        ([line(0)], {"somebody": final_state(1)}, [], 2),
        ([{"client": 1}], {"acme": final_state(1)}, [], 2),
    ],
)
def test_the_command_says_it_by_its_exit_code(
    tmp_path: Path, calls: list[dict[str, Any]], final: object, arguments: list[str], code: int
) -> None:
    command = [sys.executable, "-m", "benchmarks.check_history", *written(tmp_path, calls, final), *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert bool(done.stdout) == (code != 2)


@pytest.mark.parametrize(
    "fault", [{"answer": -1}, {"amount": -1}, {"op": "spent"}, {"call": None}, {"status": "quick"}]
)
def test_a_line_that_cannot_be_is_named(fault: dict[str, Any]) -> None:
    lines = [json.dumps(line(0)), "", json.dumps(line(10) | fault)]
    with pytest.raises(Malformed, match="line 3"):
        list(read_calls(lines))


@pytest.mark.parametrize(
    "fault", [{"limit_changes": []}, {"limit_changes": [[5, 1], [0, 2]]}, {"used": None}, {"unreachable": [[1, 2]]}]
)
def test_a_state_that_cannot_be_is_named(fault: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="final state"):
        read_states(json.dumps({"acme": final_state(1) | fault}), [("acme", "api_calls")])


def test_a_state_of_one_meter_is_not_taken_for_two() -> None:
    with pytest.raises(Malformed, match="one meter only"):
        read_states(json.dumps({"acme": final_state(1)}), [("acme", "api_calls"), ("acme", "jobs")])


def test_the_judge_shares_no_code_with_what_it_judges() -> None:
    code = (
        "import sys, benchmarks.check_history;"
        "print([name for name in sys.modules if name.split('.')[0] in ('backend', 'feature_platform')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
