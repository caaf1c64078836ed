"""Histories of client calls, and the state in which they ended, as they are read from files.

Imports nothing but the standard library: what judges a program must not share its mistakes.

A history has one JSON object a line. `client`: who called; `call`, `answer`: monotonic nanoseconds of one clock for all
clients, `answer` null when none came; `status`: of the answer, null without one; `account`, `meter`, `amount`; `key`:
the identity under which repetitions count once, or null. Optional: `op`, "spend" (when left out) or "release", which
gives `amount` back; `code`: the problem's code. Other fields are ignored.

The final state is one JSON object: for each account `used`, `held`, `forfeited`, `events_sum` (null: not known) and
`limit_changes`, pairs of a time and the limit from then on (null: unlimited), the first of which holds from the
beginning; a raise bears the time of its call, a lowering that of its answer. Optional: `lag`, nanoseconds until a
change of the limit is known to every process; `bound`, the units that may be stranded at any time; `unreachable`,
triples of begin, end and the units that processes held which nobody could reach then; `facts`, units that were
recorded without asking the limit. Where an account has several meters, these stand for each under `meters`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Op = Literal["spend", "release"]
Target = tuple[str, str]
"""An account and a meter."""

_FIRST_SERVER_ERROR = 500


class Malformed(Exception):
    """A file that says nothing that could be judged."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client. Without an answer, or with a server's error, nobody knows whether it took effect."""

    client: str
    call: int
    answer: int | None
    status: int | None
    account: str
    meter: str
    amount: int
    key: str | None = None
    op: Op = "spend"
    code: str = ""

    @property
    def target(self) -> Target:
        return self.account, self.meter

    @property
    def is_unknown(self) -> bool:
        return self.answer is None or self.status is None or self.status >= _FIRST_SERVER_ERROR

    @property
    def took_effect(self) -> bool:
        return not self.is_unknown and self.status is not None and self.status // 100 == 2

    @property
    def was_out_of_quota(self) -> bool:
        """A refusal for want of units, and no other one."""
        if self.is_unknown or self.op != "spend":
            return False
        return self.status == 402 or (self.status == 429 and self.code == "quota_exceeded")


@dataclass(frozen=True, slots=True)
class State:
    """What was stored of one meter of an account when everything had come to rest."""

    used: int
    held: int = 0
    forfeited: int = 0
    events_sum: int | None = None
    facts: int = 0
    limit_changes: Sequence[tuple[int, int | None]] = ()
    lag: int = 0
    bound: int = 0
    unreachable: Sequence[tuple[int, int, int]] = field(default=())

    def highest_limit(self, begin: int, end: int) -> int | None:
        """The most that was allowed at any moment from `begin` to `end`; None: unlimited."""
        limits = self._limits(begin, end)
        return None if any(limit is None for limit in limits) else max(limit for limit in limits if limit is not None)

    def lowest_limit(self, begin: int, end: int) -> int | None:
        """The least that was allowed at any moment from `begin` to `end`; None: unlimited throughout."""
        return min((limit for limit in self._limits(begin, end) if limit is not None), default=None)

    def may_strand(self, begin: int, end: int) -> int:
        """Units that may be out of everybody's reach at some moment from `begin` to `end`."""
        return self.bound + sum(units for first, last, units in self.unreachable if first <= end and last >= begin)

    def _limits(self, begin: int, end: int) -> list[int | None]:
        """Those that some process may have gone by at some moment between."""
        changes = self.limit_changes
        ends = [at for at, _ in changes[1:]] + [None]
        return [
            limit
            for number, ((at, limit), until) in enumerate(zip(changes, ends, strict=True))
            if (number == 0 or at <= end) and (until is None or until + self.lag >= begin)
        ]


def read_calls(lines: Iterable[str]) -> Iterator[Call]:
    """Raises Malformed, with the number of the line."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _call(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise Malformed(f"line {number} of the history: {error!r}") from error


def read_states(text: str, targets: Iterable[Target]) -> dict[Target, State]:
    """The state of each account and meter that the history names. Raises Malformed."""
    try:
        accounts: Mapping[str, Any] = json.loads(text)
        found = {}
        names: dict[str, set[str]] = {}
        for account, meter in targets:
            names.setdefault(account, set()).add(meter)
        for account, meters in names.items():
            several = accounts[account].get("meters")
            if several is None and len(meters) > 1:
                raise ValueError(f"{account} has calls on {sorted(meters)} and a state of one meter only")
            for meter in meters:
                found[account, meter] = _state(accounts[account] if several is None else several[meter])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Malformed(f"the final state: {error!r}") from error
    return found


def _call(values: Mapping[str, Any]) -> Call:
    made = Call(
        client=str(values["client"]),
        call=int(values["call"]),
        answer=None if values["answer"] is None else int(values["answer"]),
        status=None if values["status"] is None else int(values["status"]),
        account=str(values["account"]),
        meter=str(values["meter"]),
        amount=int(values["amount"]),
        key=values.get("key"),
        op=values.get("op", "spend"),
        code=values.get("code") or "",
    )
    if made.op not in ("spend", "release"):
        raise ValueError(f"op is {made.op!r}")
    if made.amount < 0:
        raise ValueError("amount is negative")
    if made.answer is not None and made.answer < made.call:
        raise ValueError("it was answered before it was called")
    return made


def _state(values: Mapping[str, Any]) -> State:
    changes = [(int(at), None if limit is None else int(limit)) for at, limit in values["limit_changes"]]
    if not changes or changes != sorted(changes, key=lambda change: change[0]):
        raise ValueError("limit_changes must name a limit, and be in order")
    events = values.get("events_sum")
    return State(
        used=int(values["used"]),
        held=int(values["held"]),
        forfeited=int(values["forfeited"]),
        events_sum=None if events is None else int(events),
        facts=int(values.get("facts", 0)),
        limit_changes=tuple(changes),
        lag=int(values.get("lag", 0)),
        bound=int(values.get("bound", 0)),
        unreachable=tuple((int(begin), int(end), int(units)) for begin, end, units in values.get("unreachable", ())),
    )
