"""The table of what is to be reached, with what was measured: on the screen, and in `RESULTS.md`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, Result, Row

RESULTS = Path(__file__).with_name("RESULTS.md")

_JUDGED_AT = 32  # connections; the figures for others are shown beside
_UNMEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """A line of the table. Below the floor the design is wrong; the goal is what to come near to.

    `at_most`: smaller is better. `digits` after the point.
    """

    key: str
    what: str
    floor: float | None
    goal: float | None
    at_most: bool = False
    digits: int = 2

    def verdict(self, value: float) -> str:
        if self.goal is None:
            return "reported"
        if self._reaches(value, self.goal):
            return "goal reached"
        if self.floor is None:
            return "goal missed"
        return "floor reached, goal missed" if self._reaches(value, self.floor) else "**floor missed**"

    def bound(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≤' if self.at_most else '≥'} {value:,.{self.digits}f}"

    def _reaches(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound


_FAR = "the same, store 1 ms away: "
_RATIOS = (
    Goal("middleware", "middleware (rate + quota + usage, journal on) / bare FastAPI, one process", 0.90, 0.95),
    Goal("two_workers", "the same with two workers sharing every limit, by processor time of all", None, 0.90),
    Goal("strict", "strict middleware (durable before the answer) / bare FastAPI", 0.75, 0.85),
    Goal("shared_library", "shared mode / fastest Redis-backed library", None, 2.0),
    Goal("shared_limits", "shared mode / limits on Valkey", None, None),
    Goal("shared_throttled", "shared mode / throttled-py on Valkey", None, None),
    Goal("shared_script", "shared mode / GCRA script on Valkey called by hand", None, 1.5),
    Goal("middleware_far", f"{_FAR}middleware / bare", None, 0.95),
    Goal("two_workers_far", f"{_FAR}two workers / bare, by processor time", None, 0.90),
    Goal("strict_far", f"{_FAR}strict / bare", None, 0.85),
    Goal("shared_far_library", f"{_FAR}shared / fastest library", None, None),
    Goal("shared_far_limits", f"{_FAR}shared / limits", None, None),
    Goal("shared_far_throttled", f"{_FAR}shared / throttled-py", None, None),
    Goal("shared_far_script", f"{_FAR}shared / GCRA script", None, None),
    Goal("gateway", "forward-auth / plain ASGI", 0.88, 0.93),
    Goal("gateway_p99", "p99 of forward-auth / p99 of plain ASGI", None, 1.3, at_most=True),
)
_OTHERS = (
    Goal("decision", "decision in process, 1,000 hot accounts / a dict lookup", None, 8, at_most=True, digits=1),
    Goal("decision_many", "decision with a million accounts / with 1,000", None, 4, at_most=True, digits=1),
    Goal("account_bytes", "bytes an account", None, 300, at_most=True, digits=0),
    Goal("group_commit", "group-committed consumes / one UPDATE per request", 2.3, 3),
    Goal("ingest", "exactly-once ingest of events inside PostgreSQL / COPY", 0.18, 0.35),
    Goal("ingest_http", "ingest over HTTP in batches of 1,000, events a second", 20_000, 40_000, digits=0),
    Goal("ingest_http_share", "ingest over HTTP / the statement alone", None, 0.35),
    Goal("usage_read", "reading usage with 100 million events / with 1,000", None, 1.2, at_most=True),
    Goal("series_read", "reading a month by day with 100 million events / with 1,000", None, None),
    Goal("series_read_year", "reading a year by month with 100 million events / with 1,000", None, None),
    Goal("over_admitted", "over-admitted, 4 processes", 0, 0, at_most=True, digits=0),
    Goal("over_admitted_killed", "over-admitted, 4 processes, kill -9 at the limit", 0, 0, at_most=True, digits=0),
    Goal("run_cold", "cold `make run` on a bare machine, seconds", None, 150, at_most=True, digits=0),
    Goal("run_warm", "warm start, seconds", None, 5, at_most=True, digits=1),
    Goal("test_suite", "test suite, minutes", None, 10, at_most=True, digits=1),
)
GOALS = (*_RATIOS, *_OTHERS)


def table(results: Mapping[str, Result], connections: Sequence[int]) -> str:
    """The lines of performance to reach, in Markdown."""
    figures: dict[str, list[Figure]] = {}
    for result in results.values():
        for figure in result.figures:
            figures.setdefault(figure.key, []).append(figure)
    heads = [f"{number} connection{'s' if number > 1 else ''}" for number in connections]
    lines = [_line(["", *heads, "floor", "goal", "reached?"]), _line(["---"] * (len(heads) + 4))]
    for goal in GOALS:
        found = figures.get(goal.key) or _reasons(goal.key, figures)
        cells = [_cell(goal, found, number) for number in connections]
        lines.append(_line([goal.what, *cells, goal.bound(goal.floor), goal.bound(goal.goal), _verdict(goal, found)]))
    return "\n".join(lines)


def document(results: Mapping[str, Result], machine: Mapping[str, str], connections: Sequence[int]) -> str:
    """All of `RESULTS.md`."""
    parts = [
        "# What was measured",
        "Written by `make bench`. Ratios count; absolute figures are this machine's. Each ratio is the median of paired"
        " rounds, in brackets the extremes. One process: the server has one core, load and stores the other. Whether a"
        f" goal is reached is judged at {_JUDGED_AT} connections, the reference of all ratios over HTTP. Why some"
        " are missed: [where the time goes](../docs/performance.md).",
        "## Machine",
        _pairs(machine),
        "## Goals",
        table(results, connections),
    ]
    parts += [_section(result) for result in results.values()]
    return "\n\n".join(parts) + "\n"


def with_result(document: str, result: Result, connections: Sequence[int]) -> str:
    """`RESULTS.md` with one suite measured anew: its lines of the table and its section; all else as it stands."""
    keys = {figure.key for figure in result.figures}
    fresh = table({result.suite: result}, connections).splitlines()[2:]
    for goal, line in zip(GOALS, fresh, strict=True):
        if goal.key in keys:
            found = re.search(rf"^\| {re.escape(goal.what)} \|.*$", document, re.MULTILINE)
            after = re.search(r"^\| reading usage with .*$", document, re.MULTILINE)
            if found:
                document = document.replace(found[0], line)
            elif after:
                document = document.replace(after[0], f"{after[0]}\n{line}")
    head = f"\n## {result.suite}\n"
    before, _, rest = document.partition(head)
    rest = rest[rest.index("\n## ") :] if "\n## " in rest else ""
    return f"{before.rstrip()}\n\n{_section(result)}\n{rest}"


def _section(result: Result) -> str:
    parts = [f"## {result.suite}", f"Measured {result.date}."]
    if result.rows:
        parts.append(_rows(result.rows))
    if notes := [f"{figure.key}: {figure.note}" for figure in result.figures if figure.note]:
        parts.append(_list(notes))
    if result.remarks:
        parts.append(_list(result.remarks))
    return "\n\n".join(parts)


def _cell(goal: Goal, found: Sequence[Figure], connections: int) -> str:
    """Figures without connections stand in the column that is judged."""
    at = {figure.at: figure for figure in found}
    figure = at.get(connections) or (at.get(0) if connections == _JUDGED_AT else None)
    if figure is None or figure.value is None:
        return ""
    text = f"{figure.value:,.{goal.digits}f}"
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return text
    return f"{text} ({figure.low:,.{goal.digits}f} to {figure.high:,.{goal.digits}f})"


def _verdict(goal: Goal, found: Sequence[Figure]) -> str:
    judged = next((one for at in (_JUDGED_AT, 0) for one in found if one.at == at), None)
    if judged is None:
        return _UNMEASURED
    return judged.note or _UNMEASURED if judged.value is None else goal.verdict(judged.value)


def _reasons(key: str, figures: Mapping[str, list[Figure]]) -> list[Figure]:
    """Why a row has no figure, where its whole comparison has none: `shared` of `shared_library`."""
    whole = key.rpartition("_")[0]
    return [figure for figure in figures.get(whole, ()) if figure.value is None]


def _rows(rows: Iterable[Row]) -> str:
    head = ["", "connections", "requests/s", "p50 ms", "p99 ms", "cpu µs a request", "load busy", "not 200"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        cells = (f"{row.rate:,.0f}", f"{row.p50:.2f}", f"{row.p99:.2f}", f"{row.cpu:.1f}", f"{row.busy:.0%}")
        lines.append(_line([row.server, str(row.at), *cells, f"{row.not_ok:,}"]))
    return "\n".join(lines)


def _pairs(values: Mapping[str, str]) -> str:
    return "\n".join([_line(["", ""]), _line(["---", "---"]), *(_line([key, value]) for key, value in values.items())])


def _list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
