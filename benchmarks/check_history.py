"""Judges a history of client calls: was more admitted than the limit allowed, was a spend lost or doubled, was anybody
refused while units were free?

    python -m benchmarks.check_history HISTORY.jsonl STATE.json [--bound UNITS] [--machine-lost]

Exit 0: clean, 1: violations, 2: files that cannot be judged. `benchmarks.history` describes the files. It knows the
program only by what its clients saw and what was stored at the end, and it accuses only where no order of events
could explain what was seen: a call takes effect at one moment between call and answer, one of unknown outcome at one
moment after its call, or never. One quota window is judged at a time; a history must not reach over its end.
"""

import argparse
import json
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Literal

from benchmarks.history import Call, Malformed, State, Target, read_calls, read_states

Kind = Literal["over_admitted", "lost", "doubled", "events_differ", "under_admitted"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not be. `units`: by how much."""

    kind: Kind
    account: str
    meter: str
    units: int
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one meter of an account. Units, but for the number of refusals.

    `most_free`: the most units that were certainly free when somebody was refused for want of them, and
    `allowed_free` the bound at that moment.
    """

    account: str
    meter: str
    admitted: int
    unknown: int
    released: int
    refusals: int
    most_free: int
    allowed_free: int
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class _Effect:
    """What one identity did, at a moment from `begin` to `end`; without an end its outcome is unknown."""

    begin: int
    end: int | None
    amount: int


class _Sums:
    """Sums of amounts up to a moment."""

    def __init__(self, points: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(points)
        self._moments = [at for at, _ in ordered]
        self._totals = [0, *accumulate(amount for _, amount in ordered)]

    def until(self, moment: int) -> int:
        """Of all at or before it."""
        return self._totals[bisect_right(self._moments, moment)]

    def before(self, moment: int) -> int:
        return self._totals[bisect_left(self._moments, moment)]


def judge(calls: Iterable[Call], states: Mapping[Target, State], *, machine_lost: bool = False) -> list[Verdict]:
    """A verdict on each account and meter of the history. `machine_lost`: spends may have been lost with a machine or
    its disk, and then are among the forfeited units; else forfeited units explain nothing that was answered."""
    by_target: dict[Target, list[Call]] = {}
    for call in calls:
        by_target.setdefault(call.target, []).append(call)
    return [
        _judge(target, found, states[target], machine_lost=machine_lost) for target, found in sorted(by_target.items())
    ]


def _judge(target: Target, calls: Sequence[Call], state: State, *, machine_lost: bool) -> Verdict:
    spends = _effects([call for call in calls if call.op == "spend"])
    releases = _effects([call for call in calls if call.op == "release"])
    refusals = [call for call in calls if call.was_out_of_quota]
    most_free, allowed_free, under = _under_admission(refusals, spends, releases, state)
    found = [
        *_over_admission(spends, releases, state),
        *_final(spends, releases, state, machine_lost=machine_lost),
        *under,
    ]
    account, meter = target
    return Verdict(
        account=account,
        meter=meter,
        admitted=_certain(spends),
        unknown=_possible(spends) - _certain(spends),
        released=_certain(releases),
        refusals=len(refusals),
        most_free=most_free,
        allowed_free=allowed_free,
        violations=tuple(replace(one, account=account, meter=meter) for one in found),
    )


def _effects(calls: Iterable[Call]) -> list[_Effect]:
    """Each identity once: its effect lies between its first call that was not refused and its first success."""
    effects, by_key = [], dict[str, list[Call]]()
    for call in calls:
        if not (call.took_effect or call.is_unknown):
            continue
        if call.key is None:
            effects.append(_Effect(call.call, call.answer if call.took_effect else None, call.amount))
        else:
            by_key.setdefault(call.key, []).append(call)
    for attempts in by_key.values():
        succeeded = [call for call in attempts if call.took_effect and call.answer is not None]
        begin = min(call.call for call in attempts)
        if succeeded:
            first = min(succeeded, key=lambda call: call.answer or 0)
            effects.append(_Effect(begin, first.answer, first.amount))
        else:
            effects.append(_Effect(begin, None, max(call.amount for call in attempts)))
    return effects


def _certain(effects: Iterable[_Effect]) -> int:
    return sum(effect.amount for effect in effects if effect.end is not None)


def _possible(effects: Iterable[_Effect]) -> int:
    return sum(effect.amount for effect in effects)


def _over_admission(spends: Sequence[_Effect], releases: Sequence[_Effect], state: State) -> list[Violation]:
    """At each answer: all admissions answered so far, less all that may have been given back, were granted under a
    limit that held when the last of them was. That was at or after the last of their calls. The worst one is told."""
    returned = _Sums((effect.begin, effect.amount) for effect in releases)
    total, last_call, worst = 0, 0, None
    answered = sorted((effect.end, effect.begin, effect.amount) for effect in spends if effect.end is not None)
    for answer, call, amount in answered:
        total += amount
        last_call = max(last_call, call)
        limit = state.highest_limit(last_call, answer)
        if limit is None:
            continue
        over = total - returned.until(answer) - limit
        if over > 0 and (worst is None or over > worst.units):
            detail = f"{total:,} units were admitted at {answer} under a limit of {limit:,}"
            worst = Violation("over_admitted", "", "", over, detail)
    return [worst] if worst else []


def _final(
    spends: Sequence[_Effect], releases: Sequence[_Effect], state: State, *, machine_lost: bool
) -> list[Violation]:
    """What is stored at the end against what was answered."""
    found = []
    least = _certain(spends) - _possible(releases) + state.facts
    most = _possible(spends) - _certain(releases) + state.facts
    kept = state.used + (state.forfeited if machine_lost else 0)
    if kept < least:
        detail = f"{least:,} units were answered, {kept:,} are stored"
        found.append(Violation("lost", "", "", least - kept, detail))
    if state.used > most:
        detail = f"{state.used:,} units are stored, {most:,} were answered or may have been spent"
        found.append(Violation("doubled", "", "", state.used - most, detail))
    if state.events_sum is not None and state.events_sum != state.used:
        detail = f"the counter says {state.used:,}, its events {state.events_sum:,}"
        found.append(Violation("events_differ", "", "", abs(state.events_sum - state.used), detail))
    return found + _stored_over_limit(spends, state)


def _stored_over_limit(spends: Sequence[_Effect], state: State) -> list[Violation]:
    """Each unit that is stored, in holds or forfeited was granted under the highest limit there was, at the most;
    those that no client knows of, too."""
    if not spends:
        return []
    highest = state.highest_limit(min(effect.begin for effect in spends), sys.maxsize)
    taken = state.used - state.facts + state.held + state.forfeited
    if highest is None or taken <= highest:
        return []
    detail = f"{taken:,} units are stored as used, held and forfeited, under a limit of {highest:,}"
    return [Violation("over_admitted", "", "", taken - highest, detail)]


def _under_admission(
    refusals: Iterable[Call], spends: Sequence[_Effect], releases: Sequence[_Effect], state: State
) -> tuple[int, int, list[Violation]]:
    """How many units were certainly free at the worst refusal, and what was allowed then.

    Certainly free is what is left of the lowest limit of that time when all that may have been spent before its answer
    was, and only what had surely been given back before its call. A refusal is right when its amount did not fit.
    """
    spent = _Sums((effect.begin, effect.amount) for effect in spends)
    returned = _Sums((effect.end, effect.amount) for effect in releases if effect.end is not None)
    most, allowed, violations = 0, 0, []
    for one in refusals:
        answer = one.answer if one.answer is not None else one.call
        limit = state.lowest_limit(one.call, answer)
        if limit is None:
            violations.append(Violation("under_admitted", "", "", one.amount, f"refused at {answer} without a limit"))
            continue
        free = limit - state.forfeited - state.facts - spent.until(answer) + returned.before(one.call)
        if free < max(one.amount, 1):
            continue
        bound = state.may_strand(one.call, answer)
        if free > bound:
            detail = f"{free:,} units were free when {one.amount:,} were refused at {answer}; the bound is {bound:,}"
            violations.append(Violation("under_admitted", "", "", free - bound, detail))
        if free - bound > most - allowed or most == 0:
            most, allowed = free, bound
    return most, allowed, sorted(violations, key=lambda one: -one.units)[:1]


def check_files(history: Path, state: Path, *, bound: int | None = None, machine_lost: bool = False) -> list[Verdict]:
    """Judges two files. `bound` takes the place of the state's own. Raises Malformed, OSError."""
    with history.open() as lines:
        calls = list(read_calls(lines))
    states = read_states(state.read_text(), {call.target for call in calls})
    if bound is not None:
        states = {target: replace(one, bound=bound) for target, one in states.items()}
    return judge(calls, states, machine_lost=machine_lost)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check_history", description=__doc__)
    parser.add_argument("history", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--bound", type=int, help="units that may be stranded at any time")
    parser.add_argument("--machine-lost", action="store_true", help="spends may be among the forfeited units")
    options = parser.parse_args()
    try:
        verdicts = check_files(options.history, options.state, bound=options.bound, machine_lost=options.machine_lost)
    except (Malformed, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for verdict in verdicts:
        print(json.dumps(asdict(verdict)))
    return 1 if any(verdict.violations for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
